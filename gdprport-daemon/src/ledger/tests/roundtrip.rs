//! What was offered is what a reader gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gdprport_core::event::{Bound, Gap};
use gdprport_core::ledger::{Batch, CoverageDelta, CoverageHours, Entry, PortKey, VolumeHour};
use gdprport_core::model::Direction;

use super::super::{Ledger, LedgerState, Reader, Settings};
use super::samples::{at, batch, began, edge, port};
use super::scene::Scene;

#[test]
fn what_was_offered_is_what_a_reader_gets() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    let ledger = Ledger::open(Settings::new(&path)).expect("nobody else writes it");
    let first = edge("10.0.0.1", 5, 2);
    ledger.offer(began(1, "r1", "b1")).expect("room");
    ledger.offer(batch(6, vec![first.clone(), edge("10.0.0.2", 5, 1)])).expect("room");
    let snapshot = ledger.finish(Instant::now() + Duration::from_secs(10));
    assert_eq!(
        (&snapshot.state, snapshot.batches, snapshot.rows, snapshot.waiting),
        (&LedgerState::Ok, 2, 2, 0)
    );

    let reader = Reader::open(&path).expect("there is one");
    let observed = reader.observed(at(0), at(60)).expect("an answer");
    assert_eq!(observed.edges[0], first);
    assert_eq!(observed.edges.len(), 2);
    assert_eq!((&*observed.runs[0].run, observed.runs[0].to), ("r1", at(6)));
}

#[test]
fn hours_gaps_and_notes_are_what_a_reader_gets() {
    let scene = Scene::new();
    let hour = |of: i64, watched_s, flows| {
        let volume = VolumeHour {
            hour: at(of * 3_600),
            port: port(),
            direction: Direction::Out,
            rule: (of == 1).then(|| "app".into()),
            flows,
            bytes_sent: 5,
            bytes_received: 7,
        };
        let coverage = CoverageDelta { hour: at(of * 3_600), port: port(), watched_s, seen: flows, lost: 1 };
        Batch { until: at(of * 3_600), coverage: vec![coverage], volume: vec![volume], ..Batch::default() }
    };
    let growing = |lost| {
        let gap = Gap {
            from: at(5),
            to: at(6),
            lost,
            bound: Some(Bound::AtMost),
            summed: None,
            reason: "sink:file".into(),
        };
        Batch { until: at(9_000), entries: vec![Entry::Gap(gap)], ..Batch::default() }
    };
    scene.written(vec![
        began(0, "r", "b"),
        hour(0, 3_000, 4),
        hour(0, 3_000, 4),
        hour(1, 60, 2),
        growing(1),
        growing(3),
    ]);
    let all = scene.all();
    let coverage: Vec<_> =
        all.coverage.iter().map(|hour| (hour.hour, hour.watched_s, hour.seen, hour.lost)).collect();
    assert_eq!(coverage, [(at(0), 3_600, 8, 2), (at(3_600), 60, 2, 1)], "an hour has no more seconds");
    let volume: Vec<_> = all
        .volume
        .iter()
        .map(|hour| (hour.hour, hour.rule.as_deref(), hour.flows, hour.bytes_sent))
        .collect();
    assert_eq!(volume, [(at(0), None, 8, 10), (at(3_600), Some("app"), 2, 5)]);
    let gaps: Vec<_> = all.gaps.iter().map(|gap| (gap.from, gap.to, gap.lost, gap.bound)).collect();
    assert_eq!(gaps, [(at(5), at(6), 3, Some(Bound::AtMost))], "of one that grows the last one counts");
    let of_one_hour = scene.reader().observed(at(3_700), at(3_800)).expect("an answer");
    assert_eq!((of_one_hour.coverage.len(), of_one_hour.volume.len(), of_one_hour.gaps.len()), (1, 1, 0));
}

/// A million hours are not kept one by one: those that were watched alike are one, and nothing of them is lost.
#[test]
fn hours_that_were_watched_alike_are_read_as_one() {
    let scene = Scene::new();
    let other = Arc::new(PortKey { name: "mail".into(), number: 25, declared: true });
    let hour = |of: i64, port: &Arc<PortKey>, watched_s, lost| CoverageDelta {
        hour: at(of * 3_600),
        port: Arc::clone(port),
        watched_s,
        seen: 2,
        lost,
    };
    let orders = port();
    let watched = |of: i64| match of {
        3 => vec![hour(3, &other, 3_600, 0)],
        5 => vec![hour(5, &orders, 3_600, 7), hour(5, &other, 60, 0)],
        of => vec![hour(of, &orders, 3_600, 0), hour(of, &other, 3_600, 0)],
    };
    let coverage = (0..8).flat_map(watched).collect();
    scene.written(vec![began(0, "r", "b"), Batch { until: at(8 * 3_600), coverage, ..Batch::default() }]);
    let all = scene.all().coverage;
    let of = |port: &PortKey| -> Vec<_> {
        let of = all.iter().filter(|of| *of.port == *port);
        of.map(|of| (of.hour, of.hours, of.watched_s, of.seen, of.lost)).collect()
    };
    assert_eq!(
        of(&orders),
        [
            (at(0), 3, 3_600, 6, 0),
            (at(4 * 3_600), 1, 3_600, 2, 0),
            (at(5 * 3_600), 1, 3_600, 2, 7),
            (at(6 * 3_600), 2, 3_600, 4, 0),
        ]
    );
    assert_eq!(
        of(&other),
        [(at(0), 5, 3_600, 10, 0), (at(5 * 3_600), 1, 60, 2, 0), (at(6 * 3_600), 2, 3_600, 4, 0)]
    );
    let each: Vec<_> = all.iter().filter(|of| *of.port == *other).flat_map(CoverageHours::each).collect();
    assert_eq!(each, (0..8).map(|of| at(of * 3_600)).collect::<Vec<_>>());
}

#[test]
fn counts_that_are_too_large_saturate() {
    let scene = Scene::new();
    let mut most = edge("10.0.0.1", 1, 1);
    most.counts.bytes_sent = u64::MAX;
    most.counts.flows = u64::MAX / 4;
    most.counts.moved = u64::MAX / 4;
    scene.written((0..4).map(|_| batch(1, vec![most.clone()])).collect());
    let counts = scene.all().edges[0].counts;
    let largest = u64::try_from(i64::MAX).expect("positive");
    assert_eq!((counts.bytes_sent, counts.flows, counts.opened), (largest, largest, 4));
    assert_eq!(counts.moved, largest);
}

/// A flow may have been counted in a ledger before this one, and go on to another row now.
#[test]
fn no_more_flows_leave_a_row_than_came() {
    let scene = Scene::new();
    let moved = |moved, flows| {
        let mut edge = edge("10.0.0.1", 1, flows);
        edge.counts.moved = moved;
        batch(1, vec![edge])
    };
    let stored = |batches| {
        scene.written(batches);
        let counts = scene.all().edges[0].counts;
        (counts.flows, counts.moved, counts.standing())
    };
    assert_eq!(stored(vec![moved(1, 0)]), (0, 0, 0));
    assert_eq!(stored(vec![moved(0, 3), moved(2, 0)]), (3, 2, 1));
    assert_eq!(stored(vec![moved(5, 1)]), (4, 4, 0));
    scene.sql().execute_batch("UPDATE edge SET moved = 99").expect("it can be changed");
    assert_eq!(scene.all().edges[0].counts.moved, 4, "whoever wrote it");
}
