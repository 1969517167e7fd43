//! What finds no room is counted, and time that was watched is never more than there was.

use std::time::Duration;

use super::*;
use crate::event::Gap;
use crate::ledger::{Entry, ListenerEvent};
use crate::listener::Listener;

#[test]
fn what_finds_no_room_is_lost_and_counted_by_port() {
    let mut tally = tally(TallyLimits { rows: 2, ..TallyLimits::default() });
    for cookie in 0..5_u8 {
        let peer = Endpoint::new([10, 0, 0, cookie].into(), 40_000);
        tally.flow(&change(ChangeKind::Opened, &Flow { peer, ..flow(cookie.into()) }), noon());
    }
    assert_eq!(tally.lost(), 3);
    let batch = tally.drain(false, noon());
    assert_eq!(batch.edges.len(), 2);
    assert_eq!((batch.coverage[0].seen, batch.coverage[0].lost), (2, 3));
    // Drained, there is room, and what was not counted of a flow is counted with its next change.
    let peer = Endpoint::new([10, 0, 0, 4].into(), 40_000);
    let closed = with_bytes(&Flow { peer, ..flow(4) }, 8, 0);
    tally.flow(&change(ChangeKind::Closed, &closed), noon());
    let counts = tally.drain(false, noon()).edges[0].counts;
    assert_eq!((counts.flows, counts.closed, counts.bytes_sent), (1, 1, 8));
}

#[test]
fn rows_that_nobody_touches_make_room_for_others() {
    let mut tally = tally(TallyLimits { rows: 2, ..TallyLimits::default() });
    for round in 0..10_u8 {
        for peer in [2 * round, 2 * round + 1] {
            let peer = Endpoint::new([10, 0, 0, peer].into(), 40_000);
            tally.flow(&change(ChangeKind::Opened, &Flow { peer, ..flow(1) }), noon());
        }
        assert_eq!(tally.drain(false, noon()).edges.len(), 2);
    }
    assert_eq!(tally.lost(), 0);
}

#[test]
fn names_of_any_length_are_bounded() {
    let mut tally = tally(TallyLimits::default());
    let mut lost = 0;
    for number in 0..20_000_u64 {
        let exe = format!("/{number}/{}", "x".repeat(4_000));
        tally.flow(
            &change(ChangeKind::Opened, &Flow { process: Some(process(&exe)), ..flow(number) }),
            noon(),
        );
        if number % 4_096 == 4_095 {
            lost = tally.lost();
            let _ = tally.drain(false, noon());
        }
    }
    assert!(lost > 0 && tally.lost() < 20_000, "{lost} {}", tally.lost());
}

#[test]
fn listeners_and_entries_are_bounded_and_gaps_grow_together() {
    let mut tally = tally(TallyLimits::default());
    let listener = Listener {
        cookie: 1,
        local: Endpoint::new([127, 0, 0, 1].into(), 5432),
        process: None,
        verdict: Verdict::Declared { rule: "listen".into() },
        opened_ns: None,
        netns_cookie: 0,
        found: false,
        would_deny: false,
    };
    for _ in 0..70_000 {
        tally.listener(&listener, 0, ListenerEvent::Opened, noon());
    }
    let lost = tally.lost();
    assert_eq!(lost, 70_000 - 65_536);
    for _ in 0..5_000 {
        let gap = Gap {
            from: noon(),
            to: noon(),
            lost: 1,
            bound: None,
            summed: None,
            reason: "ring-full:accept".into(),
        };
        tally.enter(Entry::Gap(gap));
    }
    assert_eq!(tally.lost(), lost);
    let batch = tally.drain(false, noon());
    let gaps = batch.entries.iter().map(|entry| match entry {
        Entry::Gap(gap) => gap.lost,
        _ => 0,
    });
    assert_eq!((batch.entries.len(), gaps.sum::<u64>()), (1_024, 5_000));
}

#[test]
fn every_second_watched_is_of_one_hour_of_every_port() {
    let mut tally = tally(TallyLimits::default());
    let second = Duration::from_millis(1_003);
    let mut now = time("2026-11-29T11:58:00.5Z");
    for _ in 0..240 {
        now += second;
        tally.watched(second, now);
    }
    let batch = tally.drain(true, now);
    let hours: Vec<_> = batch.coverage.iter().map(|c| (c.hour, c.port.number, c.watched_s)).collect();
    let (eleven, twelve) = (time("2026-11-29T11:00:00Z"), time("2026-11-29T12:00:00Z"));
    assert_eq!(hours, [(eleven, 5432, 119), (eleven, 6379, 119), (twelve, 5432, 121), (twelve, 6379, 121)]);
    // The clock is set: time that did not pass is not claimed.
    for jump in ["2026-12-24T12:00:00Z", "2026-01-01T12:00:00Z"] {
        tally.watched(second, time(jump));
    }
    let watched: u32 = tally.drain(true, now).coverage.iter().map(|delta| delta.watched_s).sum();
    assert_eq!(watched, 4);
}
