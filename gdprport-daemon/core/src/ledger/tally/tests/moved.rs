//! Each flow of a day stands for good in one row, whatever became known of it and when.

use super::*;
use crate::ledger::{Batch, Counts};
use crate::verdict::Verdict;

/// Of each row of a batch the day, and how many flows came, went on, and stand.
fn rows(batch: &Batch) -> Vec<(i8, u64, u64, u64)> {
    let of = |counts: &Counts| (counts.flows, counts.moved, counts.standing());
    let rows = batch.edges.iter().map(|edge| (edge.day.day(), of(&edge.counts)));
    rows.map(|(day, (flows, moved, stand))| (day, flows, moved, stand)).collect()
}

/// What becomes known of a flow, one after the other.
fn stages() -> [Flow; 4] {
    let nobody = Flow { process: None, ..flow(1) };
    let posture = Posture::new(PostureState::Tls13, "x").into();
    let tls = Flow { posture: Some(posture), ..flow(1) };
    let verdict = Verdict::Declared { rule: "other".into() }.into();
    [nobody, flow(1), tls.clone(), Flow { verdict, ..tls }]
}

#[test]
fn a_flow_stands_in_the_row_that_it_came_to_last() {
    let mut tally = tally(TallyLimits::default());
    let [first, rest @ ..] = stages();
    tally.flow(&change(ChangeKind::Opened, &first), noon());
    for stage in &rest {
        tally.flow(&change(ChangeKind::Updated, stage), noon());
    }
    tally.set_policy(Some(&"sha256:2".into()), ports());
    tally.flow(&change(ChangeKind::Closed, &rest[2]), noon());
    let batch = tally.drain(false, noon());
    assert_eq!(rows(&batch), [(29, 1, 1, 0), (29, 1, 1, 0), (29, 1, 1, 0), (29, 1, 1, 0), (29, 1, 0, 1)]);
    assert!(batch.edges[..4].iter().all(|edge| edge.counts.is_passed_through()));
    assert!(!batch.edges[4].counts.is_passed_through());
}

/// Rows are forgotten once they were drained and are of several hours, or too many.
#[test]
fn a_row_that_was_forgotten_is_left_all_the_same() {
    let mut tally = tally(TallyLimits { rows: 8, ..TallyLimits::default() });
    let [first, second, third, _] = stages();
    tally.flow(&change(ChangeKind::Opened, &first), noon());
    assert_eq!(rows(&tally.drain(false, noon())), [(29, 1, 0, 1)]);
    let later = time("2026-11-29T15:00:00Z");
    for cookie in 10..16 {
        let peer = Endpoint::new([10, 0, 1, cookie as u8].into(), 40_000);
        tally.flow(&change(ChangeKind::Opened, &Flow { peer, ..flow(cookie) }), later);
    }
    let _ = tally.drain(false, later);
    // The row is made again, and another flow stands in it now.
    tally.flow(&change(ChangeKind::Opened, &Flow { cookie: 2, ..first.clone() }), later);
    tally.flow(&change(ChangeKind::Updated, &second), later);
    let batch = tally.drain(false, later);
    assert_eq!(rows(&batch), [(29, 1, 1, 0), (29, 1, 0, 1)]);
    assert_eq!(batch.edges[0].last, later, "until then it was seen there");
    tally.flow(&change(ChangeKind::Updated, &third), later);
    assert_eq!(rows(&tally.drain(false, later)), [(29, 1, 0, 1), (29, 0, 1, 0)]);
    assert_eq!(tally.lost(), 0);
}

#[test]
fn a_row_that_finds_no_room_is_lost_and_counts_twice() {
    let mut tally = tally(TallyLimits { rows: 1, ..TallyLimits::default() });
    let [first, second, ..] = stages();
    tally.flow(&change(ChangeKind::Opened, &first), noon());
    let _ = tally.drain(false, noon());
    tally.flow(&change(ChangeKind::Updated, &second), noon());
    let batch = tally.drain(false, noon());
    assert_eq!(rows(&batch), [(29, 1, 0, 1)]);
    assert_eq!((tally.lost(), batch.coverage[0].lost), (1, 1));
}

#[test]
fn a_flow_that_goes_on_to_another_day_stays_in_the_one_before() {
    let mut tally = tally(TallyLimits::default());
    let [first, second, ..] = stages();
    let (evening, morning) = (time("2026-11-29T23:59:30Z"), time("2026-11-30T00:00:30Z"));
    tally.flow(&change(ChangeKind::Opened, &first), evening);
    tally.flow(&change(ChangeKind::Updated, &second), morning);
    tally.still_open(&second, morning);
    assert_eq!(rows(&tally.drain(false, morning)), [(29, 1, 0, 1), (30, 1, 0, 1)]);
}

/// It is found again where it was evicted, in the same run.
#[test]
fn a_flow_that_comes_back_is_the_same_flow() {
    let mut tally = tally(TallyLimits::default());
    let [first, second, ..] = stages();
    tally.flow(&change(ChangeKind::Opened, &first), noon());
    tally.flow(&change(ChangeKind::Removed(crate::flow::Removal::TableFull), &first), noon());
    tally.flow(&change(ChangeKind::Opened, &Flow { found: true, ..second.clone() }), noon());
    tally.flow(&change(ChangeKind::Closed, &second), noon());
    assert_eq!(rows(&tally.drain(false, noon())), [(29, 1, 1, 0), (29, 1, 0, 1)]);
}

/// What the run before counted is not known: the day has such a flow twice, at most once for each run.
#[test]
fn a_flow_that_was_open_at_a_restart_counts_in_both_runs() {
    let mut standing = 0;
    for found in [false, true] {
        let mut tally = tally(TallyLimits::default());
        tally.flow(&change(ChangeKind::Opened, &Flow { found, ..flow(1) }), noon());
        standing += tally.drain(false, noon()).edges[0].counts.standing();
    }
    assert_eq!(standing, 2);
}
