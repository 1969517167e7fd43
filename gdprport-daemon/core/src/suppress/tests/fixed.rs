//! `every`, `violations` and `{ summary = … }`: every event is sent or counted, and none twice.

use std::time::Duration;

use proptest::prelude::*;

use super::super::fixed::{MAX_GROUPS, MAX_GROUPS_PER_PORT};
use super::{KINDS, at, from_peer, offer, open, summaries, undecided};
use crate::event::{FlowEvent, FlowKind, FlowSummary, PolicyRef, Port, samples};
use crate::model::Outcome;
use crate::policy::Emit;
use crate::shared::Shared;
use crate::suppress::{Decision, Suppressor};
use crate::verdict::Verdict;

const MINUTE: Emit = Emit::Summary { every: Duration::from_secs(60) };

#[test]
fn every_passes_everything() {
    let mut suppressor = Suppressor::default();
    for kind in KINDS {
        assert_eq!(offer(&mut suppressor, kind, &open(1), Emit::Every, at(0)), Decision::Pass);
    }
    assert_eq!(suppressor.next_due(), None);
    assert_eq!(suppressor.suppressed(), 0);
}

#[test]
fn a_violation_verdict_always_passes() {
    for emit in [Emit::Every, Emit::Violations, MINUTE] {
        let mut suppressor = Suppressor::default();
        for kind in KINDS.into_iter().chain([FlowKind::Violation]) {
            let decision = offer(&mut suppressor, kind, &samples::forbidden(), emit, at(0));
            assert_eq!(decision, Decision::Pass, "{emit:?} {kind:?}");
        }
    }
}

#[test]
fn emit_violations_suppresses_and_counts_what_is_declared() {
    let mut suppressor = Suppressor::default();
    for peer in 0..3 {
        assert_eq!(
            offer(&mut suppressor, FlowKind::Open, &open(peer), Emit::Violations, at(0)),
            Decision::SuppressFlow
        );
    }
    assert!(suppressor.flush(at(9)).is_empty());
    assert_eq!(suppressor.suppressed(), 3);
}

#[test]
fn undecided_flows_are_reported_or_summed_up() {
    let mut suppressor = Suppressor::default();
    // The encryption of a flow is not known when it opens; its close reports it at the latest.
    for kind in KINDS {
        let expected = if kind == FlowKind::Open { Decision::SuppressFlow } else { Decision::Pass };
        assert_eq!(offer(&mut suppressor, kind, &undecided(), Emit::Violations, at(0)), expected, "{kind:?}");
    }
    assert_eq!(offer(&mut suppressor, FlowKind::Open, &undecided(), MINUTE, at(0)), Decision::SuppressFlow);
    let summed = summaries(suppressor.flush(at(1)));
    let group = summed[0].summary.group.as_ref().expect("room for a group");
    assert_eq!((group.rule.as_ref(), summed[0].summary.events), (None, 1));
}

#[test]
fn a_summary_comes_once_when_its_period_is_over() {
    let mut suppressor = Suppressor::default();
    for second in [0, 10, 59] {
        assert_eq!(
            offer(&mut suppressor, FlowKind::Open, &open(1), MINUTE, at(second)),
            Decision::SuppressFlow
        );
    }
    assert_eq!(suppressor.next_due(), Some(at(60)));
    assert!(suppressor.due(at(59)).is_empty());
    let due = summaries(suppressor.due(at(60)));
    assert_eq!(due.len(), 1);
    let summary = &due[0].summary;
    assert_eq!((summary.events, summary.opened), (3, 3));
    assert_eq!((summary.from, summary.to, summary.first, summary.last), (at(0), at(60), at(0), at(59)));
    assert!(suppressor.due(at(600)).is_empty(), "an idle port sends nothing");
    assert_eq!(suppressor.next_due(), None);
}

#[test]
fn groups_differ_by_peer_rule_and_process() {
    let mut suppressor = Suppressor::default();
    let base = || samples::declared(Outcome::Established);
    let other_rule =
        FlowEvent { verdict: Shared::new(Verdict::Declared { rule: "reports".into() }), ..base() };
    for flow in [base(), base(), from_peer(base(), 9), other_rule, undecided()] {
        let _ = offer(&mut suppressor, FlowKind::Open, &flow, MINUTE, at(0));
    }
    let mut counts: Vec<u64> =
        summaries(suppressor.flush(at(1))).iter().map(|summary| summary.summary.events).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 2]);
}

#[test]
fn bytes_are_those_of_closed_flows() {
    let mut suppressor = Suppressor::default();
    for kind in [FlowKind::Update, FlowKind::Close, FlowKind::Close] {
        let mut flow = samples::declared(Outcome::Closed);
        (flow.flow.bytes_sent, flow.flow.bytes_received) = (Some(1_840_412), Some(96));
        let _ = offer(&mut suppressor, kind, &flow, MINUTE, at(0));
    }
    let due = summaries(suppressor.flush(at(1)));
    let summary = &due[0].summary;
    assert_eq!((summary.updated, summary.closed), (1, 2));
    assert_eq!((summary.bytes_sent, summary.bytes_received), (2 * 1_840_412, 2 * 96));
}

#[test]
fn groups_are_bounded_and_the_rest_is_counted() {
    let mut suppressor = Suppressor::default();
    let peers = 1_000;
    for peer in 0..peers {
        let _ = offer(&mut suppressor, FlowKind::Open, &open(peer), MINUTE, at(0));
    }
    let due = summaries(suppressor.flush(at(1)));
    assert_eq!(due.len(), MAX_GROUPS_PER_PORT + 1);
    let rest = due.last().expect("not empty");
    assert_eq!(rest.summary.group, None);
    assert_eq!(rest.summary.events, u64::from(peers) - 256);
    assert_eq!(due.iter().map(|summary| summary.summary.events).sum::<u64>(), u64::from(peers));
}

#[test]
fn groups_are_bounded_over_all_ports_too() {
    let mut suppressor = Suppressor::default();
    let mut offered = 0;
    for number in 0..100 {
        for peer in 0..100 {
            let mut flow = from_peer(samples::declared(Outcome::Established), peer);
            flow.port = Shared::new(Port { name: "wide".into(), number, protocol: None });
            let _ = offer(&mut suppressor, FlowKind::Open, &flow, MINUTE, at(0));
            offered += 1;
        }
    }
    let due = summaries(suppressor.flush(at(1)));
    assert!(due.len() <= MAX_GROUPS + 100, "{}", due.len());
    assert_eq!(due.iter().map(|summary| summary.summary.events).sum::<u64>(), offered);
    let _ = offer(&mut suppressor, FlowKind::Open, &open(1), MINUTE, at(2));
    assert!(summaries(suppressor.flush(at(3)))[0].summary.group.is_some(), "room is given back");
}

#[test]
fn verdicts_of_two_policies_are_not_added_up() {
    let mut suppressor = Suppressor::default();
    for digest in ["sha256:a", "sha256:b"] {
        let policy = Some(PolicyRef { digest: digest.into() });
        let flow = FlowEvent { policy, ..samples::declared(Outcome::Established) };
        let _ = offer(&mut suppressor, FlowKind::Open, &flow, MINUTE, at(0));
    }
    assert_eq!(summaries(suppressor.flush(at(1))).len(), 2);
}

/// Also where they share a port number or a role.
#[test]
fn every_declaration_has_its_own_summary_and_period() {
    let mut suppressor = Suppressor::default();
    let of = |name: &str| FlowEvent {
        port: Shared::new(Port { name: name.into(), number: 5432, protocol: None }),
        ..samples::declared(Outcome::Closed)
    };
    let seconds = |seconds| Emit::Summary { every: Duration::from_secs(seconds) };
    for (name, every) in [("customers-db", 60), ("billing-db", 10), ("billing-db", 10)] {
        let _ = offer(&mut suppressor, FlowKind::Close, &of(name), seconds(every), at(0));
    }
    let sent = |bodies| -> Vec<(String, u64)> {
        let summaries = summaries(bodies).into_iter();
        summaries.map(|it| (it.port.name.to_string(), it.summary.events)).collect()
    };
    assert_eq!(sent(suppressor.due(at(10))), [("billing-db".to_owned(), 2)]);
    assert_eq!(sent(suppressor.due(at(60))), [("customers-db".to_owned(), 1)]);
}

#[test]
fn a_clock_set_back_does_not_hold_the_counts() {
    let mut suppressor = Suppressor::default();
    let _ = offer(&mut suppressor, FlowKind::Open, &open(1), MINUTE, at(0));
    assert_eq!(suppressor.due(at(-86_400)).len(), 1);
}

fn any_emit() -> impl Strategy<Value = Emit> {
    prop_oneof![
        Just(Emit::Every),
        Just(Emit::Violations),
        (0u64..20).prop_map(|seconds| Emit::Summary { every: Duration::from_secs(seconds) }),
    ]
}

proptest! {
    #[test]
    fn sent_and_summed_up_is_what_was_offered(
        steps in prop::collection::vec((0usize..5, any::<bool>(), 0u16..400, any_emit(), -3i64..5), 0..600)
    ) {
        let mut suppressor = Suppressor::default();
        let (mut clock, mut passed, mut silent, mut sums) = (0, 0, 0, Vec::new());
        for &(kind, forbidden, peer, emit, step) in &steps {
            clock += step;
            let flow = if forbidden { samples::forbidden() } else { samples::declared(Outcome::Closed) };
            let flow = from_peer(flow, peer);
            let kind = if forbidden && kind == 4 { FlowKind::Violation } else { KINDS[kind] };
            match (offer(&mut suppressor, kind, &flow, emit, at(clock)), emit) {
                (Decision::Pass, _) => passed += 1,
                (Decision::SuppressFlow, Emit::Violations) => silent += 1,
                (Decision::SuppressFlow, _) => {}
                (Decision::SuppressAll, _) => prop_assert!(false, "only `auto` leaves out what comes with a flow"),
            }
            sums.extend(summaries(suppressor.due(at(clock))));
        }
        sums.extend(summaries(suppressor.flush(at(clock))));
        let summed: u64 = sums.iter().map(|sum| sum.summary.events).sum();
        prop_assert_eq!(passed + silent + summed, steps.len() as u64);
        prop_assert_eq!(suppressor.suppressed(), silent + summed);
        for FlowSummary { summary, .. } in &sums {
            prop_assert_eq!(summary.events, summary.opened + summary.closed + summary.failed + summary.updated);
            prop_assert!(summary.events > 0 && summary.first <= summary.last);
        }
    }
}
