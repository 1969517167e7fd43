//! What a timestamp's file is called: `20261130T140501Z-41-4812d395`, the time that was signed, the sequence of the checkpoint and the
//! first bytes of its root. So the names alone say which is the latest and which may go. Pure.

use std::fmt;

use gdprport_core::evidence::Hash;
use jiff::{SignedDuration, Timestamp};

/// Characters of a root in hexadecimal that are in a name.
const ROOT: usize = 8;

/// Timestamps that are kept: with one a day, of some 25 years.
const KEPT_MAX: usize = 10_000;

/// All of the last two days are kept, of the last month the last one of each hour, and of the time before the last one of each
/// day. By what they begin with, names are of one hour or day.
const AGES: [(SignedDuration, usize); 2] = [
    (SignedDuration::from_hours(31 * 24), "20261130".len()),
    (SignedDuration::from_hours(48), "20261130T14".len()),
];

/// The name of a timestamp's files, without their endings. They are in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StampName {
    text: String,
    pub(super) time: Timestamp,
    pub(super) sequence: u64,
}

impl StampName {
    /// Of a timestamp and the checkpoint that it is of.
    pub(super) fn new(time: Timestamp, sequence: u64, root: &Hash) -> Self {
        let hex: String = root.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{}-{sequence}-{}", time.strftime("%Y%m%dT%H%M%SZ"), &hex[..ROOT]);
        // To the second, as the name says it.
        let time = Timestamp::from_second(time.as_second()).unwrap_or(time);
        Self { text, time, sequence }
    }

    /// From the name of a file.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (time, sequence, root) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if parts.next().is_some() || root.len() != ROOT || !plain(root) {
            return None;
        }
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
        let time = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?;
        Some(Self { text: text.to_owned(), time, sequence: sequence.parse().ok()? })
    }

    /// Whether it is of the same checkpoint.
    pub(super) fn is_of(&self, sequence: u64, root: &Hash) -> bool {
        self.text == Self::new(self.time, sequence, root).text
    }
}

impl fmt::Display for StampName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Of names in their order, those whose files may go.
pub(super) fn superfluous(names: &[StampName], now: Timestamp) -> Vec<&StampName> {
    let beyond = names.len().saturating_sub(KEPT_MAX);
    let begin = |name: &StampName| {
        let age = now.duration_since(name.time);
        AGES.iter().find(|(least, _)| age > *least).map(|(_, length)| *length)
    };
    let followed = names.windows(2).filter(|pair| {
        begin(&pair[0]).is_some_and(|length| pair[0].text.get(..length) == pair[1].text.get(..length))
    });
    let mut all: Vec<&StampName> = followed.map(|pair| &pair[0]).collect();
    all.extend(&names[..beyond]);
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> StampName {
        StampName::new(time.parse().expect("a time"), 41, &Hash::of(b"x"))
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let name = at("2026-11-30T14:05:01.7Z");
        assert!(name.to_string().starts_with("20261130T140501Z-41-"));
        assert_eq!(StampName::parse(&name.to_string()), Some(name.clone()));
        assert!(name.is_of(41, &Hash::of(b"x")) && !name.is_of(42, &Hash::of(b"x")));
        assert!(!name.is_of(41, &Hash::of(b"y")), "of another log");
        for other in [
            "",
            "20261130T140501Z",
            "20261130T140501Z-41-4812d39",
            "x-41-4812d395",
            "20261130T140501Z-41-4812d395-1",
        ] {
            assert_eq!(StampName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_older_they_are_the_fewer_are_kept() {
        let now = "2026-11-30T12:00:00Z".parse::<Timestamp>().expect("a time");
        let every_ten_minutes = (0..60 * 144).rev().map(|n| now - SignedDuration::from_mins(10 * n));
        let names: Vec<_> = every_ten_minutes.map(|time| StampName::new(time, 7, &Hash::of(b"x"))).collect();
        let gone = superfluous(&names, now);
        let kept: Vec<_> = names.iter().filter(|name| !gone.contains(name)).collect();
        let of = |day: &str| kept.iter().filter(|name| name.text.starts_with(day)).count();
        assert_eq!([of("20261129"), of("20261127"), of("20261015")], [144, 24, 1]);
        let last = kept.iter().find(|name| name.text.starts_with("20261015")).expect("one");
        assert!(last.text.starts_with("20261015T235000Z"), "the last of its day: {last}");
        assert_eq!(kept.last(), names.last().as_ref());
        let left: Vec<StampName> = kept.into_iter().cloned().collect();
        assert_eq!(superfluous(&left, now), Vec::<&StampName>::new(), "nothing more");
    }

    #[test]
    fn there_are_never_more_than_a_bound() {
        let now = "2099-01-01T00:00:00Z".parse::<Timestamp>().expect("a time");
        let daily = (0..i64::try_from(KEPT_MAX).expect("small") + 5).rev();
        let names: Vec<_> = daily
            .map(|n| StampName::new(now - SignedDuration::from_hours(24 * n), 7, &Hash::of(b"x")))
            .collect();
        assert_eq!(superfluous(&names, now), names[..5].iter().collect::<Vec<_>>());
    }
}
