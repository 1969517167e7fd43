//! What was not watched of a period. That nothing was seen then says nothing, so it never looks like it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::axis::Axis;
use crate::records::{About, Activity, WatchedHours};

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;

/// Why a time was not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The ledger begins later.
    BeforeLedger,
    /// No daemon ran, or it did not watch these ports.
    NotWatched,
}

/// A time that was not watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unwatched {
    /// Where it begins, from 0 to 1.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Why.
    pub why: Why,
}

/// Seconds that were watched of each hour (by its begin), of whichever activity was watched longest.
pub(super) fn watched(activities: &[&Activity]) -> BTreeMap<i64, i64> {
    // Ports are watched together: most of them in the same hours, for as long.
    let alike: BTreeSet<WatchedHours> =
        activities.iter().flat_map(|activity| &activity.timeline.watched).copied().collect();
    let mut hours: BTreeMap<i64, i64> = BTreeMap::new();
    for (hour, seconds) in alike.into_iter().flat_map(WatchedHours::each) {
        let hour = hours.entry(hour.saturating_mul(HOUR_S)).or_default();
        *hour = (*hour).max(i64::from(seconds).min(HOUR_S));
    }
    hours
}

/// The times that were not watched, ascending, which touch nowhere. Of an hour that was watched in part it is not known which part:
/// what was not stands at its end.
pub(super) fn unwatched(axis: &Axis, about: &About, hours: &BTreeMap<i64, i64>) -> Vec<Unwatched> {
    let (from, to) = (axis.seconds().0, axis.to());
    let begin = about.from.as_second().clamp(from, to);
    let mut spans: Vec<(i64, i64, Why)> = vec![(from, begin, Why::BeforeLedger)];
    let mut known = begin;
    let mut add = |from: i64, to: i64| match spans.last_mut() {
        Some(last) if last.2 == Why::NotWatched && last.1 == from => last.1 = to,
        _ => spans.push((from, to, Why::NotWatched)),
    };
    for (hour, seconds) in hours.range(begin - HOUR_S + 1..to) {
        let end = (hour + HOUR_S).min(to);
        add(known, (*hour).max(known));
        // The hours in which the ledger begins and the period ends cannot be watched whole.
        add((hour.max(&known) + seconds).min(end), end);
        known = end;
    }
    add(known, to);
    let part = |second: i64| Timestamp::from_second(second).map_or(1.0, |at| axis.part(at));
    spans
        .into_iter()
        .filter(|(from, to, _)| from < to)
        .map(|(from, to, why)| Unwatched { from: part(from), to: part(to), why })
        .collect()
}
