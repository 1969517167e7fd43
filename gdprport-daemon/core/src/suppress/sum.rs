//! A group that is summed up: its minutes, by which it is known whether it is quiet again, and its periods, each of which
//! ends with a summary.

use jiff::{SignedDuration, Timestamp};

use super::minute::MINUTE;
use super::tally::Tally;
use crate::event::Because;

/// What a declared group is summed up by once it was summed up for as long without a break. Who follows it has seen five
/// summaries by then, and the next ones say the same: a summary has some 1 KB, so that a pool of ten clients would take more
/// than 1 MB an hour.
pub(super) const LONG: SignedDuration = SignedDuration::from_mins(5);

/// What was counted of a group, and since when.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) because: Because,
    /// When it went over.
    pub(super) since: Timestamp,
    /// When the period began.
    pub(super) from: Timestamp,
    /// Of the period.
    pub(super) tally: Tally,
    /// How long the period takes: whole minutes.
    length: SignedDuration,
    /// When the minute began: the one that is judged, the last of the period so far.
    minute: Timestamp,
    /// Events of the period before that minute.
    before: u64,
}

impl Sum {
    /// Goes over at `time`.
    pub(super) const fn new(because: Because, time: Timestamp) -> Self {
        let tally = Tally::new(time);
        Self { because, since: time, from: time, tally, length: MINUTE, minute: time, before: 0 }
    }

    /// When the minute began.
    pub(super) const fn minute(&self) -> Timestamp {
        self.minute
    }

    /// Events of the minute.
    pub(super) const fn of_minute(&self) -> u64 {
        self.tally.events() - self.before
    }

    /// Begins another minute. True if the period is over too, or the clock was set back: counts must not wait until it is
    /// there again.
    pub(super) fn next_minute(&mut self, now: Timestamp) -> bool {
        let is_set_back = now < self.minute;
        (self.minute, self.before) = (now, self.tally.events());
        is_set_back || now.duration_since(self.from) >= self.length
    }

    /// Begins another period, and a minute with it.
    pub(super) fn next_period(&mut self, now: Timestamp, is_declared: bool) {
        // Wherever the clock was set meanwhile.
        let is_long = is_declared && now.duration_since(self.since).abs() >= LONG;
        (self.from, self.minute) = (now, now);
        (self.tally, self.before) = (self.tally.next(), 0);
        self.length = if is_long { LONG } else { MINUTE };
    }
}
