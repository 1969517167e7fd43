//! What an authority states (`TSTInfo`, RFC 3161 section 2.4.2): which hash it saw, and when.

use der::{Tag, TagNumber};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::StampError;
use super::algorithm::Digest;
use super::element::{Element, Elements, alone, context, implicit};

/// What is stated.
#[derive(Debug)]
pub(super) struct Info<'a> {
    /// The hash, by SHA-256.
    pub(super) imprint: &'a [u8],
    pub(super) time: Timestamp,
    /// By how much the time may be wrong; zero if it is not stated.
    pub(super) accuracy: SignedDuration,
    /// Bytes of the number that was asked with.
    pub(super) nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, StampError> {
        let malformed = |what| move || StampError::Malformed(what);
        let mut parts = alone(bytes, Tag::Sequence)
            .and_then(|whole| whole.elements())
            .ok_or_else(malformed("statement"))?;
        let version = parts.take(Tag::Integer).and_then(|version| version.number());
        if version != Some(1) {
            return Err(StampError::Malformed("version"));
        }
        parts.take(Tag::ObjectIdentifier).ok_or_else(malformed("policy"))?;
        let mut imprint = parts.enter(Tag::Sequence).ok_or_else(malformed("imprint"))?;
        let digest = Digest::read(imprint.enter(Tag::Sequence).ok_or_else(malformed("imprint"))?)?;
        let imprint = imprint.take(Tag::OctetString).ok_or_else(malformed("imprint"))?.value;
        if digest != Digest::Sha256 {
            return Err(StampError::Imprint);
        }
        parts.take(Tag::Integer).ok_or_else(malformed("serial number"))?;
        let time = parts.take(Tag::GeneralizedTime).and_then(|time| moment(time.value));
        let time = time.ok_or_else(malformed("time"))?;
        let accuracy = parts.maybe(Tag::Sequence).map(|element| accuracy(&element));
        let accuracy = accuracy.unwrap_or(Some(SignedDuration::ZERO)).ok_or_else(malformed("accuracy"))?;
        parts.maybe(Tag::Boolean);
        let nonce = parts.maybe(Tag::Integer).map(|nonce| nonce.value);
        parts.maybe(context(TagNumber::N0));
        if parts.maybe(context(TagNumber::N1)).is_some_and(|all| any_critical(&all)) {
            return Err(StampError::Extension);
        }
        if !parts.is_finished() {
            return Err(StampError::Malformed("statement"));
        }
        Ok(Self { imprint, time, accuracy, nonce })
    }
}

/// `YYYYMMDDhhmmss[.f…]Z`.
fn moment(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let number = |range: std::ops::Range<usize>| whole[range].parse::<i8>().ok();
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    let year = whole[..4].parse().ok()?;
    let (month, day) = (number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let time = DateTime::new(year, month, day, hour, minute, second, nanos).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

/// Seconds, milli- and microseconds, each optional.
fn accuracy(element: &Element<'_>) -> Option<SignedDuration> {
    let mut parts: Elements<'_> = element.elements()?;
    let mut part = |tag, most: u64| match parts.maybe(tag) {
        None => Some(0),
        Some(number) => number.number().filter(|number| *number <= most),
    };
    let seconds = part(Tag::Integer, u64::from(u32::MAX))?;
    let millis = part(implicit(TagNumber::N0), 999)?;
    let micros = part(implicit(TagNumber::N1), 999)?;
    let micros = i64::try_from(millis * 1_000 + micros).ok()?;
    let whole = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
    parts.is_finished().then_some(whole + SignedDuration::from_micros(micros))
}

fn any_critical(all: &Element<'_>) -> bool {
    let mut extensions = all.elements();
    while let Some(extension) = extensions.as_mut().and_then(Elements::any) {
        let mut parts = extension.elements();
        let _ = parts.as_mut().and_then(Elements::any);
        let critical = parts.as_mut().and_then(|parts| parts.maybe(Tag::Boolean));
        if critical.is_some_and(|critical| critical.value != [0]) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_fractions() {
        let read = |text: &str| moment(text.as_bytes()).map(|time| time.to_string());
        assert_eq!(read("20261130140501Z").as_deref(), Some("2026-11-30T14:05:01Z"));
        assert_eq!(read("20261130140501.25Z").as_deref(), Some("2026-11-30T14:05:01.25Z"));
        for wrong in [
            "",
            "Z",
            "20261130140501",
            "20261330140501Z",
            "2026113014050Z",
            "20261130140501.Z",
            "-0261130140501Z",
            "20261130140501.0000000001Z",
            "é261130140501Z",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
