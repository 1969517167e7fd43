//! One row in one hour, where a flow stands, and which hour and day a time is of.

use std::sync::Arc;

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

/// A row of a day. It outlives the rows that are added up: flows stand in it.
#[derive(Debug)]
pub(super) struct DayRow {
    pub(super) key: EdgeKey,
    pub(super) day: Date,
    /// The key and the day by value, the same for all hours of the day and for as long as the tally lives.
    pub(super) name: u64,
}

/// One row in one hour.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) of: Arc<DayRow>,
    pub(super) hour: Hour,
    pub(super) counts: Counts,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Whether it was counted in since the last drain.
    pub(super) touched: bool,
}

/// The row in which a flow was counted last.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) row: Arc<DayRow>,
    /// Where it is added up, while the rows are those of this generation.
    pub(super) index: u32,
    pub(super) generation: u32,
}
