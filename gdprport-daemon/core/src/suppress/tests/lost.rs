//! Events that a sink lost: whatever is lost, and lost again, what was written and the sums are what was published.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::at;
use crate::encode::native;
use crate::event::{
    Body, Event, FlowEvent, FlowSummary, GaveUp, Kind, OverloadWhy, Port, Stamper, Violation, samples,
};
use crate::model::Outcome;
use crate::shared::Shared;
use crate::suppress::Lost;
use crate::verdict::Verdict;

/// By port, and outcome or kind: events and bytes.
type Account = BTreeMap<(u16, &'static str), [u64; 8]>;

fn line(event: &Event) -> Vec<u8> {
    let mut line = Vec::new();
    native(event, &mut line);
    line
}

/// As a reader does it: all events of a stream.
fn account<'a>(events: impl IntoIterator<Item = &'a Event>) -> Account {
    let mut account = Account::new();
    for event in events {
        if let Body::FlowSummary(event) = &event.body {
            let summary = &event.summary;
            let sums = account.entry((event.port.number, outcome(event))).or_default();
            let more = [
                summary.opened,
                summary.closed,
                summary.failed,
                summary.updated,
                summary.violations,
                summary.findings,
                summary.bytes_sent,
                summary.bytes_received,
            ];
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            continue;
        }
        let kind = event.body.kind();
        let Some(flow) = event.body.flow() else {
            let number = event.body.port().map_or(0, |port| port.number);
            account.entry((number, kind.as_str())).or_default()[0] += 1;
            continue;
        };
        let sums = account.entry((flow.port.number, flow.verdict.outcome())).or_default();
        let place = match kind {
            Kind::FlowOpen => 0,
            Kind::FlowClose => 1,
            Kind::FlowFail => 2,
            Kind::FlowUpdate | Kind::FlowPosture => 3,
            Kind::Violation => 4,
            _ => 5,
        };
        sums[place] += 1;
        if kind == Kind::FlowClose {
            sums[6] += flow.flow.bytes_sent.unwrap_or(0);
            sums[7] += flow.flow.bytes_received.unwrap_or(0);
        }
    }
    account.retain(|_, sums| *sums != [0; 8]);
    account
}

/// Of flows that several rules declare there is no verdict.
fn outcome(event: &FlowSummary) -> &'static str {
    let rule = event.summary.group.as_ref().and_then(|group| group.rule.as_ref());
    let without = || {
        let declared = rule.is_some() || event.summary.auto.is_some() || event.summary.overload.is_some();
        if declared { "declared" } else { "undecided" }
    };
    event.verdict.as_deref().map_or_else(without, Verdict::outcome)
}

fn from(mut event: FlowEvent, peer: u32, port: u16) -> FlowEvent {
    event.flow.peer.ip = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(203, 0, 0, 0)) + peer).into();
    event.flow.bytes_sent = Some(u64::from(peer) * 3 + 1);
    event.flow.bytes_received = Some(u64::from(peer));
    event.port = Shared::new(Port { number: port, ..Port::clone(&event.port) });
    event
}

/// One of the events that a daemon makes.
fn body(what: u8, peer: u32, port: u16) -> Body {
    let mut flow = match what % 3 {
        0 => samples::forbidden(),
        1 => samples::declared(Outcome::Closed),
        _ => FlowEvent {
            verdict: Shared::new(Verdict::Undecided { missing: vec!["the owner".to_owned()], nearest: None }),
            ..samples::declared(Outcome::Established)
        },
    };
    samples::change_process(&mut flow, |process| process.pid = peer);
    let flow = Box::new(from(flow, peer, port));
    match what / 3 % 8 {
        0 => Body::FlowOpen(flow),
        1 => Body::FlowFail(flow),
        2 | 3 => Body::FlowClose(flow),
        4 => Body::FlowUpdate(flow),
        5 => Body::FlowPosture(flow),
        6 => {
            Body::Violation(Box::new(Violation::Flow(FlowEvent { ..from(samples::forbidden(), peer, port) })))
        }
        // Summaries, findings, listeners and the rest.
        _ => {
            let others: Vec<Event> =
                samples::events().into_iter().filter(|event| !is_about_losses(event)).collect();
            others[peer as usize % others.len()].body.clone()
        }
    }
}

fn is_about_losses(event: &Event) -> bool {
    matches!(event.body.kind(), Kind::Coverage | Kind::SinkLost | Kind::SinkTest | Kind::EvidenceCheckpoint)
}

/// Stamps what was lost.
fn taken(lost: &mut Lost, stamper: &mut Stamper) -> Vec<Event> {
    lost.take(at(100)).into_iter().map(|body| stamper.stamp(at(100), body)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_written_and_the_sums_are_what_was_published(
        events in prop::collection::vec((any::<u8>(), 0u32..700, 5430u16..5433, any::<bool>()), 1..400),
        again in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let mut stamper = samples::stamper();
        let (mut published, mut written) = (Vec::new(), Vec::new());
        let mut lost = Lost::new("file", "io-error");
        let mut kept = 0;
        for (what, peer, port, is_lost) in events {
            let event = stamper.stamp(at(i64::from(peer % 50)), body(what, peer, port));
            published.push(event.clone());
            // No more than are kept are lost of what has no sum.
            kept += u32::from(is_lost && event.body.flow().is_none());
            if is_lost && kept <= 60 {
                lost.line(&line(&event));
            } else {
                written.push(event);
            }
        }
        // Sums that are lost too.
        for is_lost in again.into_iter().chain([false]) {
            let bodies = taken(&mut lost, &mut stamper);
            for event in bodies {
                if is_lost { lost.line(&line(&event)) } else { written.push(event) }
            }
        }
        prop_assert_eq!(account(&published), account(&written));
        for event in written.iter() {
            let back: Event = serde_json::from_slice(&line(event)).expect("own output");
            prop_assert_eq!(&back, event);
        }
    }

    #[test]
    fn a_line_and_its_event_are_the_same_loss(what in any::<u8>(), peer in 0u32..700) {
        let event = samples::stamper().stamp(at(1), body(what, peer, 5432));
        let (mut by_line, mut by_event) = (Lost::new("file", "io-error"), Lost::new("file", "io-error"));
        by_line.line(&line(&event));
        by_event.event(&event);
        prop_assert_eq!(by_line.take(at(2)), by_event.take(at(2)));
    }

    #[test]
    fn a_line_that_is_cut_or_none_is_no_loss_and_no_panic(
        what in any::<u8>(), cut in 0usize..2_000, noise in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut lost = Lost::new("file", "io-error");
        let whole = line(&samples::stamper().stamp(at(1), body(what, 7, 5432)));
        lost.line(&whole[..cut.min(whole.len() - 2)]);
        lost.line(&noise);
        prop_assert_eq!(lost.take(at(2)), []);
    }
}

/// Adds a lost event.
fn lose(lost: &mut Lost, stamper: &mut Stamper, body: Body) {
    lost.line(&line(&stamper.stamp(at(1), body)));
}

/// Not as a number alone.
#[test]
fn a_stranger_that_was_lost_is_named_and_reported() {
    let (mut lost, mut stamper) = (Lost::new("file", "queue-full"), samples::stamper());
    for _ in 0..40 {
        let stranger = from(samples::forbidden(), 7, 5432);
        lose(&mut lost, &mut stamper, Body::FlowOpen(Box::new(stranger.clone())));
        lose(&mut lost, &mut stamper, Body::Violation(Box::new(Violation::Flow(stranger))));
        let pool = from(samples::declared(Outcome::Closed), 8, 5432);
        lose(&mut lost, &mut stamper, Body::FlowClose(Box::new(pool)));
    }
    let bodies = lost.take(at(5));
    let [Body::Violation(violation), Body::FlowSummary(stranger), Body::FlowSummary(pool)] = &bodies[..]
    else {
        panic!("{bodies:?}")
    };
    let Violation::Flow(violation) = &**violation else { panic!("of a flow") };
    let stands_for = violation.overload.expect("it stands for all");
    assert_eq!((stands_for.why, stands_for.connections), (OverloadWhy::SinkLost, 40));
    let group = stranger.summary.group.as_ref().expect("who it is");
    assert_eq!(group.peer_ip.to_string(), "203.0.0.7");
    assert_eq!(stranger.verdict.as_ref(), Some(&samples::forbidden().verdict));
    assert_eq!((stranger.summary.opened, stranger.summary.violations), (40, 39), "and one that is sent");
    let overload = stranger.summary.overload.as_ref().expect("why");
    assert_eq!((overload.sink.as_deref(), overload.reason.as_deref()), (Some("file"), Some("queue-full")));
    assert_eq!((overload.groups, pool.summary.closed, pool.summary.bytes_sent), (80, 40, 40 * 25));
}

#[test]
fn a_lost_scan_is_few_sums_that_say_what_they_gave_up() {
    let (mut lost, mut stamper) = (Lost::new("file", "queue-full"), samples::stamper());
    for peer in 0..5_000 {
        let stranger = from(samples::forbidden(), peer * 300, 5432);
        lose(&mut lost, &mut stamper, Body::Violation(Box::new(Violation::Flow(stranger))));
    }
    let bodies = lost.take(at(5));
    let sums: Vec<_> = bodies
        .iter()
        .filter_map(|body| match body {
            Body::FlowSummary(sum) => Some(&sum.summary),
            _ => None,
        })
        .collect();
    assert!(sums.len() <= 17 && bodies.len() <= 34, "{} sums", sums.len());
    let violations: u64 = sums.iter().map(|sum| sum.violations).sum();
    assert_eq!(violations + (bodies.len() - sums.len()) as u64, 5_000);
    assert!(sums.iter().any(|sum| {
        sum.coarse
            .as_ref()
            .is_some_and(|coarse| coarse.gave_up.contains(&GaveUp::Network) && coarse.peers_at_least > 500)
    }));
}

/// A listener in violation has a place that other events do not take.
#[test]
fn what_has_no_sum_comes_again_as_far_as_there_is_room() {
    let (mut lost, mut stamper) = (Lost::new("file", "io-error"), samples::stamper());
    for _ in 0..100 {
        lose(&mut lost, &mut stamper, samples::body(Kind::ListenerOpen));
        lose(&mut lost, &mut stamper, samples::body(Kind::Coverage));
    }
    let exposed = samples::events().into_iter().map(|event| event.body);
    let exposed = exposed.filter(|body| body.kind() == Kind::Violation && body.listener().is_some());
    let exposed: Vec<Body> = exposed.collect();
    exposed.iter().for_each(|body| lose(&mut lost, &mut stamper, body.clone()));
    let bodies = lost.take(at(5));
    assert_eq!(bodies.len(), 64 + exposed.len());
    assert!(exposed.iter().all(|body| bodies.contains(body)));
}
