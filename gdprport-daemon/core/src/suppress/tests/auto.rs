//! `auto`: one by one while it is quiet, exact sums while it is not, and both can be seen in the stream.

use std::net::{IpAddr, Ipv4Addr};

use super::{Decision, Suppressor, With, at, from_peer, offer, open, summaries, undecided};
use crate::event::{Because, FlowEvent, FlowKind, FlowSummary, Severity, samples};
use crate::model::{Outcome, Posture, PostureState};
use crate::policy::Emit;
use crate::shared::Shared;
use crate::verdict::{Reason, ReasonId, Verdict};

const AUTO: Emit = Emit::Auto { most: 20 };
const VIOLATES: With = With { violation: true, finding: false };

/// How many of so many events were sent.
fn burst(suppressor: &mut Suppressor, flow: &FlowEvent, events: u32, second: i64) -> u32 {
    let pass = |_: &u32| offer(suppressor, FlowKind::Open, flow, AUTO, at(second)) == Decision::Pass;
    (0..events).filter(pass).count() as u32
}

fn forbidden(peer: u16) -> FlowEvent {
    from_peer(samples::forbidden(), peer)
}

fn only(mut summaries: Vec<FlowSummary>) -> FlowSummary {
    assert_eq!(summaries.len(), 1, "{summaries:?}");
    summaries.remove(0)
}

#[test]
fn a_quiet_group_is_sent_event_by_event() {
    let mut suppressor = Suppressor::default();
    for minute in 0..100 {
        assert_eq!(burst(&mut suppressor, &open(1), 20, 61 * minute), 20);
        assert!(suppressor.due(at(61 * minute + 30)).is_empty());
    }
    assert_eq!((suppressor.suppressed(), suppressor.counting_since()), (0, None));
    assert!(suppressor.flush(at(9_000)).is_empty());
}

#[test]
fn a_busy_group_goes_over_to_sums_and_back_visibly() {
    let mut suppressor = Suppressor::default();
    assert_eq!(burst(&mut suppressor, &open(1), 500, 0), 20);
    assert_eq!(suppressor.counting_since(), Some(at(0)));
    assert!(suppressor.due(at(59)).is_empty());
    let first = only(summaries(suppressor.due(at(60))));
    assert_eq!((first.summary.events, first.summary.opened), (480, 480));
    let auto = first.summary.auto.expect("why");
    assert_eq!((auto.because, auto.most, auto.since, auto.until), (Because::Busy, 20, at(0), None));
    assert_eq!(suppressor.counting_since(), None, "nothing waits");

    // As much as may be sent one by one, but not half of it: it stays as it is.
    assert_eq!(burst(&mut suppressor, &open(1), 20, 70), 0);
    let second = only(summaries(suppressor.due(at(120))));
    let auto = second.summary.auto.expect("why");
    assert_eq!((second.summary.from, second.summary.events), (at(60), 20));
    assert_eq!((auto.since, auto.until), (at(0), None));

    assert_eq!(burst(&mut suppressor, &open(1), 10, 130), 0);
    let last = only(summaries(suppressor.due(at(180))));
    let auto = last.summary.auto.expect("why");
    assert_eq!((last.summary.events, auto.since, auto.until), (10, at(0), Some(at(180))));
    assert_eq!(burst(&mut suppressor, &open(1), 500, 181), 20, "one by one again");
    assert_eq!(suppressor.suppressed(), 480 + 20 + 10 + 480);
}

#[test]
fn a_group_that_falls_silent_says_so() {
    let mut suppressor = Suppressor::default();
    burst(&mut suppressor, &open(1), 100, 7);
    assert!(only(summaries(suppressor.due(at(67)))).summary.auto.expect("why").until.is_none());
    let last = only(summaries(suppressor.due(at(127)))).summary;
    assert_eq!((last.events, last.first, last.last), (0, at(7), at(7)), "when the last was");
    assert_eq!(last.auto.expect("why").until, Some(at(127)));
    assert!(suppressor.due(at(1_000)).is_empty());
}

/// Each in its own group.
#[test]
fn a_stranger_is_sent_at_once_however_busy_others_are() {
    let mut suppressor = Suppressor::default();
    for round in 0..50 {
        burst(&mut suppressor, &open(1), 100, round);
        burst(&mut suppressor, &forbidden(1), 100, round);
    }
    let mut reasons = forbidden(1);
    let reason = Reason { id: ReasonId::WeakTls, detail: "TLS 1.0".to_owned() };
    reasons.verdict = Shared::new(Verdict::Violation { reasons: vec![reason], nearest: None });
    let mut process = forbidden(1);
    samples::change_process(&mut process, |process| process.exe = Some("/tmp/x".into()));
    let mut plain = forbidden(1);
    plain.posture = Some(Shared::new(Posture::new(PostureState::Plaintext, "seen")));
    let accepted = FlowEvent { accepted: Some(samples::exceptions::accepted()), ..forbidden(1) };
    for new in [forbidden(700), process, plain, accepted, reasons, undecided()] {
        let decision = suppressor.offer(FlowKind::Open, VIOLATES, &new, AUTO, at(55));
        assert_eq!(decision, Decision::Pass, "{new:?}");
    }
}

#[test]
fn repeated_violations_are_counted_with_their_reasons() {
    let mut suppressor = Suppressor::default();
    let mut sent = 0;
    for _ in 0..1_000 {
        let decision = suppressor.offer(FlowKind::Fail, VIOLATES, &forbidden(3), AUTO, at(0));
        sent += u64::from(decision == Decision::Pass);
        assert_ne!(decision, Decision::SuppressFlow, "a violation goes with its flow");
    }
    assert_eq!((sent, suppressor.suppressed()), (10, 2 * 990));
    let summary = only(summaries(suppressor.flush(at(3))));
    assert_eq!(summary.severity(), Severity::High);
    assert_eq!((summary.summary.failed, summary.summary.violations), (990, 990));
    assert_eq!(summary.summary.events, suppressor.suppressed());
    assert_eq!(summary.verdict, Some(samples::forbidden().verdict), "with the details of the first");
    assert_eq!(summary.summary.auto.expect("why").until, Some(at(3)), "it ends with the daemon");
    let group = summary.summary.group.expect("a group");
    assert_eq!((group.rule, group.peer_ip.to_string()), (None, "10.0.0.3".to_owned()));
}

/// A client that tries again a thousand times a second.
#[test]
fn denied_connects_are_some_events_and_a_count() {
    let mut suppressor = Suppressor::default();
    let mut denied = forbidden(3);
    denied.flow.outcome = Outcome::DeniedByPolicy;
    let mut warned = forbidden(3);
    warned.flow.would_deny = true;
    for _ in 0..1_000 {
        let _ = suppressor.offer(FlowKind::Fail, VIOLATES, &denied, AUTO, at(0));
    }
    for kind in [FlowKind::Open, FlowKind::Update, FlowKind::Close] {
        assert_eq!(offer(&mut suppressor, kind, &warned, AUTO, at(1)), Decision::SuppressAll, "{kind:?}");
    }
    let summary = only(summaries(suppressor.flush(at(3)))).summary;
    assert_eq!((summary.failed, summary.denied, summary.violations), (990, 990, 990));
    assert_eq!((summary.opened, summary.would_deny), (1, 1), "each flow once");
    assert_eq!(summary.events, suppressor.suppressed());
}

/// Which would be a flood again.
#[test]
fn many_quiet_clients_are_one_busy_pool() {
    let mut suppressor = Suppressor::default();
    let sent: u32 = (0..100).map(|peer| burst(&mut suppressor, &open(peer), 10, 1)).sum();
    assert_eq!(sent, 60);
    let due = summaries(suppressor.due(at(61)));
    assert_eq!(due.iter().map(|summary| summary.summary.events).sum::<u64>(), 1_000 - 60);
    let because = due.iter().map(|summary| summary.summary.auto.as_ref().expect("why").because);
    assert_eq!(because.collect::<Vec<_>>(), [Because::BusyTogether; 94], "each peer has sums of its own");
}

#[test]
fn bytes_and_findings_are_counted_where_the_flow_closes() {
    let mut suppressor = Suppressor::default();
    let mut close = from_peer(samples::declared(Outcome::Closed), 1);
    (close.flow.bytes_sent, close.flow.bytes_received) = (Some(3), Some(5));
    let with = With { violation: false, finding: true };
    let mut passed = 0;
    for _ in 0..100 {
        passed += u64::from(suppressor.offer(FlowKind::Close, with, &close, AUTO, at(0)) == Decision::Pass);
    }
    assert_eq!(passed, 10, "two events each");
    let sum = only(summaries(suppressor.flush(at(0)))).summary;
    assert_eq!((sum.closed, sum.findings, sum.events), (90, 90, 180));
    assert_eq!((sum.bytes_sent, sum.bytes_received), (270, 450));
}

#[test]
fn a_clock_that_is_set_back_holds_no_sums() {
    let mut suppressor = Suppressor::default();
    burst(&mut suppressor, &open(1), 100, 0);
    assert_eq!(summaries(suppressor.due(at(-86_400))).len(), 1);
    assert_eq!(summaries(suppressor.due(at(-86_400 + 60))).len(), 1, "it is over");
    assert_eq!(burst(&mut suppressor, &open(1), 100, -86_300), 20);
}

#[test]
fn verdicts_of_two_policies_have_groups_of_their_own() {
    let mut suppressor = Suppressor::default();
    let policy = |digest: &str| Some(crate::event::PolicyRef { digest: digest.into() });
    for digest in ["sha256:a", "sha256:b"] {
        let flow = FlowEvent { policy: policy(digest), ..open(1) };
        assert_eq!(burst(&mut suppressor, &flow, 50, 0), 20);
    }
    let mut digests: Vec<_> = summaries(suppressor.flush(at(1))).into_iter().map(|sum| sum.policy).collect();
    digests.sort();
    assert_eq!(digests, [policy("sha256:a"), policy("sha256:b")]);
}

#[test]
fn the_number_is_what_the_policy_says() {
    for most in [1, 2, 60, 6_000] {
        let mut suppressor = Suppressor::default();
        let pass = |_: &u32| {
            offer(&mut suppressor, FlowKind::Open, &open(1), Emit::Auto { most }, at(0)) == Decision::Pass
        };
        assert_eq!((0..10_000).filter(pass).count(), most as usize);
    }
}

#[test]
fn addresses_of_version_6_have_networks_too() {
    let mut suppressor = Suppressor::default();
    let mut sent = 0;
    for host in 0..1_000_u16 {
        let mut flow = samples::forbidden();
        flow.flow.peer.ip = IpAddr::from([0x2001, 0xdb8, 7, host, 0, 0, 0, host]);
        sent += u32::from(suppressor.offer(FlowKind::Fail, VIOLATES, &flow, AUTO, at(0)) == Decision::Pass);
    }
    assert!((16..60).contains(&sent), "{sent}");
    let due = summaries(suppressor.flush(at(1)));
    let group =
        due.iter().find_map(|sum| sum.summary.group.clone().filter(|group| group.peer_prefix.is_some()));
    let group = group.expect("a network");
    assert_eq!((group.peer_ip.to_string(), group.peer_prefix), ("2001:db8:7::".to_owned(), Some(48)));
    let mut other = samples::forbidden();
    other.flow.peer.ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(suppressor.offer(FlowKind::Fail, VIOLATES, &other, AUTO, at(2)), Decision::Pass);
}
