//! An activity in the course of the period: its rows by day, its bytes by hour, and how long of each hour it was watched.
//!
//! Days are the rows' own: their sums are those of the record. Hours are counted beside the rows, and are kept only where they
//! have the same sums.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::model::{DayOf, HourOf, Outcomes, Rows, Timeline, Volume};
use crate::ledger::Edge;

/// Seconds of an hour.
pub(super) const HOUR_S: i64 = 3_600;

/// Bytes sent and received by hour.
pub(super) type Bytes = BTreeMap<Timestamp, (u64, u64)>;

/// Of rows, of bytes by hour, and of the seconds watched.
pub(super) fn timeline<'e>(
    rows: impl Iterator<Item = (i64, &'e Edge)>,
    bytes: &Bytes,
    watched: &BTreeMap<Timestamp, u64>,
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
    for (hour, seconds) in watched {
        let day = days.entry(day_of(*hour)).or_insert_with(|| nothing_on(day_of(*hour)));
        day.watched_s = day.watched_s.saturating_add(u32::try_from(*seconds).unwrap_or(u32::MAX)).min(86_400);
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
    let watched =
        watched.iter().map(|(hour, seconds)| (*hour, u32::try_from(*seconds).unwrap_or(u32::MAX))).collect();
    Timeline { days: days.into_values().collect(), hours, watched }
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
