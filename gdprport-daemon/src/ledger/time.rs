//! Times and days as the database keeps them: microseconds and days since 1970, UTC.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, Unit};

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// Seconds of a day, in UTC.
const DAY_S: i64 = 86_400;
/// 1970-01-01.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Microseconds since 1970.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A time of the database. What is out of range, which only a damaged database says, is the nearest time that is not.
pub(super) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Days since 1970.
pub(super) fn day_number(day: Date) -> i64 {
    EPOCH.until((Unit::Day, day)).map_or(0, |span| i64::from(span.get_days()))
}

/// A day of the database, or the nearest that there is.
pub(super) fn date(day: i64) -> Date {
    let bound = if day < 0 { Date::MIN } else { Date::MAX };
    i32::try_from(day).ok().and_then(|day| EPOCH.checked_add(day.days()).ok()).unwrap_or(bound)
}

/// The day of a time.
pub(super) fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY_S)
}

/// When a day begins.
pub(super) fn begin_of_day(day: i64) -> i64 {
    day.saturating_mul(DAY_S * 1_000_000)
}

/// The hour of a time, as seconds since 1970.
pub(super) fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR_S) * HOUR_S
}

/// An hour of the database.
pub(super) fn hour(seconds: i64) -> Timestamp {
    timestamp(seconds.saturating_mul(1_000_000))
}

/// Seconds since 1970 of the hours that a day begins and ends with; the end is not in it.
pub(super) const fn hours_of_day(day: i64) -> (i64, i64) {
    (day.saturating_mul(DAY_S), day.saturating_add(1).saturating_mul(DAY_S))
}
