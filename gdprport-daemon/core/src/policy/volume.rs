//! How much a rule may move, and in which time: the value of `volume`.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::figures;

const HOUR_S: i64 = 3_600;
/// 1970-01-05, the first Monday that counts.
const MONDAY_S: i64 = 4 * 24 * HOUR_S;

/// How much a rule may move in each window, both ways and all its flows together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct VolumeLimit {
    /// The window.
    pub per: Window,
    /// Application bytes, at least 1.
    pub max: u64,
}

/// A window by the clock, in UTC: whole hours, as the ledger counts. Hours divide the day, a week begins on Monday (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Window {
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// Two hours.
    #[serde(rename = "2h")]
    TwoHours,
    /// Three hours.
    #[serde(rename = "3h")]
    ThreeHours,
    /// Four hours.
    #[serde(rename = "4h")]
    FourHours,
    /// Six hours.
    #[serde(rename = "6h")]
    SixHours,
    /// Eight hours.
    #[serde(rename = "8h")]
    EightHours,
    /// Twelve hours.
    #[serde(rename = "12h")]
    HalfDay,
    /// A day.
    #[serde(rename = "1d")]
    Day,
    /// A week.
    #[serde(rename = "7d")]
    Week,
}

impl Window {
    /// All, the shortest first.
    pub const ALL: [Self; 9] = [
        Self::Hour,
        Self::TwoHours,
        Self::ThreeHours,
        Self::FourHours,
        Self::SixHours,
        Self::EightHours,
        Self::HalfDay,
        Self::Day,
        Self::Week,
    ];

    /// As a policy writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::TwoHours => "2h",
            Self::ThreeHours => "3h",
            Self::FourHours => "4h",
            Self::SixHours => "6h",
            Self::EightHours => "8h",
            Self::HalfDay => "12h",
            Self::Day => "1d",
            Self::Week => "7d",
        }
    }

    const fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::TwoHours => 2,
            Self::ThreeHours => 3,
            Self::FourHours => 4,
            Self::SixHours => 6,
            Self::EightHours => 8,
            Self::HalfDay => 12,
            Self::Day => 24,
            Self::Week => 7 * 24,
        }
    }

    /// The window that a time is in: from its begin to the begin of the next one.
    #[must_use]
    pub fn around(self, at: Timestamp) -> (Timestamp, Timestamp) {
        let length = self.hours() * HOUR_S;
        let second = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
        let begin = (second - MONDAY_S).div_euclid(length) * length + MONDAY_S;
        let time = |second| Timestamp::from_second(second).ok();
        (time(begin).unwrap_or(Timestamp::MIN), time(begin + length).unwrap_or(Timestamp::MAX))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl VolumeLimit {
    /// As a policy writes it, exactly.
    #[must_use]
    pub fn written(&self) -> String {
        let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let whole = units.into_iter().find(|(_, bits)| self.max.trailing_zeros() >= *bits);
        let (unit, bits) = whole.unwrap_or(("B", 0));
        format!("{{ per = \"{}\", max = \"{}{unit}\" }}", self.per, self.max >> bits)
    }
}

impl fmt::Display for VolumeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", figures::bytes(self.max), self.per)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn windows_go_by_the_clock_in_utc() {
        for (per, at, from, to) in [
            (Window::Hour, "2026-11-29T21:59:59.9Z", "2026-11-29T21:00:00Z", "2026-11-29T22:00:00Z"),
            (Window::ThreeHours, "2026-11-29T21:00:00Z", "2026-11-29T21:00:00Z", "2026-11-30T00:00:00Z"),
            (Window::HalfDay, "2026-11-29T11:59:00Z", "2026-11-29T00:00:00Z", "2026-11-29T12:00:00Z"),
            (Window::Day, "2026-11-29T23:30:00+02:00", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Window::Week, "2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Window::Week, "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"),
            (Window::Day, "1969-12-31T23:59:59.5Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(per.around(time(at)), (time(from), time(to)), "{per} at {at}");
        }
    }

    #[test]
    fn a_limit_is_written_without_loss() {
        let written = |max| VolumeLimit { per: Window::Day, max }.written();
        assert_eq!(written(50 << 30), "{ per = \"1d\", max = \"50GiB\" }");
        assert_eq!(written((1 << 30) + 1), "{ per = \"1d\", max = \"1073741825B\" }");
        assert_eq!(written(1536 << 10), "{ per = \"1d\", max = \"1536KiB\" }");
    }
}
