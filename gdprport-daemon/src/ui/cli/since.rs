//! Since when the past is asked for: a duration or a day.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Since {
    /// So long ago.
    Ago(Duration),
    /// From this moment on.
    At(Timestamp),
}

/// The past was asked for from a moment on that has not come yet: wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{option} {at:.0} has not come yet: name a day or time before now, or a duration such as 7d")]
pub(in crate::ui) struct NotYet {
    option: &'static str,
    at: Timestamp,
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(ago) = humantime::parse_duration(text) {
            return if ago.is_zero() {
                Err("no time at all is no period".to_owned())
            } else {
                Ok(Self::Ago(ago))
            };
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let day = text.parse::<Date>().ok().and_then(|day| Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
        day.map(Self::At).ok_or_else(|| {
            "write a duration such as 7d or 12h, a day such as 2026-11-01 (in UTC), or a time such as \
             2026-11-01T08:00:00Z"
                .to_owned()
        })
    }
}

impl Since {
    /// The moment that it means.
    ///
    /// # Errors
    /// If it has not come yet.
    pub(in crate::ui) fn moment(self, now: Timestamp) -> Result<Timestamp, NotYet> {
        self.moment_of("--since", now)
    }

    /// The same for another option.
    ///
    /// # Errors
    /// If it has not come yet.
    pub(in crate::ui) fn moment_of(self, option: &'static str, now: Timestamp) -> Result<Timestamp, NotYet> {
        match self {
            Self::At(at) if at > now => Err(NotYet { option, at }),
            Self::At(at) => Ok(at),
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                Ok(now.checked_sub(ago).unwrap_or(Timestamp::MIN))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_a_day_and_a_time_are_moments() {
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().expect("a time");
        for (text, moment) in [
            ("7d", "2026-11-22T12:00:00Z"),
            ("36h", "2026-11-28T00:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T08:00:00+01:00", "2026-11-01T07:00:00Z"),
        ] {
            let since: Since = text.parse().expect(text);
            assert_eq!(since.moment(now).expect("past"), moment.parse().expect("a time"), "{text}");
        }
        let long: Since = "999999999999y".parse().unwrap_or(Since::Ago(Duration::MAX));
        assert_eq!(long.moment(now).expect("past"), Timestamp::MIN);
        for wrong in ["", "7", "yesterday", "2026-13-01", "0s", "-1d"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
        let tomorrow: Since = "2026-11-30".parse().expect("a day");
        assert!(tomorrow.moment(now).is_err());
    }
}
