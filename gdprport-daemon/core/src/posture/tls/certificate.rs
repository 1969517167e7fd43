//! The server's certificate (RFC 5280 §4.1) where TLS shows it, up to 1.2: whose it is, from whom, until when.
//!
//! Belongs here: the first fields of the first certificate. They stand before the key, so that the first 512 bytes
//! of a server usually reach them although the certificate is not complete. Nothing is verified.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::record::HandshakeMessage;
use crate::model::Certificate;
use crate::posture::ber::{self, Element};
use crate::posture::cursor::Cursor;

/// The longest name that is reported, in characters.
const MAX_NAME: usize = 256;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Stands for what of a subject was not captured.
const CUT: &str = "…";

/// Reads the first certificate of a Certificate message of TLS up to 1.2. `Some(None)` if there is none, `None` while
/// too little was captured. `cut`: no more will be, so that a subject of which only the beginning is there is reported
/// as far as it goes.
pub(super) fn read(message: &HandshakeMessage<'_>, cut: bool) -> Option<Option<Certificate>> {
    let mut rest = Cursor(message.body);
    let first = (|| {
        let _list = rest.u24()?;
        let length = rest.u24()?;
        Some((rest.take_up_to(length), length))
    })();
    let Some((bytes, length)) = first else { return message.complete.then_some(None) };
    match certificate(bytes, cut && bytes.len() < length) {
        None if bytes.len() < length => None,
        read => Some(read),
    }
}

/// The next element; `None` at the end, within a header that is cut, or if its length has an impossible form. A list of
/// certificates is shorter than 2^24 bytes, so that more than three bytes of length are not DER.
fn next<'a>(rest: &mut Cursor<'a>) -> Option<Element<'a>> {
    ber::element(rest, 3).flatten()
}

/// The contents of the next element if it has this tag and is complete.
fn complete<'a>(rest: &mut Cursor<'a>, tag: u8) -> Option<&'a [u8]> {
    next(rest).filter(|element| element.tag == tag && element.complete).map(|element| element.body)
}

fn certificate(bytes: &[u8], cut: bool) -> Option<Certificate> {
    let outer = next(&mut Cursor(bytes)).filter(|element| element.tag == SEQUENCE)?;
    let inner = next(&mut Cursor(outer.body)).filter(|element| element.tag == SEQUENCE)?;
    let mut rest = Cursor(inner.body);
    // The version is optional and tagged; the serial number follows it.
    if rest.0.first() == Some(&0xA0) {
        next(&mut rest)?;
    }
    let _serial = complete(&mut rest, 0x02)?;
    let _algorithm = complete(&mut rest, SEQUENCE)?;
    let issuer = name(complete(&mut rest, SEQUENCE)?);
    let mut validity = Cursor(complete(&mut rest, SEQUENCE)?);
    let _not_before = next(&mut validity)?;
    let not_after = next(&mut validity).filter(|element| element.complete)?;
    let not_after = time(not_after.tag, not_after.body)?;
    let subject = match next(&mut rest) {
        Some(subject) if subject.tag != SEQUENCE => return None,
        Some(subject) if subject.complete => name(subject.body),
        // Names are written from their end: what is missing would stand in front.
        Some(subject) if cut => match name(subject.body) {
            none if none.is_empty() => CUT.to_owned(),
            beginning => shortened(format!("{CUT},{beginning}")),
        },
        None if cut => CUT.to_owned(),
        _ => return None,
    };
    Some(Certificate { subject, issuer, not_after })
}

/// A distinguished name in the order and with the escapes of RFC 4514, of the attributes that name a machine or an
/// organisation: those of persons (mail address, user id, surname, …) are left out.
fn name(sequence: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Cursor(sequence);
    while let Some(set) = complete(&mut sets, SET) {
        let mut attributes = Cursor(set);
        while let Some(attribute) = complete(&mut attributes, SEQUENCE) {
            let mut rest = Cursor(attribute);
            let key = complete(&mut rest, OBJECT_IDENTIFIER).and_then(attribute_name);
            let value = next(&mut rest).filter(|element| element.complete);
            if let Some((key, value)) = key.zip(value) {
                parts.push(format!("{key}={}", text(value.tag, value.body)));
            }
        }
    }
    parts.reverse();
    shortened(parts.join(","))
}

fn shortened(name: String) -> String {
    if name.chars().nth(MAX_NAME).is_none() {
        return name;
    }
    name.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

fn attribute_name(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25] => "DC",
        _ => return None,
    })
}

/// A string of any of the types that names use, with the escapes of RFC 4514 and without control characters.
fn text(tag: u8, body: &[u8]) -> String {
    let decoded: String = match tag {
        // BMPString: two bytes a character.
        0x1E => {
            let units = body.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        // TeletexString, in practice Latin-1.
        0x14 => body.iter().map(|byte| char::from(*byte)).collect(),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    let mut escaped = String::new();
    for c in decoded.chars().take(MAX_NAME) {
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    }
    escaped
}

/// UTCTime or GeneralizedTime in the only forms that RFC 5280 §4.1.2.5 allows: to the second, in UTC.
fn time(tag: u8, body: &[u8]) -> Option<Timestamp> {
    let digits = body.strip_suffix(b"Z")?;
    let number = |from: usize, count: usize| -> Option<i16> {
        let digits = digits.get(from..from + count)?;
        digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok()?.parse().ok())?
    };
    let (year, rest) = match (tag, digits.len()) {
        (0x17, 12) => (number(0, 2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        (0x18, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let part = |index: usize| number(rest + 2 * index, 2).and_then(|part| i8::try_from(part).ok());
    let time = DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read_and_others_are_not() {
        let at = |text: &str| Some(text.parse::<Timestamp>().expect("a time"));
        assert_eq!(time(0x17, b"491231235959Z"), at("2049-12-31T23:59:59Z"));
        assert_eq!(time(0x17, b"500101000000Z"), at("1950-01-01T00:00:00Z"));
        assert_eq!(time(0x18, b"20500101000000Z"), at("2050-01-01T00:00:00Z"));
        for wrong in [&b"4912312359Z"[..], b"491331235959Z", b"49123123595+Z", b""] {
            assert_eq!(time(0x17, wrong), None);
        }
    }

    #[test]
    fn names_of_persons_are_left_out_and_the_rest_is_escaped() {
        let attribute = |oid: &[u8], tag: u8, value: &[u8]| {
            let wrap = |tag: u8, body: Vec<u8>| {
                let mut out = vec![tag, u8::try_from(body.len()).expect("short")];
                out.extend(body);
                out
            };
            let pair = [wrap(OBJECT_IDENTIFIER, oid.to_vec()), wrap(tag, value.to_vec())].concat();
            wrap(SET, wrap(SEQUENCE, pair))
        };
        let mail = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1];
        let sequence = [
            attribute(&[0x55, 4, 10], 0x0C, b"A, B\x07"),
            attribute(&mail, 0x16, b"someone@example.org"),
            attribute(&[0x55, 4, 3], 0x1E, b"\0d\0b"),
        ]
        .concat();
        assert_eq!(name(&sequence), "CN=db,O=A\\, B\u{FFFD}");
    }
}
