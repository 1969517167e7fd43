//! One row in one hour, and which hour and day a time is of.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::ledger::{Counts, EdgeKey};

/// An hour by the wall clock: since 1970.
pub(super) type Hour = i64;

/// The hour of a time.
pub(super) fn hour_of(time: Timestamp) -> Hour {
    time.as_second().div_euclid(3_600)
}

/// When an hour begins.
pub(super) fn begin_of(hour: Hour) -> Timestamp {
    Timestamp::from_second(hour * 3_600).unwrap_or(Timestamp::MIN)
}

/// The day of an hour, in UTC.
pub(super) fn day_of(hour: Hour) -> Date {
    TimeZone::UTC.to_datetime(begin_of(hour)).date()
}

/// One row in one hour.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: EdgeKey,
    pub(super) hour: Hour,
    /// The key and the day by value, the same for all hours of the day and for as long as the tally lives; never 0.
    pub(super) name: u64,
    pub(super) counts: Counts,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Whether it was counted in since the last drain.
    pub(super) touched: bool,
}
