//! Whatever happens in whatever order, sums are those of the plainest count, and a rule is in violation exactly beyond its volume.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Known, Volumes};
use crate::event::Bound;
use crate::flow::{Change, ChangeKind, Flow};
use crate::model::{Direction, Endpoint};
use crate::policy::{Policy, Source, VolumeLimit, Window, compile};
use crate::shared::Shared;
use crate::verdict::{ReasonId, ReasonSet, Verdict};

fn policy(rules: &[(&str, Option<&str>)]) -> Policy {
    let mut text =
        "version = 1\n[controller]\nname = \"A\"\n[[port]]\nname = \"db\"\nport = [5432, 5433]\n".to_owned();
    for (role, volume) in rules {
        text.push_str(&format!("[[port.allow]]\nrole = \"{role}\"\ndirection = \"in\"\npeers = [\"any\"]\n"));
        if let Some(volume) = volume {
            text.push_str(&format!("volume = {volume}\n"));
        }
    }
    compile(&[Source { name: "policy.toml".to_owned(), text }]).expect("valid")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Noon of a Sunday, after a start in an earlier window.
fn noon() -> Timestamp {
    at("2026-11-29T12:00:00Z")
}

fn begun(policy: &Policy) -> Volumes {
    let mut volumes = Volumes::under(policy, None, (64, 0), at("2026-11-28T12:00:00Z")).expect("a limit");
    assert!(volumes.wants());
    assert!(!volumes.wanted().is_empty());
    assert!(!volumes.changed(at("2026-11-29T00:00:01Z")), "nothing was moved");
    volumes
}

/// The port's place among those that are watched.
fn place(policy: &Policy, number: u16) -> usize {
    policy.port(number).expect("declared").index
}

fn change(kind: ChangeKind, cookie: u64, role: &str, port: usize, (sent, received): (u64, u64)) -> Change {
    let end = |port| Endpoint::new([127, 0, 0, 1].into(), port);
    let mut flow = Flow::new(cookie, Direction::In, end(5432), end(40_000));
    flow.port_index = Some(port);
    flow.opened_ns = Some(1);
    flow.verdict = Shared::new(Verdict::Declared { rule: role.into() });
    (flow.bytes_sent, flow.bytes_received) = (Some(sent), Some(received));
    Change { kind, flow, new_reasons: ReasonSet::from(&Verdict::Declared { rule: role.into() }), was: None }
}

fn moved(volumes: &Volumes, port: usize, role: &str) -> u64 {
    volumes.of(port, role).expect("a limit").bytes
}

#[test]
fn both_ways_and_all_ports_of_a_rule_count_together() {
    let policy = policy(&[("a", Some("{ per = \"1d\", max = \"1KiB\" }")), ("b", None)]);
    let (mut volumes, one, other) = (begun(&policy), place(&policy, 5432), place(&policy, 5433));
    for (cookie, role, port) in [(1, "a", one), (2, "a", other), (3, "b", one)] {
        assert_eq!(volumes.flow(&mut change(ChangeKind::Opened, cookie, role, port, (0, 0)), noon()), None);
        let mut goes_on = change(ChangeKind::Updated, cookie, role, port, (300, 200));
        assert_eq!(volumes.flow(&mut goes_on, noon()), None);
    }
    assert_eq!(moved(&volumes, one, "a"), 1_000);
    assert_eq!(volumes.of(one, "b"), None);
    assert!(!volumes.changed(noon()));
}

#[test]
fn the_flow_that_crosses_is_judged_first_and_reported_once() {
    let policy = policy(&[("a", Some("{ per = \"1d\", max = \"1000B\" }"))]);
    let (mut volumes, port) = (begun(&policy), place(&policy, 5432));
    let mut flows: Vec<Flow> = Vec::new();
    for cookie in 1..=3 {
        volumes.flow(&mut change(ChangeKind::Opened, cookie, "a", port, (0, 0)), noon());
        let mut goes_on = change(ChangeKind::Updated, cookie, "a", port, (400, 0));
        assert_eq!(volumes.flow(&mut goes_on, noon()), None, "it is judged again, and then reported");
        flows.push(goes_on.flow);
    }
    assert!(volumes.changed(noon()));
    let first: Vec<u64> =
        flows.iter().filter(|flow| volumes.concerns(flow, true)).map(|flow| flow.cookie).collect();
    assert_eq!(first, [3]);
    assert!(flows.iter().all(|flow| volumes.concerns(flow, false)));
    let verdict = volumes.exceeded(&flows[0].verdict, Some(port), noon()).expect("beyond");
    let Verdict::Violation { reasons, nearest } = &*verdict else { panic!("{verdict:?}") };
    assert_eq!(reasons.len(), 1);
    assert_eq!(
        reasons[0].detail,
        "a has moved 1.1 KiB since 2026-11-29T00:00:00Z; from 2026-11-29T00:00:00Z to \
         2026-11-30T00:00:00Z at most 1000 B are declared"
    );
    assert_eq!(nearest.as_ref().expect("the rule").failed, ["volume"]);
    volumes.judged();
    assert!(!volumes.changed(noon()));
    for (cookie, known) in [(3, false), (1, true), (2, true)] {
        let mut judged = change(ChangeKind::Updated, cookie, "a", port, (400, 0));
        judged.flow.verdict = Shared::clone(&verdict);
        judged.new_reasons = ReasonSet::from(&*verdict);
        let beyond = volumes.flow(&mut judged, noon()).expect("beyond");
        assert_eq!((beyond.known, beyond.volume.bytes), (known, 1_200), "flow {cookie}");
    }
}

/// There is nothing of it left to judge again.
#[test]
fn a_flow_that_crosses_as_it_ends_is_in_violation_itself() {
    let policy = policy(&[("a", Some("{ per = \"1h\", max = \"1KiB\" }"))]);
    let (mut volumes, port) = (begun(&policy), place(&policy, 5432));
    let mut last = change(ChangeKind::Closed, 7, "a", port, (0, 2_000));
    let beyond = volumes.flow(&mut last, noon()).expect("beyond");
    assert!(!beyond.known && beyond.volume.bytes == 2_000, "{beyond:?}");
    assert!(last.new_reasons.contains(ReasonId::VolumeExceeded));
    assert_eq!(last.flow.verdict.reasons()[0].id, ReasonId::VolumeExceeded);
    let mut next = change(ChangeKind::Closed, 8, "a", port, (0, 1));
    let beyond = volumes.flow(&mut next, noon()).expect("beyond");
    assert!(beyond.known && beyond.volume.bytes == 2_001, "{beyond:?}");
}

#[test]
fn the_next_window_begins_with_nothing() {
    let policy = policy(&[("a", Some("{ per = \"1h\", max = \"1KiB\" }"))]);
    let (mut volumes, port) = (begun(&policy), place(&policy, 5432));
    assert!(!volumes.changed(at("2026-11-29T12:30:00Z")));
    volumes.flow(&mut change(ChangeKind::Opened, 1, "a", port, (0, 0)), at("2026-11-29T12:30:00Z"));
    let mut crosses = change(ChangeKind::Updated, 1, "a", port, (1_025, 0));
    volumes.flow(&mut crosses, at("2026-11-29T12:59:59Z"));
    let declared = Verdict::Declared { rule: "a".into() };
    assert!(volumes.exceeded(&declared, Some(port), at("2026-11-29T12:59:59.9Z")).is_some());
    volumes.judged();
    let next = at("2026-11-29T13:00:00Z");
    assert!(volumes.exceeded(&declared, Some(port), next).is_none(), "not a second longer");
    assert!(volumes.changed(next), "its flows are declared again");
    let now = volumes.of(port, "a").expect("a limit");
    assert_eq!((now.bytes, now.bound, now.since, now.from), (0, None, next, next));
    volumes.flow(&mut change(ChangeKind::Updated, 1, "a", port, (1_100, 0)), next);
    assert_eq!(moved(&volumes, port, "a"), 75, "what was seen before belongs to the hour before");
}

/// In truth it may be more.
#[test]
fn what_is_not_known_makes_the_sum_a_lower_bound() {
    let policy = policy(&[("a", Some("{ per = \"1d\", max = \"1KiB\" }"))]);
    let port = place(&policy, 5432);
    let begin = || Volumes::under(&policy, None, (64, 0), noon()).expect("a limit");
    let since = |volumes: &Volumes| {
        let of = volumes.of(port, "a").expect("a limit");
        (of.bound, of.since)
    };
    assert_eq!(since(&begin()), (Some(Bound::AtLeast), noon()), "nothing is known of the morning");
    let mut late = begin();
    let wanted = late.wanted();
    assert_eq!(wanted[0].from, at("2026-11-29T00:00:00Z"));
    late.add(&[Known { wanted: wanted[0].clone(), bytes: 700 }], at("2026-11-29T08:00:00Z"));
    assert_eq!(since(&late), (Some(Bound::AtLeast), at("2026-11-29T08:00:00Z")));
    assert_eq!(moved(&late, port, "a"), 700);
    let mut lossy = begun(&policy);
    assert_eq!(since(&lossy).0, None);
    lossy.lost();
    assert_eq!(since(&lossy).0, Some(Bound::AtLeast));
    let mut found = begun(&policy);
    let mut change = change(ChangeKind::Opened, 1, "a", port, (5_000, 0));
    change.flow.found = true;
    assert_eq!(found.flow(&mut change, noon()), None, "what it moved before is of no window");
    assert_eq!((moved(&found, port, "a"), since(&found).0), (0, Some(Bound::AtLeast)));
}

#[test]
fn what_the_ledger_knows_counts_once_and_only_in_its_window() {
    let policy = policy(&[("a", Some("{ per = \"1h\", max = \"1KiB\" }"))]);
    let port = place(&policy, 5432);
    let mut volumes = Volumes::under(&policy, None, (64, 0), noon()).expect("a limit");
    volumes.flow(&mut change(ChangeKind::Closed, 1, "a", port, (600, 0)), noon());
    let wanted = volumes.wanted();
    assert_eq!(moved(&volumes, port, "a"), 0, "the ledger's answer has it");
    volumes.flow(&mut change(ChangeKind::Closed, 2, "a", port, (1, 0)), noon());
    let answer = [Known { wanted: wanted[0].clone(), bytes: 1_024 }];
    volumes.add(&answer, Timestamp::MIN);
    assert_eq!(moved(&volumes, port, "a"), 1_025);
    assert!(volumes.changed(noon()), "both together are too much");
    assert!(!volumes.wants() && volumes.wanted().is_empty());
    let next = at("2026-11-29T13:00:00Z");
    assert!(volumes.changed(next));
    volumes.add(&answer, Timestamp::MIN);
    assert_eq!(moved(&volumes, port, "a"), 0, "it is of another hour");
}

#[test]
fn a_reload_keeps_the_sum_of_the_same_window() {
    let day = |max: &str| format!("{{ per = \"1d\", max = \"{max}\" }}");
    let (small, large, hour) = (day("1KiB"), day("1MiB"), "{ per = \"1h\", max = \"1MiB\" }");
    let limited = |volume: &str| policy(&[("a", Some(volume))]);
    let (first, second) = (limited(&small), limited(&large));
    let port = place(&first, 5432);
    let mut volumes = begun(&first);
    volumes.flow(&mut change(ChangeKind::Closed, 1, "a", port, (2_000, 0)), noon());
    let declared = Verdict::Declared { rule: "a".into() };
    assert!(volumes.exceeded(&declared, Some(port), noon()).is_some());
    let mut volumes = Volumes::under(&first, Some(volumes), (64, 0), noon()).expect("a limit");
    let beyond = volumes.flow(&mut change(ChangeKind::Closed, 2, "a", port, (0, 0)), noon()).expect("beyond");
    assert!(beyond.known, "the same limit is no news");
    let volumes = Volumes::under(&second, Some(volumes), (64, 0), noon()).expect("a limit");
    assert!(volumes.exceeded(&declared, Some(port), noon()).is_none() && !volumes.wants());
    assert_eq!(moved(&volumes, port, "a"), 2_000);
    let volumes = Volumes::under(&first, Some(volumes), (64, 0), noon()).expect("a limit");
    assert!(volumes.exceeded(&declared, Some(port), noon()).is_some(), "less is allowed again");
    let volumes = Volumes::under(&limited(hour), Some(volumes), (64, 0), noon()).expect("a limit");
    assert!(volumes.wants(), "of another window the ledger is asked");
    assert_eq!(moved(&volumes, port, "a"), 0);
    assert!(Volumes::under(&policy(&[("a", None)]), Some(volumes), (64, 0), noon()).is_none());
}

/// What happens: a flow's cookie, its rule, how much more it moved, and what became of it; or time passes.
#[derive(Debug, Clone)]
enum Step {
    Flow { cookie: u64, role: usize, more: u64, ends: bool },
    Minutes(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..5, 0_usize..3, 0_u64..600, any::<bool>())
            .prop_map(|(cookie, role, more, ends)| Step::Flow { cookie, role, more, ends }),
        1 => (1_i64..50).prop_map(Step::Minutes),
    ]
}

proptest! {
    #[test]
    fn any_sequence_adds_up_as_counted_plainly(steps in prop::collection::vec(step(), 1..80)) {
        let limits = [("a", 1_000_u64, Window::Hour), ("b", 2_000, Window::TwoHours)];
        let policy = policy(&[
            ("a", Some("{ per = \"1h\", max = \"1000B\" }")),
            ("b", Some("{ per = \"2h\", max = \"2000B\" }")),
            ("c", None),
        ]);
        let (mut volumes, port) = (begun(&policy), place(&policy, 5432));
        let mut now = noon();
        volumes.changed(now);
        let mut open: HashMap<u64, u64> = HashMap::new();
        // By rule: when it moved how much.
        let mut all: Vec<(usize, Timestamp, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Minutes(minutes) => now += SignedDuration::from_mins(minutes),
                Step::Flow { cookie, role, more, ends } => {
                    let name = ["a", "b", "c"][role];
                    let total = match open.get(&cookie) {
                        Some(before) => before + more,
                        None => {
                            let mut opened = change(ChangeKind::Opened, cookie, name, port, (0, 0));
                            volumes.flow(&mut opened, now);
                            more
                        }
                    };
                    let kind = if ends { ChangeKind::Closed } else { ChangeKind::Updated };
                    volumes.flow(&mut change(kind, cookie, name, port, (total / 3, total - total / 3)), now);
                    all.push((role, now, more));
                    if ends { open.remove(&cookie); } else { open.insert(cookie, total); }
                }
            }
            volumes.changed(now);
            volumes.judged();
            for (role, (name, max, per)) in limits.iter().enumerate() {
                let (from, to) = per.around(now);
                let within = all.iter().filter(|(of, at, _)| *of == role && from <= *at && *at < to);
                let plain: u64 = within.map(|(.., bytes)| bytes).sum();
                prop_assert_eq!(moved(&volumes, port, name), plain);
                let declared = Verdict::Declared { rule: (*name).into() };
                prop_assert_eq!(volumes.exceeded(&declared, Some(port), now).is_some(), plain > *max);
                let limit = VolumeLimit { per: *per, max: *max };
                prop_assert_eq!(policy.volume_limit(port, name), Some(limit));
            }
        }
    }
}
