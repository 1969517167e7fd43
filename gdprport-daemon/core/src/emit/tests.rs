//! Promises of the emitter: nothing is counted twice or not at all.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::event::samples;
use crate::model::Outcome;

const MINUTE: Mode = Mode::Summary { every: Duration::from_secs(60) };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_440_000 + second).expect("in range")
}

fn from_peer(mut flow: FlowEvent, peer: u16) -> FlowEvent {
    let [a, b] = peer.to_be_bytes();
    flow.flow.peer.ip = IpAddr::V4(Ipv4Addr::new(10, 0, a, b));
    flow
}

fn open(peer: u16) -> FlowEvent {
    from_peer(samples::declared(Outcome::Established), peer)
}

const KINDS: [FlowKind; 5] =
    [FlowKind::Open, FlowKind::Fail, FlowKind::Close, FlowKind::Update, FlowKind::Posture];

fn summaries(bodies: Vec<Body>) -> Vec<FlowSummary> {
    bodies
        .into_iter()
        .map(|body| match body {
            Body::FlowSummary(summary) => *summary,
            other => panic!("not a summary: {other:?}"),
        })
        .collect()
}

#[test]
fn every_passes_everything() {
    let mut emitter = Emitter::default();
    for kind in KINDS {
        assert_eq!(emitter.offer(kind, &open(1), Mode::Every, at(0)), Decision::Pass);
    }
    assert_eq!(emitter.next_due(), None);
    assert_eq!(emitter.suppressed(), 0);
}

#[test]
fn a_violation_verdict_passes_in_every_mode_and_kind() {
    for mode in [Mode::Every, Mode::Violations, MINUTE] {
        let mut emitter = Emitter::default();
        for kind in KINDS.into_iter().chain([FlowKind::Violation]) {
            let decision = emitter.offer(kind, &samples::forbidden(), mode, at(0));
            assert_eq!(decision, Decision::Pass, "{mode:?} {kind:?}");
        }
    }
}

#[test]
fn violations_mode_leaves_out_what_is_declared_and_counts_it() {
    let mut emitter = Emitter::default();
    for peer in 0..3 {
        assert_eq!(emitter.offer(FlowKind::Open, &open(peer), Mode::Violations, at(0)), Decision::Suppress);
    }
    assert!(emitter.flush(at(9)).is_empty());
    assert_eq!(emitter.suppressed(), 3);
}

fn undecided() -> FlowEvent {
    FlowEvent {
        verdict: Arc::new(Verdict::Undecided { missing: vec!["the owner".to_owned()], nearest: None }),
        process: None,
        ..samples::declared(Outcome::Established)
    }
}

#[test]
fn what_is_undecided_is_never_left_out_in_silence() {
    let mut emitter = Emitter::default();
    // The encryption of a flow that opens is never told yet; what it comes to, its close tells at the latest.
    for kind in KINDS {
        let expected = if kind == FlowKind::Open { Decision::Suppress } else { Decision::Pass };
        assert_eq!(emitter.offer(kind, &undecided(), Mode::Violations, at(0)), expected, "{kind:?}");
    }
    assert_eq!(emitter.offer(FlowKind::Open, &undecided(), MINUTE, at(0)), Decision::Suppress);
    let summed = summaries(emitter.flush(at(1)));
    let group = summed[0].summary.group.as_ref().expect("room for a group");
    assert_eq!((group.rule.as_ref(), summed[0].summary.events), (None, 1));
}

#[test]
fn a_summary_comes_once_when_its_period_is_over() {
    let mut emitter = Emitter::default();
    for second in [0, 10, 59] {
        assert_eq!(emitter.offer(FlowKind::Open, &open(1), MINUTE, at(second)), Decision::Suppress);
    }
    assert_eq!(emitter.next_due(), Some(at(60)));
    assert!(emitter.due(at(59)).is_empty());
    let due = summaries(emitter.due(at(60)));
    assert_eq!(due.len(), 1);
    let summary = &due[0].summary;
    assert_eq!((summary.events, summary.opened), (3, 3));
    assert_eq!((summary.from, summary.to, summary.first, summary.last), (at(0), at(60), at(0), at(59)));
    assert!(emitter.due(at(600)).is_empty(), "an idle port says nothing");
    assert_eq!(emitter.next_due(), None);
}

#[test]
fn groups_differ_by_peer_rule_and_process() {
    let mut emitter = Emitter::default();
    let base = || samples::declared(Outcome::Established);
    let other_rule = FlowEvent { verdict: Arc::new(Verdict::Declared { rule: "reports".into() }), ..base() };
    for flow in [base(), base(), from_peer(base(), 9), other_rule, undecided()] {
        let _ = emitter.offer(FlowKind::Open, &flow, MINUTE, at(0));
    }
    let mut counts: Vec<u64> =
        summaries(emitter.flush(at(1))).iter().map(|summary| summary.summary.events).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 2]);
}

#[test]
fn bytes_are_those_of_closed_flows() {
    let mut emitter = Emitter::default();
    for kind in [FlowKind::Update, FlowKind::Close, FlowKind::Close] {
        let mut flow = samples::declared(Outcome::Closed);
        (flow.flow.bytes_sent, flow.flow.bytes_received) = (Some(1_840_412), Some(96));
        let _ = emitter.offer(kind, &flow, MINUTE, at(0));
    }
    let due = summaries(emitter.flush(at(1)));
    let summary = &due[0].summary;
    assert_eq!((summary.updated, summary.closed), (1, 2));
    assert_eq!((summary.bytes_sent, summary.bytes_received), (2 * 1_840_412, 2 * 96));
}

#[test]
fn groups_are_bounded_and_the_rest_is_counted() {
    let mut emitter = Emitter::default();
    let peers = 1_000;
    for peer in 0..peers {
        let _ = emitter.offer(FlowKind::Open, &open(peer), MINUTE, at(0));
    }
    let due = summaries(emitter.flush(at(1)));
    assert_eq!(due.len(), MAX_GROUPS_PER_PORT + 1);
    let rest = due.last().expect("not empty");
    assert_eq!(rest.summary.group, None);
    assert_eq!(rest.summary.events, u64::from(peers) - 256);
    assert_eq!(due.iter().map(|summary| summary.summary.events).sum::<u64>(), u64::from(peers));
}

#[test]
fn groups_are_bounded_over_all_ports_too() {
    let mut emitter = Emitter::default();
    let mut offered = 0;
    for number in 0..100 {
        for peer in 0..100 {
            let mut flow = from_peer(samples::declared(Outcome::Established), peer);
            flow.port = Arc::new(Port { name: "wide".into(), number, protocol: None });
            let _ = emitter.offer(FlowKind::Open, &flow, MINUTE, at(0));
            offered += 1;
        }
    }
    let due = summaries(emitter.flush(at(1)));
    assert!(due.len() <= MAX_GROUPS + 100, "{}", due.len());
    assert_eq!(due.iter().map(|summary| summary.summary.events).sum::<u64>(), offered);
    let _ = emitter.offer(FlowKind::Open, &open(1), MINUTE, at(2));
    assert!(summaries(emitter.flush(at(3)))[0].summary.group.is_some(), "room is given back");
}

#[test]
fn verdicts_of_two_policies_are_not_added_up() {
    let mut emitter = Emitter::default();
    for digest in ["sha256:a", "sha256:b"] {
        let policy = Some(PolicyRef { digest: digest.into() });
        let flow = FlowEvent { policy, ..samples::declared(Outcome::Established) };
        let _ = emitter.offer(FlowKind::Open, &flow, MINUTE, at(0));
    }
    assert_eq!(summaries(emitter.flush(at(1))).len(), 2);
}

#[test]
fn declarations_that_share_a_number_or_a_role_have_a_summary_each_with_its_own_period() {
    let mut emitter = Emitter::default();
    let of = |name: &str| FlowEvent {
        port: Arc::new(Port { name: name.into(), number: 5432, protocol: None }),
        ..samples::declared(Outcome::Closed)
    };
    let seconds = |seconds| Mode::Summary { every: Duration::from_secs(seconds) };
    for (name, every) in [("customers-db", 60), ("billing-db", 10), ("billing-db", 10)] {
        let _ = emitter.offer(FlowKind::Close, &of(name), seconds(every), at(0));
    }
    let told = |bodies| -> Vec<(String, u64)> {
        let summaries = summaries(bodies).into_iter();
        summaries.map(|it| (it.port.name.to_string(), it.summary.events)).collect()
    };
    assert_eq!(told(emitter.due(at(10))), [("billing-db".to_owned(), 2)]);
    assert_eq!(told(emitter.due(at(60))), [("customers-db".to_owned(), 1)]);
}

#[test]
fn a_clock_set_back_does_not_hold_the_counts() {
    let mut emitter = Emitter::default();
    let _ = emitter.offer(FlowKind::Open, &open(1), MINUTE, at(0));
    assert_eq!(emitter.due(at(-86_400)).len(), 1);
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Every),
        Just(Mode::Violations),
        (0u64..20).prop_map(|seconds| Mode::Summary { every: Duration::from_secs(seconds) }),
    ]
}

proptest! {
    #[test]
    fn sent_and_summed_up_is_what_was_offered(
        steps in prop::collection::vec((0usize..5, any::<bool>(), 0u16..400, any_mode(), -3i64..5), 0..600)
    ) {
        let mut emitter = Emitter::default();
        let (mut clock, mut passed, mut silent, mut sums) = (0, 0, 0, Vec::new());
        for &(kind, forbidden, peer, mode, step) in &steps {
            clock += step;
            let flow = if forbidden { samples::forbidden() } else { samples::declared(Outcome::Closed) };
            let flow = from_peer(flow, peer);
            let kind = if forbidden && kind == 4 { FlowKind::Violation } else { KINDS[kind] };
            match (emitter.offer(kind, &flow, mode, at(clock)), mode) {
                (Decision::Pass, _) => passed += 1,
                (Decision::Suppress, Mode::Violations) => silent += 1,
                (Decision::Suppress, _) => {}
            }
            sums.extend(summaries(emitter.due(at(clock))));
        }
        sums.extend(summaries(emitter.flush(at(clock))));
        let summed: u64 = sums.iter().map(|sum| sum.summary.events).sum();
        prop_assert_eq!(passed + silent + summed, steps.len() as u64);
        prop_assert_eq!(emitter.suppressed(), silent + summed);
        for FlowSummary { summary, .. } in &sums {
            prop_assert_eq!(summary.events, summary.opened + summary.closed + summary.failed + summary.updated);
            prop_assert!(summary.events > 0 && summary.first <= summary.last);
        }
    }
}
