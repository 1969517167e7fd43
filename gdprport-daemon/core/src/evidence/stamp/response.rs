//! The answer: whether it was granted, and the token in it.

use der::asn1::ObjectIdentifier;
use der::{Tag, TagNumber};

use super::StampError;
use super::element::{Element, Elements, alone, context};
use crate::text::is_control_or_bidi;

/// Bytes of an answer at most: one with four certificates has some 6 KB, and lists of revoked ones may be in it.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Characters of an authority's own words that are repeated.
const WORDS_MAX: usize = 200;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Reasons of `PKIFailureInfo`, by their bits (RFC 3161 section 2.4.2).
const REASONS: [(usize, &str); 8] = [
    (0, "the digest is not supported there"),
    (2, "it does not permit or support this request"),
    (5, "it could not read the request"),
    (14, "its clock is not available"),
    (15, "it does not have the requested policy"),
    (16, "it does not have the requested extension"),
    (17, "it cannot give what was asked for besides"),
    (25, "it failed"),
];

/// The `SignedData` of a granted answer.
pub(super) fn granted(answer: &[u8]) -> Result<Element<'_>, StampError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(StampError::TooLong);
    }
    let mut parts = alone(answer, Tag::Sequence)
        .and_then(|whole| whole.elements())
        .ok_or(StampError::Malformed("frame"))?;
    let status = parts.enter(Tag::Sequence).ok_or(StampError::Malformed("status"))?;
    is_granted(status)?;
    if parts.is_finished() {
        return Err(StampError::NoToken);
    }
    signed_data(parts).ok_or(StampError::Malformed("token"))
}

fn signed_data(mut parts: Elements<'_>) -> Option<Element<'_>> {
    let mut token = parts.enter(Tag::Sequence)?;
    let known = token.any()?.is_oid(&SIGNED_DATA);
    let mut within = token.enter(context(TagNumber::N0))?;
    let data = within.take(Tag::Sequence)?;
    (known && parts.is_finished() && token.is_finished() && within.is_finished()).then_some(data)
}

fn is_granted(mut status: Elements<'_>) -> Result<(), StampError> {
    let malformed = StampError::Malformed("status");
    let number = status.take(Tag::Integer).and_then(|number| number.number()).ok_or(malformed)?;
    let words = status.maybe(Tag::Sequence).map(|texts| words(&texts)).unwrap_or_default();
    let reasons = status.maybe(Tag::BitString).map(|bits| reasons(bits.value)).unwrap_or_default();
    // 0: granted; 1: granted with modifications, of which what matters is compared.
    if number <= 1 {
        return Ok(());
    }
    let said: Vec<String> = [reasons, words].into_iter().filter(|said| !said.is_empty()).collect();
    Err(StampError::Refused(if said.is_empty() {
        format!("status {number}, without a reason")
    } else {
        said.join("; ")
    }))
}

fn reasons(bits: &[u8]) -> String {
    // The first byte says how many bits at the end are none.
    let set = |bit: usize| bits.get(1 + bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
    let all: Vec<&str> = REASONS.iter().filter(|(bit, _)| set(*bit)).map(|(_, reason)| *reason).collect();
    all.join(", ")
}

/// What the authority says in its own words, as far as it may be shown.
fn words(texts: &Element<'_>) -> String {
    let mut elements = texts.elements();
    let mut all = String::new();
    while let Some(text) = elements.as_mut().and_then(Elements::any) {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(&String::from_utf8_lossy(text.value));
        if all.len() > WORDS_MAX * 4 {
            break;
        }
    }
    let shown = |c: char| if is_control_or_bidi(c) { ' ' } else { c };
    let all: String = all.trim().chars().map(shown).take(WORDS_MAX).collect();
    if all.is_empty() { all } else { format!("it said: {all}") }
}
