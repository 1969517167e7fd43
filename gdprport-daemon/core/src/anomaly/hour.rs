//! Hours since 1970. In UTC only: where summer time moves a job by an hour, its neighbours are compared too.

use jiff::Timestamp;

const HOUR_S: i64 = 3_600;

/// An hour: its number since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    /// Hours of a week.
    pub const WEEK: usize = 168;

    /// The hour of this number since 1970.
    #[cfg(test)]
    pub(super) const fn of_1970(number: i64) -> Self {
        Self(number)
    }

    /// The hour that a time lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(HOUR_S))
    }

    /// When it begins.
    #[must_use]
    pub fn begin(self) -> Timestamp {
        let bound = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_second(self.0.saturating_mul(HOUR_S)).unwrap_or(bound)
    }

    /// So many hours later, or earlier.
    #[must_use]
    pub const fn plus(self, hours: i64) -> Self {
        Self(self.0.saturating_add(hours))
    }

    /// How many hours it is after another; negative: before.
    #[must_use]
    pub const fn since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// Its place in a week that begins on a Thursday, as 1970 did.
    #[must_use]
    pub fn of_week(self) -> usize {
        usize::try_from(self.0.rem_euclid(168)).unwrap_or(0)
    }

    /// Its place in the day.
    #[must_use]
    pub fn of_day(self) -> usize {
        usize::try_from(self.0.rem_euclid(24)).unwrap_or(0)
    }
}
