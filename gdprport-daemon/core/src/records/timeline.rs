//! An activity in the course of the period: its rows by day, its bytes by hour, and how long of each hour it was watched.
//!
//! Days are the rows' own: their sums are those of the record. Hours are counted beside the rows, and are kept only where they
//! have the same sums.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::model::{DayOf, HourOf, Outcomes, Rows, Timeline, Volume, WatchedHours};
use crate::ledger::Edge;

/// Seconds of a day, in UTC.
const DAY_S: u32 = 86_400;

/// Bytes sent and received by hour.
pub(super) type Bytes = BTreeMap<Timestamp, (u64, u64)>;

/// Of rows, of bytes by hour, and of the seconds watched.
pub(super) fn timeline<'e>(
    rows: impl Iterator<Item = (i64, &'e Edge)>,
    bytes: &Bytes,
    watched: &[WatchedHours],
) -> Timeline {
    let mut days: BTreeMap<Date, DayOf> = BTreeMap::new();
    for (number, edge) in rows {
        let day = days.entry(edge.day).or_insert_with(|| nothing_on(edge.day));
        let volume = Volume::of(edge);
        day.volume.add(&volume);
        let outcome = day.outcomes.of_mut(edge.key.verdict.outcome());
        *outcome = outcome.saturating_add(volume.flows);
        day.rows.0.push(number);
    }
    let mut by_day: BTreeMap<i64, u32> = BTreeMap::new();
    for (hour, seconds) in watched.iter().copied().flat_map(WatchedHours::each) {
        let day = by_day.entry(hour.div_euclid(24)).or_default();
        *day = day.saturating_add(seconds).min(DAY_S);
    }
    for (day, watched_s) in by_day {
        // No ledger is of a day that no calendar has.
        let Ok(begin) = Timestamp::from_second(day.saturating_mul(DAY_S.into())) else { continue };
        let day = day_of(begin);
        days.entry(day).or_insert_with(|| nothing_on(day)).watched_s = watched_s;
    }
    for day in days.values_mut() {
        day.rows.0.sort_unstable();
        day.rows.0.dedup();
    }
    let hours = if is_same(&days, bytes) {
        bytes
            .iter()
            .map(|(hour, (sent, received))| HourOf { hour: *hour, sent: *sent, received: *received })
            .collect()
    } else {
        Vec::new()
    };
    Timeline { days: days.into_values().collect(), hours, watched: watched.to_vec() }
}

/// Each hour once, ascending: of several numbers of a declaration the one that was watched longest counts.
pub(super) fn each_once(mut watched: Vec<WatchedHours>) -> Vec<WatchedHours> {
    watched.sort_unstable();
    watched.dedup();
    let is_once = |pair: &[WatchedHours]| pair[0].first.saturating_add(pair[0].hours.into()) <= pair[1].first;
    if watched.windows(2).all(is_once) {
        return watched;
    }
    let mut hours: BTreeMap<i64, u32> = BTreeMap::new();
    for (hour, seconds) in watched.iter().copied().flat_map(WatchedHours::each) {
        let most = hours.entry(hour).or_default();
        *most = (*most).max(seconds);
    }
    let mut watched: Vec<WatchedHours> = Vec::new();
    for (first, seconds) in hours {
        match watched.last_mut() {
            Some(of) if of.seconds == seconds && of.first + i64::from(of.hours) == first => of.hours += 1,
            _ => watched.push(WatchedHours { first, hours: 1, seconds }),
        }
    }
    watched
}

/// Seconds of these in all.
pub(super) fn watched_s(watched: &[WatchedHours]) -> u64 {
    watched.iter().map(|of| u64::from(of.hours) * u64::from(of.seconds)).fold(0, u64::saturating_add)
}

fn nothing_on(day: Date) -> DayOf {
    DayOf {
        day,
        volume: Volume::default(),
        outcomes: Outcomes::default(),
        watched_s: 0,
        rows: Rows::default(),
    }
}

/// The day of a moment, in UTC.
fn day_of(at: Timestamp) -> Date {
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

/// Whether the hours have the bytes of the days.
fn is_same(days: &BTreeMap<Date, DayOf>, bytes: &Bytes) -> bool {
    let mut of_hours: BTreeMap<Date, (u64, u64)> = BTreeMap::new();
    for (hour, (sent, received)) in bytes {
        let day = of_hours.entry(day_of(*hour)).or_default();
        *day = (day.0.saturating_add(*sent), day.1.saturating_add(*received));
    }
    let of_days = days.iter().map(|(day, of)| (*day, (of.volume.sent, of.volume.received)));
    let is_moved = |(_, bytes): &(Date, (u64, u64))| *bytes != (0, 0);
    of_hours.into_iter().filter(is_moved).eq(of_days.filter(is_moved))
}
