//! Losses, times without a daemon, changes of the policy, and flows of nobody.

use std::sync::Arc;

use jiff::Span;

use super::world::*;
use crate::audit::FindingId;
use crate::ledger::{Counts, Identity, PolicyPeriod, RunEnd};

#[test]
fn losses_of_one_reason_are_one_finding() {
    let mut world = World::good();
    let first = ago(3);
    world.ledger().gaps = vec![
        gap("ring-full", first, 2, 7),
        gap("ring-full", first + Span::new().seconds(3), 2, 5),
        gap("ring-full", ago(2), 1, 1),
        gap("sockets-unseen", ago(1), 1, 1),
    ];
    let audit = world.audit();
    assert_eq!(world.found(), ["medium coverage-gap", "medium coverage-gap"]);
    let found = &audit.findings[0];
    assert_eq!(found.message, "Something was lost (ring-full) in 2 periods, 6s all together");
    assert_eq!(evidence(found, "lost"), "13");
    assert_eq!(found.place, None, "it is at no place of the policy");
}

#[test]
fn a_killed_run_and_a_time_without_a_daemon_are_found() {
    let mut world = World::good();
    let mut killed = run(ago(60), ago(10));
    killed.end = Some(RunEnd::Killed);
    let mut stopped = run(ago(10) + Span::new().seconds(2), ago(5));
    stopped.end = Some(RunEnd::Stopped);
    world.ledger().runs = vec![killed, stopped, run(ago(4), now())];
    assert_eq!(world.found(), ["medium coverage-gap", "low coverage-gap"]);
    let audit = world.audit();
    assert_eq!(audit.findings[0].message, "For 1d of the period no daemon ran");
    assert!(audit.findings[1].message.starts_with("The daemon was killed once"));
    world.ledger().runs = vec![run(ago(60), ago(3))];
    assert_eq!(world.one().message, "No daemon has stored anything since 2026-11-26 12:00 UTC");
    let mut stopped = run(ago(60), ago(3));
    stopped.end = Some(RunEnd::Stopped);
    world.ledger().runs = vec![stopped];
    assert_eq!(world.one().message, "No daemon has watched since 2026-11-26 12:00 UTC");
}

/// Also before the first run of the period, and if there was none.
#[test]
fn a_period_without_a_daemon_is_a_gap() {
    let mut world = World::good();
    world.ledger().runs = vec![run(ago(59), now())];
    assert_eq!(world.one().message, "For 1d of the period no daemon ran");
    world.ledger().runs.clear();
    assert_eq!(world.one().message, "No daemon has watched since 2026-09-30 12:00 UTC");
}

/// A full disk and then a kill: whether it watched meanwhile is not known.
#[test]
fn a_killed_run_is_not_said_to_have_ended_with_its_last_batch() {
    let mut world = World::good();
    let mut killed = run(ago(60), ago(10));
    killed.end = Some(RunEnd::Killed);
    world.ledger().gaps = vec![gap(crate::ledger::KILLED, ago(10), 86_400, 0)];
    world.ledger().runs = vec![killed, run(ago(9), now())];
    let messages: Vec<_> = world.audit().findings.iter().map(|found| found.message.clone()).collect();
    assert_eq!(
        messages,
        [
            "For 1d of the period no daemon ran, or it could not write its ledger",
            "The daemon was killed once: what came after its last batch may be missing"
        ]
    );
}

#[test]
fn a_restart_is_no_gap() {
    let mut world = World::good();
    let mut first = run(ago(60), ago(10));
    first.end = Some(RunEnd::Stopped);
    world.ledger().runs = vec![first, run(ago(10) + Span::new().seconds(3), now())];
    assert!(world.found().is_empty());
}

#[test]
fn a_changed_policy_is_said_and_a_restart_is_not() {
    let mut world = World::good();
    let period = |digest: &str, from| PolicyPeriod { digest: Some(digest.into()), from, to: None };
    world.ledger().policies =
        vec![period("sha256:a", ago(60)), period("sha256:a", ago(40)), period("replaced", ago(20))];
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::PolicyChanged, "info"));
    assert_eq!(evidence(&found, "before"), "sha256:a");
}

#[test]
fn flows_of_nobody_are_counted() {
    for (unknown, all, expected) in [(1, 1_000, "info"), (20, 1_000, "low"), (200, 1_000, "medium")] {
        let mut world = World::good();
        let mut nobody = orders("10.0.2.8");
        nobody.key.identity = Arc::new(Identity::UNKNOWN);
        let of = |n| Counts { flows: n, opened: n, closed: n, ..Counts::default() };
        nobody.counts = of(unknown);
        world.ledger().edges[0].counts = of(all - unknown);
        world.ledger().edges.push(nobody);
        let found = world.one();
        assert_eq!((found.id, found.severity.as_str()), (FindingId::UnattributedFlows, expected));
        assert_eq!(evidence(&found, "peers"), format!("in 10.0.2.8 ({unknown})"));
    }
}
