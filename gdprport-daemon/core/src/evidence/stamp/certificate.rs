//! What a certificate says of itself, as far as a timestamp depends on it. Whether it is right is the library's to verify.

use der::asn1::ObjectIdentifier;
use der::{Tag, TagNumber};

use super::element::{Element, Elements, alone, context};

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The one use that a signer's certificate has.
pub(super) const TIMESTAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// Characters of a name that are shown.
const NAME_MAX: usize = 100;

/// A certificate (RFC 5280).
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate<'a> {
    pub(super) whole: &'a [u8],
    pub(super) serial: &'a [u8],
    /// Who issued it, as an element.
    pub(super) issuer: &'a [u8],
    subject: Element<'a>,
    extensions: Option<Element<'a>>,
}

impl<'a> Certificate<'a> {
    pub(super) fn read(whole: &'a [u8]) -> Option<Self> {
        let mut parts = alone(whole, Tag::Sequence)?.elements()?.enter(Tag::Sequence)?;
        parts.maybe(context(TagNumber::N0));
        let serial = parts.take(Tag::Integer)?.value;
        parts.take(Tag::Sequence)?;
        let issuer = parts.take(Tag::Sequence)?.whole;
        parts.take(Tag::Sequence)?;
        let subject = parts.take(Tag::Sequence)?;
        parts.take(Tag::Sequence)?;
        while let Some(part) = parts.any() {
            if part.tag == context(TagNumber::N3) {
                let extensions = part.elements()?.take(Tag::Sequence)?;
                return Some(Self { whole, serial, issuer, subject, extensions: Some(extensions) });
            }
        }
        Some(Self { whole, serial, issuer, subject, extensions: None })
    }

    /// Whether it is for timestamps and, bindingly, for nothing else (RFC 3161 section 2.3).
    pub(super) fn is_for_timestamps(&self) -> bool {
        let only = |value: &[u8]| {
            let mut uses = alone(value, Tag::Sequence)?.elements()?;
            let first = uses.any()?;
            Some(first.is_oid(&TIMESTAMPING) && uses.is_finished())
        };
        self.extension(&EXTENDED_KEY_USAGE)
            .is_some_and(|(critical, value)| critical && only(value) == Some(true))
    }

    /// Whether its key has this identifier.
    pub(super) fn has_key_id(&self, id: &[u8]) -> bool {
        let found = self.extension(&KEY_ID).and_then(|(_, value)| alone(value, Tag::OctetString));
        found.is_some_and(|found| found.value == id)
    }

    /// Whether it is critical, and its value.
    fn extension(&self, oid: &ObjectIdentifier) -> Option<(bool, &'a [u8])> {
        let mut all = self.extensions?.elements()?;
        while let Some(extension) = all.any() {
            let mut parts = extension.elements()?;
            let is_it = parts.any()?.is_oid(oid);
            let critical = parts.maybe(Tag::Boolean).is_some_and(|value| value.value != [0]);
            let value = parts.take(Tag::OctetString)?.value;
            if is_it {
                return Some((critical, value));
            }
        }
        None
    }

    /// Whose it is, for people: the last common name, if it is text.
    pub(super) fn name(&self) -> String {
        let mut name = String::new();
        let mut sets = self.subject.elements();
        while let Some(set) = sets.as_mut().and_then(Elements::any) {
            let mut pair = set.elements().and_then(|mut set| set.enter(Tag::Sequence));
            let is_name = pair.as_mut().and_then(Elements::any).is_some_and(|oid| oid.is_oid(&COMMON_NAME));
            let value = pair.as_mut().and_then(Elements::any).filter(|_| is_name);
            if let Some(text) = value.and_then(|value| std::str::from_utf8(value.value).ok()) {
                name = text.chars().take(NAME_MAX).collect();
            }
        }
        name
    }
}
