//! Sums of connections that were counted: exact, few, and no stranger without a violation.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::{at, open};
use crate::event::{CountedBy, FlowEvent, GaveUp, OverloadWhy, Port, samples};
use crate::model::Direction;
use crate::overload::OverloadCounts;
use crate::shared::Shared;
use crate::suppress::{Counted, Overloaded, Summed};
use crate::verdict::Verdict;

fn counts(opened: u64, closed: u64) -> OverloadCounts {
    OverloadCounts {
        opened,
        closed,
        bytes_sent: 7 * closed,
        bytes_received: closed,
        ..OverloadCounts::default()
    }
}

fn from(mut event: FlowEvent, peer: Ipv4Addr) -> FlowEvent {
    event.flow.peer.ip = peer.into();
    event.flow.direction = Direction::In;
    event
}

fn peer(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(203, 0, 0, 0)) + number)
}

/// Adds a group of one peer.
fn add(sums: &mut Overloaded, event: &FlowEvent, by: CountedBy, counts: OverloadCounts) {
    let ip = event.flow.peer.ip;
    let prefix = if by == CountedBy::Peer { 32 } else { 24 };
    let violation = matches!(*event.verdict, Verdict::Violation { .. }).then(|| event.clone());
    let counted = Counted {
        by,
        peer: IpNet::new(ip, prefix).expect("a prefix").trunc(),
        counts,
        first: at(1),
        last: at(2),
        violation,
        findings: 0,
    };
    sums.add(event, counted, at(3));
}

fn new() -> Overloaded {
    Overloaded::new(OverloadWhy::KernelOverload, at(0))
}

fn sum(summed: &[Summed]) -> OverloadCounts {
    let mut all = OverloadCounts::default();
    for Summed { summary, .. } in summed {
        let summary = &summary.summary;
        all.opened += summary.opened;
        all.closed += summary.closed;
        all.failed += summary.failed;
        all.bytes_sent += summary.bytes_sent;
        all.bytes_received += summary.bytes_received;
    }
    all
}

#[test]
fn a_group_of_a_pool_is_one_summary_with_why() {
    let mut sums = new();
    add(&mut sums, &from(open(1), peer(1)), CountedBy::Peer, counts(5, 3));
    add(&mut sums, &from(open(1), peer(1)), CountedBy::Peer, counts(2, 1));
    let summed = sums.take(at(4));
    let [Summed { summary, violation: None }] = &summed[..] else { panic!("{summed:?}") };
    let overload = summary.summary.overload.as_ref().expect("an overload");
    assert_eq!(
        (overload.why, overload.counted_by, overload.groups),
        (OverloadWhy::KernelOverload, CountedBy::Peer, 2)
    );
    assert_eq!((summary.summary.events, summary.summary.opened, summary.summary.bytes_sent), (11, 7, 28));
    assert_eq!((summary.summary.first, summary.summary.last), (at(1), at(2)));
    assert!(summary.verdict.is_some() && sums.is_empty());
}

/// And says how many it is one of: together they are all that violate.
#[test]
fn a_stranger_is_reported_by_one_violation_for_all() {
    let mut sums = new();
    add(&mut sums, &from(samples::forbidden(), peer(1)), CountedBy::Peer, counts(812, 0));
    let summed = sums.take(at(4));
    let [Summed { summary, violation: Some(violation) }] = &summed[..] else { panic!("{summed:?}") };
    assert_eq!(violation.overload.map(|overload| overload.connections), Some(812));
    assert_eq!(summary.summary.violations + 1, 812);
    assert_eq!(summary.severity(), crate::event::Severity::High);
}

/// Eight thousand groups a second are some fifty lines, and no connection is missing.
#[test]
fn a_storm_of_groups_is_a_handful_of_summaries() {
    for event in [open(1), samples::forbidden(), super::undecided()] {
        let mut sums = new();
        for number in 0..8_192_u32 {
            add(
                &mut sums,
                &from(event.clone(), peer(number.wrapping_mul(97))),
                CountedBy::Peer,
                counts(3, 1),
            );
        }
        let summed = sums.take(at(4));
        assert!(summed.len() <= 45, "{}", summed.len());
        assert_eq!((sum(&summed).opened, sum(&summed).bytes_sent), (3 * 8_192, 7 * 8_192));
        let stand_for: u64 = summed
            .iter()
            .filter_map(|summed| summed.violation.as_ref()?.overload)
            .map(|one| one.connections)
            .sum();
        let is_violation = matches!(*event.verdict, Verdict::Violation { .. });
        assert_eq!(stand_for, if is_violation { 3 * 8_192 } else { 0 });
    }
}

#[test]
fn no_storm_of_a_pool_takes_the_room_of_a_stranger() {
    let mut sums = new();
    for port in 0..40_u16 {
        for number in 0..200 {
            let mut event = from(open(1), peer(number));
            event.port = Shared::new(Port { number: port, ..(*event.port).clone() });
            add(&mut sums, &event, CountedBy::Peer, counts(1, 0));
        }
    }
    add(&mut sums, &from(samples::forbidden(), peer(7)), CountedBy::Peer, counts(1, 0));
    let summed = sums.take(at(4));
    assert!(summed.len() <= 128 + 40 + 1, "{}", summed.len());
    let violations: Vec<_> = summed.iter().filter_map(|summed| summed.violation.as_ref()).collect();
    let [one] = &violations[..] else { panic!("{violations:?}") };
    assert_eq!(one.flow.peer.ip, peer(7));
}

#[test]
fn what_was_counted_by_port_says_what_it_gave_up() {
    let mut sums = new();
    let mut event = from(open(1), peer(1));
    event.process = None;
    add(&mut sums, &event, CountedBy::Port, counts(9, 0));
    let summed = sums.take(at(4));
    let coarse = summed[0].summary.summary.coarse.as_ref().expect("coarse");
    assert_eq!(coarse.gave_up, [GaveUp::Peer, GaveUp::Network, GaveUp::Process]);
    let group = summed[0].summary.summary.group.as_ref().expect("a group");
    assert_eq!((group.peer_prefix, group.exe.as_ref()), (Some(0), None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_added_comes_out_once_and_by_outcome(
        groups in proptest::collection::vec((0_u32..400, 0_usize..3, 0_usize..3, 0_u16..70, 0_u64..9, 0_u64..9), 0..600),
    ) {
        let mut sums = new();
        let mut expected: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
        for (number, what, by, port, opened, closed) in groups {
            let event = [open(1), super::undecided(), samples::forbidden()][what].clone();
            let mut event = from(event, peer(number * 131));
            event.port = Shared::new(Port { number: port, ..(*event.port).clone() });
            let sum = expected.entry(event.verdict.outcome()).or_default();
            for (sum, more) in sum.iter_mut().zip([opened, closed, 7 * closed]) {
                *sum += more;
            }
            add(&mut sums, &event, [CountedBy::Peer, CountedBy::Network, CountedBy::Port][by], counts(opened, closed));
        }
        expected.retain(|_, sums| *sums != [0; 3]);
        let mut found: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
        let mut violations = 0;
        let summed = sums.take(at(9));
        for Summed { summary, violation } in &summed {
            // The rest of a port has no rule in common, and only what is declared needs none.
            let outcome = summary.verdict.as_deref().map_or("declared", Verdict::outcome);
            let counts = &summary.summary;
            let sum = found.entry(outcome).or_default();
            for (sum, more) in sum.iter_mut().zip([counts.opened, counts.closed, counts.bytes_sent]) {
                *sum += more;
            }
            violations += counts.violations + u64::from(violation.is_some());
            let all = counts.opened + counts.closed + counts.failed + counts.violations + counts.findings;
            prop_assert_eq!(counts.events, all);
        }
        found.retain(|_, sums| *sums != [0; 3]);
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(violations, expected.get("violation").map_or(0, |sums| sums[0]));
        prop_assert!(summed.len() <= 3 * (128 + 70), "{}", summed.len());
    }
}
