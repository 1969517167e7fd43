//! The axis of time: the period in slots of equal length, which are added up.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::records::About;

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// Seconds of a day, in UTC.
const DAY_S: i64 = 86_400;
/// Days that are shown by hour, at most.
const BY_HOUR: i64 = 3;
/// Slots of an axis, at most. More are too narrow to be told apart on paper.
const MOST: i64 = 124;

/// How long a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An hour.
    Hour,
    /// So many days, at least one.
    Days(i64),
}

impl Step {
    /// Its length.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Hour => HOUR_S,
            Self::Days(days) => days * DAY_S,
        }
    }
}

/// The axis of a period. It begins with a day (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Its begin, in seconds since 1970.
    from: i64,
    /// The end of the period. The last slot may reach beyond it.
    to: i64,
    step: Step,
    slots: usize,
}

impl Axis {
    /// Of a record. By hour if the period is short and there are hours, else by as few days as fit.
    #[must_use]
    pub fn of(about: &About, has_hours: bool) -> Self {
        // No ledger is older than Linux.
        let from = about.asked.as_second().max(0).div_euclid(DAY_S) * DAY_S;
        let to = about.to.as_second().max(from + 1);
        let days = (to - from).div_euclid(DAY_S) + i64::from((to - from).rem_euclid(DAY_S) > 0);
        let step = if has_hours && days <= BY_HOUR {
            Step::Hour
        } else {
            let days_of_slot = [1, 7, 28].into_iter().find(|step| days <= step * MOST);
            Step::Days(days_of_slot.unwrap_or_else(|| days / (28 * MOST) * 28 + 28))
        };
        let seconds = step.seconds();
        let slots = (to - from).div_euclid(seconds) + i64::from((to - from).rem_euclid(seconds) > 0);
        Self { from, to, step, slots: usize::try_from(slots).unwrap_or(1) }
    }

    /// How long its slots are.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// How many slots it has, at least one.
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.slots
    }

    /// When a slot begins.
    #[must_use]
    pub fn begin(&self, slot: usize) -> Timestamp {
        let slot = i64::try_from(slot).unwrap_or(i64::MAX);
        let second = self.from.saturating_add(slot.saturating_mul(self.step.seconds()));
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }

    /// The seconds of a slot that are in the period.
    #[must_use]
    pub fn length_s(&self, slot: usize) -> u64 {
        let begin = self.begin(slot).as_second();
        u64::try_from(self.to.min(begin.saturating_add(self.step.seconds())) - begin).unwrap_or(0)
    }

    /// The slot that a moment is in. What is beyond either end is in the first or last one, so that no sum loses it.
    #[must_use]
    pub fn slot(&self, at: Timestamp) -> usize {
        let slot = (at.as_second() - self.from).div_euclid(self.step.seconds());
        usize::try_from(slot).unwrap_or(0).min(self.slots - 1)
    }

    /// The slot that a day is in, or begins in.
    #[must_use]
    pub fn slot_of_day(&self, day: Date) -> usize {
        let at = Offset::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight()));
        at.map_or(if day.year() < 1970 { 0 } else { self.slots - 1 }, |at| self.slot(at))
    }

    /// Where a moment is, from 0 at the begin to 1 at the end of the last slot.
    #[must_use]
    pub fn part(&self, at: Timestamp) -> f64 {
        self.part_of(at.as_second())
    }

    /// Where the period ends.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.part_of(self.to)
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact in a float")]
    fn part_of(&self, second: i64) -> f64 {
        let slots = i64::try_from(self.slots).unwrap_or(i64::MAX);
        let length = self.step.seconds().saturating_mul(slots);
        (second.saturating_sub(self.from) as f64 / length as f64).clamp(0.0, 1.0)
    }

    /// Its begin and the end of its last slot, in seconds since 1970.
    pub(super) fn seconds(&self) -> (i64, i64) {
        (self.from, self.begin(self.slots).as_second())
    }

    /// The end of the period, in seconds since 1970.
    pub(super) const fn to(&self) -> i64 {
        self.to
    }
}
