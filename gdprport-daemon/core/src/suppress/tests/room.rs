//! Scans: groups are bounded, what finds no room is counted coarser, with its reasons, and says so.

use std::net::IpAddr;

use super::{Decision, Suppressor, With, at, from_peer, open, summaries};
use crate::event::{FlowEvent, FlowKind, FlowSummary, GaveUp, Port, Severity, samples};
use crate::policy::Emit;
use crate::shared::Shared;
use crate::suppress::groups::{PORT_ROOM, ROOM};

const AUTO: Emit = Emit::Auto { most: 20 };
const VIOLATES: With = With { violation: true, finding: false };

fn scanned(ip: impl Into<IpAddr>) -> FlowEvent {
    let mut flow = samples::forbidden();
    flow.flow.peer.ip = ip.into();
    flow
}

/// Flows, each with its violation: how many events were sent, and what was summed up.
fn scan(flows: impl Iterator<Item = FlowEvent>) -> (u64, Vec<FlowSummary>) {
    let mut suppressor = Suppressor::default();
    let (mut sent, mut offered) = (0, 0);
    let mut sums = Vec::new();
    for (number, flow) in flows.enumerate() {
        // A hundred a second.
        let now = at(number as i64 / 100);
        let decision = suppressor.offer(FlowKind::Fail, VIOLATES, &flow, AUTO, now);
        sent += if decision == Decision::Pass { 2 } else { 0 };
        offered += 2;
        sums.extend(summaries(suppressor.due(now)));
    }
    sums.extend(summaries(suppressor.flush(at(100_000))));
    let summed: u64 = sums.iter().map(|sum| sum.summary.events).sum();
    assert_eq!(sent + summed, offered, "each is in one place");
    assert_eq!(summed, suppressor.suppressed());
    assert!(sums.iter().all(|sum| sum.severity() == Severity::High));
    (sent, sums)
}

#[test]
fn a_scan_from_one_peer_is_a_handful_of_events() {
    let (sent, sums) = scan((0..10_000).map(|_| scanned([203, 0, 113, 7])));
    assert!(sent <= 20 && sums.len() <= 2, "{sent} {}", sums.len());
}

/// Ten thousand connects, ten from each.
#[test]
fn a_scan_of_a_thousand_peers_is_a_handful_of_events() {
    let (sent, sums) = scan((0..10_000_u32).map(|number| {
        let peer = number % 1_000;
        scanned([203, 0, (peer / 250) as u8, (peer % 250) as u8])
    }));
    assert!(sent <= 150 && sums.len() <= 40, "{sent} {}", sums.len());
    let networks: Vec<_> = sums.iter().filter(|sum| sum.summary.coarse.is_some()).collect();
    let mut most = 0;
    for network in networks {
        let (coarse, group) = (network.summary.coarse.as_ref(), network.summary.group.as_ref());
        let (coarse, group) = (coarse.expect("filtered"), group.expect("a network"));
        assert_eq!((&coarse.gave_up[..], group.peer_prefix), (&[GaveUp::Peer][..], Some(24)));
        assert!((1..=250).contains(&coarse.peers_at_least), "{}", coarse.peers_at_least);
        most = most.max(coarse.peers_at_least);
    }
    assert!(most > 200, "{most} of 250 were known apart");
}

#[test]
fn a_scan_of_all_the_world_is_a_handful_of_events() {
    let (sent, sums) =
        scan((0..10_000_u32).map(|number| scanned(number.wrapping_mul(0x9e37_79b1).to_be_bytes())));
    assert!(sent <= 150 && sums.len() <= 80, "{sent} {}", sums.len());
    let everybody = sums.iter().find_map(|sum| {
        let group = sum.summary.group.as_ref()?;
        (group.peer_prefix == Some(0)).then_some((sum, group))
    });
    let (sum, group) = everybody.expect("too many networks");
    assert_eq!(group.peer_ip.to_string(), "0.0.0.0");
    let coarse = sum.summary.coarse.as_ref().expect("coarse");
    assert_eq!(coarse.gave_up, [GaveUp::Peer, GaveUp::Network]);
    assert!(coarse.peers_at_least > 1_500, "{}", coarse.peers_at_least);
    let reasons = |sum: &FlowSummary| -> Vec<_> {
        sum.verdict.as_ref().expect("a violation").reasons().iter().map(|reason| reason.id).collect()
    };
    let named: Vec<_> = samples::forbidden().verdict.reasons().iter().map(|reason| reason.id).collect();
    assert_eq!(reasons(sum), named, "with its reasons");
}

/// Also where it takes hours: its peers are new strangers once, and not again every minute.
#[test]
fn a_slow_scan_is_summed_up_for_as_long_as_it_lasts() {
    let mut suppressor = Suppressor::default();
    let (mut sent, mut sums) = (0, Vec::new());
    for second in 0..2 * 3_600_u32 {
        let flow = scanned(second.wrapping_mul(0x9e37_79b1).to_be_bytes());
        let decision = suppressor.offer(FlowKind::Fail, VIOLATES, &flow, AUTO, at(second.into()));
        sent += if decision == Decision::Pass { 2 } else { 0 };
        sums.extend(summaries(suppressor.due(at(second.into()))));
    }
    sums.extend(summaries(suppressor.flush(at(3 * 3_600))));
    assert!(sent <= 350 && sums.len() <= 200, "{sent} {}", sums.len());
    let summed: u64 = sums.iter().map(|sum| sum.summary.failed).sum();
    assert_eq!(sent / 2 + summed, 2 * 3_600);
}

/// Whatever else there is: each outcome has room of its own.
#[test]
fn a_full_table_still_sends_what_is_new_up_to_a_rate() {
    let mut suppressor = Suppressor::default();
    let named = |number: u32| {
        let mut flow = from_peer(samples::forbidden(), 1);
        samples::change_process(&mut flow, |process| process.exe = Some(format!("/tmp/{number}").into()));
        flow
    };
    let mut sent = 0;
    for number in 0..PORT_ROOM + 1_000 {
        let flow = named(number);
        sent += u32::from(suppressor.offer(FlowKind::Open, VIOLATES, &flow, AUTO, at(0)) == Decision::Pass);
    }
    assert_eq!(sent, PORT_ROOM + 10, "each that has a group, and of the rest twenty events");
    assert_eq!(suppressor.offer(FlowKind::Open, With::default(), &open(1), AUTO, at(1)), Decision::Pass);
    let sums = summaries(suppressor.flush(at(2)));
    let rest = sums.iter().find(|sum| sum.summary.group.is_none()).expect("the rest of the port");
    assert_eq!(rest.summary.coarse.as_ref().expect("coarse").gave_up, GaveUp::ALL);
    assert_eq!((rest.summary.opened, rest.severity()), (990, Severity::High));
    assert!(!rest.verdict.as_ref().expect("a violation").reasons().is_empty());
}

#[test]
fn groups_are_bounded_over_all_ports_too() {
    let mut suppressor = Suppressor::default();
    let mut offered = 0;
    for number in 0..200 {
        let port = Shared::new(Port { name: "wide".into(), number, protocol: None });
        for peer in 0..100 {
            let flow = FlowEvent { port: Shared::clone(&port), ..open(peer) };
            for _ in 0..3 {
                let _ =
                    suppressor.offer(FlowKind::Open, With::default(), &flow, Emit::Auto { most: 1 }, at(0));
                offered += 1;
            }
        }
    }
    let sums = summaries(suppressor.flush(at(1)));
    assert!(sums.len() <= ROOM as usize + 200, "{}", sums.len());
    assert!(sums.iter().any(|sum| sum.summary.group.is_none() && sum.verdict.is_none()), "of several rules");
    let summed: u64 = sums.iter().map(|sum| sum.summary.events).sum();
    assert_eq!(summed, suppressor.suppressed());
    assert!(summed < offered);
    assert_eq!(suppressor.offer(FlowKind::Open, With::default(), &open(1), AUTO, at(2)), Decision::Pass);
    assert!(summaries(suppressor.flush(at(3))).is_empty(), "room is given back");
}
