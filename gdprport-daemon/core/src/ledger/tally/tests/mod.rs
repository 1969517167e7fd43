//! Promises of the tally: sums, bounds, days, coverage.

mod bounds;
mod moved;
mod reference;
mod sums;

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::event::samples::time;
use crate::flow::{Change, ChangeKind, Flow};
use crate::ledger::PortKey;
use crate::model::{Attribution, Direction, Endpoint, Posture, PostureState, Process};
use crate::shared::Shared;
use crate::verdict::{ReasonSet, Verdict};

fn ports() -> Vec<PortKey> {
    let port = |name: &str, number, declared| PortKey { name: name.into(), number, declared };
    vec![port("customers-db", 5432, true), port("redis", 6379, false)]
}

fn tally(limits: TallyLimits) -> Tally {
    let mut tally = Tally::new(limits, 0);
    tally.set_policy(Some(&"sha256:1".into()), ports());
    tally
}

fn process(exe: &str) -> Shared<Process> {
    Shared::new(Process {
        pid: 7,
        exe: Some(exe.into()),
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    })
}

fn flow(cookie: u64) -> Flow {
    let end = |ip: [u8; 4], port| Endpoint::new(ip.into(), port);
    Flow {
        opened_ns: Some(1),
        process: Some(process("/usr/bin/app")),
        verdict: Verdict::Declared { rule: "app".into() }.into(),
        port_index: Some(0),
        ..Flow::new(cookie, Direction::In, end([10, 0, 0, 1], 5432), end([10, 0, 0, 2], 40_000))
    }
}

fn change(kind: ChangeKind, flow: &Flow) -> Change {
    Change { kind, flow: flow.clone(), new_reasons: ReasonSet::default(), was: None }
}

fn noon() -> Timestamp {
    time("2026-11-29T12:00:00Z")
}

/// What a flow has that went on: the same with these counts.
fn with_bytes(flow: &Flow, sent: u64, received: u64) -> Flow {
    Flow { bytes_sent: Some(sent), bytes_received: Some(received), ..flow.clone() }
}

#[test]
fn a_flow_stands_in_the_rows_that_it_came_through() {
    let mut tally = tally(TallyLimits::default());
    let flow = flow(1);
    tally.flow(&change(ChangeKind::Opened, &flow), noon());
    let tls = Flow { posture: Some(Posture::new(PostureState::Tls13, "x").into()), ..flow.clone() };
    tally.flow(&change(ChangeKind::PostureKnown, &tls), noon());
    tally.flow(&change(ChangeKind::Closed, &with_bytes(&tls, 10, 20)), noon());
    let batch = tally.drain(false, noon());
    let rows: Vec<_> = batch
        .edges
        .iter()
        .map(|edge| {
            let c = edge.counts;
            (edge.key.posture.state, c.flows, c.opened, c.closed, c.bytes_sent, c.bytes_received)
        })
        .collect();
    assert_eq!(rows, [(PostureState::Unknown, 1, 1, 0, 0, 0), (PostureState::Tls13, 1, 0, 1, 10, 20)]);
    assert_eq!(batch.edges[0].key.policy.as_deref(), Some("sha256:1"));
    assert_eq!(batch.edges[0].key.peer.to_string(), "10.0.0.2/32");
    assert_eq!(tally.drain(false, noon()).edges.len(), 0, "drained once");
}

#[test]
fn bytes_of_a_long_flow_go_to_the_days_in_which_they_flow() {
    let mut tally = tally(TallyLimits::default());
    let flow = flow(1);
    let (evening, morning) = (time("2026-11-29T23:59:30Z"), time("2026-11-30T00:00:30Z"));
    tally.flow(&change(ChangeKind::Opened, &flow), evening);
    tally.flow(&change(ChangeKind::Updated, &with_bytes(&flow, 5, 100)), evening);
    tally.flow(&change(ChangeKind::Updated, &with_bytes(&flow, 5, 150)), morning);
    tally.flow(&change(ChangeKind::Closed, &with_bytes(&flow, 4, 175)), morning);
    let batch = tally.drain(false, morning);
    let days: Vec<_> = batch
        .edges
        .iter()
        .map(|edge| (edge.day.day(), edge.counts.flows, edge.counts.bytes_sent, edge.counts.bytes_received))
        .collect();
    assert_eq!(days, [(29, 1, 5, 100), (30, 1, 0, 75)], "a smaller count than before adds nothing");
    let hours: Vec<_> =
        batch.volume.iter().map(|hour| (hour.hour, hour.flows, hour.bytes_received)).collect();
    assert_eq!(hours, [(time("2026-11-29T23:00:00Z"), 1, 100), (time("2026-11-30T00:00:00Z"), 0, 75)]);
}

#[test]
fn a_flow_that_is_silent_shows_in_every_day_it_is_open() {
    let mut tally = tally(TallyLimits::default());
    let flow = flow(1);
    tally.flow(&change(ChangeKind::Opened, &flow), noon());
    tally.still_open(&flow, noon());
    let next = time("2026-11-30T00:00:01Z");
    tally.still_open(&flow, next);
    tally.still_open(&self::flow(2), next);
    let batch = tally.drain(false, next);
    let days: Vec<_> = batch.edges.iter().map(|edge| (edge.day.day(), edge.counts.flows)).collect();
    assert_eq!(days, [(29, 1), (30, 1)], "and the one that was not reported in none");
}

#[test]
fn what_a_found_flow_sent_before_is_not_todays() {
    let mut tally = tally(TallyLimits::default());
    let found = Flow { found: true, opened_ns: None, ..with_bytes(&flow(1), 1_000, 2_000) };
    tally.flow(&change(ChangeKind::Opened, &found), noon());
    tally.flow(&change(ChangeKind::Closed, &with_bytes(&found, 1_001, 2_007)), noon());
    let counts = tally.drain(false, noon()).edges[0].counts;
    assert_eq!((counts.opened, counts.bytes_sent, counts.bytes_received), (1, 1, 7));
}

#[test]
fn an_end_alone_counts_unless_a_run_before_may_have_counted() {
    let mut tally = Tally::new(TallyLimits::default(), 1_000);
    tally.set_policy(None, ports());
    for (cookie, opened_ns) in [(1, 999), (2, 1_000)] {
        let flow = Flow { opened_ns: Some(opened_ns), ..with_bytes(&flow(cookie), 10, 0) };
        tally.flow(&change(ChangeKind::Closed, &flow), noon());
    }
    let counts = tally.drain(false, noon()).edges[0].counts;
    assert_eq!((counts.flows, counts.closed, counts.bytes_sent), (2, 2, 10));
}

#[test]
fn an_evicted_flow_is_not_counted_twice_when_it_ends() {
    let mut tally = tally(TallyLimits::default());
    let flow = flow(1);
    tally.flow(&change(ChangeKind::Opened, &flow), noon());
    tally.flow(&change(ChangeKind::Updated, &with_bytes(&flow, 10, 0)), noon());
    tally.flow(&change(ChangeKind::Removed(crate::flow::Removal::TableFull), &flow), noon());
    tally.flow(&change(ChangeKind::Closed, &with_bytes(&flow, 12, 0)), noon());
    let batch = tally.drain(false, noon());
    assert_eq!((batch.edges[0].counts.bytes_sent, batch.edges[0].counts.flows), (12, 1));
    assert_eq!((batch.coverage[0].seen, batch.coverage[0].lost), (1, 1));
}

/// It began before this run, so that its end alone does not say how much of its bytes a run before has counted.
#[test]
fn an_evicted_flow_that_was_found_silent_counts_from_there() {
    let mut tally = Tally::new(TallyLimits::default(), 1_000);
    tally.set_policy(None, ports());
    let found = Flow { found: true, opened_ns: None, ..with_bytes(&flow(1), 0, 0) };
    tally.flow(&change(ChangeKind::Opened, &found), noon());
    tally.flow(&change(ChangeKind::Removed(crate::flow::Removal::TableFull), &found), noon());
    let end = Flow { opened_ns: Some(1), ..with_bytes(&flow(1), 12, 3) };
    tally.flow(&change(ChangeKind::Closed, &end), noon());
    let counts = tally.drain(false, noon()).edges[0].counts;
    assert_eq!((counts.bytes_sent, counts.bytes_received), (12, 3));
}

#[test]
fn equal_processes_and_verdicts_stand_in_one_row() {
    let mut tally = tally(TallyLimits::default());
    for cookie in 0..100 {
        let mut flow = flow(cookie);
        // As a server that forks for every connection has it.
        flow.process =
            Some(Shared::new(Process { pid: cookie as u32, ..Process::clone(&process("/bin/x")) }));
        tally.flow(&change(ChangeKind::Opened, &flow), noon());
    }
    let batch = tally.drain(false, noon());
    assert_eq!(batch.edges.len(), 1);
    assert_eq!(batch.edges[0].counts.opened, 100);
}

#[test]
fn mapped_addresses_are_those_of_their_family() {
    let mut tally = tally(TallyLimits::default());
    for (cookie, ip) in [(1, "10.0.0.2"), (2, "::ffff:10.0.0.2")] {
        let peer = Endpoint::new(ip.parse().expect("address"), 1);
        tally.flow(&change(ChangeKind::Opened, &Flow { peer, ..flow(cookie) }), noon());
    }
    let batch = tally.drain(false, noon());
    assert_eq!(batch.edges.len(), 1);
    assert_eq!(batch.edges[0].key.peer.to_string(), "10.0.0.2/32");
}

#[test]
fn a_reload_of_the_same_policy_goes_on_in_the_same_rows() {
    let mut tally = tally(TallyLimits::default());
    tally.flow(&change(ChangeKind::Opened, &flow(1)), noon());
    let digest: Arc<str> = "sha256:1".into();
    tally.set_policy(Some(&digest), ports().into_iter().rev());
    tally.flow(&change(ChangeKind::Opened, &Flow { port_index: Some(1), ..flow(2) }), noon());
    tally.set_policy(Some(&"sha256:2".into()), ports());
    tally.flow(&change(ChangeKind::Opened, &flow(3)), noon());
    let batch = tally.drain(false, noon());
    let rows: Vec<_> =
        batch.edges.iter().map(|edge| (edge.key.policy.as_deref(), edge.counts.opened)).collect();
    assert_eq!(rows, [(Some("sha256:1"), 2), (Some("sha256:2"), 1)]);
}
