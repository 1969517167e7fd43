//! Elements of DER, each with its exact bytes: what was signed is hashed as it came and never encoded again.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    /// Its content.
    pub(super) value: &'a [u8],
    /// Its content behind tag and length.
    pub(super) whole: &'a [u8],
}

/// Elements that follow each other.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    reader: SliceReader<'a>,
}

/// `[number]` of a sequence, with elements in it.
pub(super) const fn context(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: true, number }
}

/// `[number]` of a sequence, with a plain value.
pub(super) const fn implicit(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: false, number }
}

impl<'a> Elements<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        SliceReader::new(bytes).ok().map(|reader| Self { reader })
    }

    /// The next one, if it can be read.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let whole = self.reader.tlv_bytes().ok()?;
        let any = AnyRef::from_der(whole).ok()?;
        Some(Element { tag: any.tag(), value: any.value(), whole })
    }

    /// The next one, which has to be of this kind.
    pub(super) fn take(&mut self, tag: Tag) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The elements within the next one, which has to be of this kind.
    pub(super) fn enter(&mut self, tag: Tag) -> Option<Self> {
        self.take(tag)?.elements()
    }

    /// The next one, if it is of this kind; nothing is taken otherwise.
    pub(super) fn maybe(&mut self, tag: Tag) -> Option<Element<'a>> {
        if self.reader.is_finished() || self.reader.peek_tag().ok()? != tag {
            return None;
        }
        self.any()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }
}

impl<'a> Element<'a> {
    pub(super) fn elements(&self) -> Option<Elements<'a>> {
        Elements::of(self.value)
    }

    pub(super) fn is_oid(&self, oid: &ObjectIdentifier) -> bool {
        self.tag == Tag::ObjectIdentifier && self.value == oid.as_bytes()
    }

    /// A number that is not negative and fits.
    pub(super) fn number(&self) -> Option<u64> {
        let bytes = match self.value {
            [] => return None,
            [first, ..] if *first >= 0x80 => return None,
            [0, rest @ ..] => rest,
            all => all,
        };
        (bytes.len() <= 8).then(|| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// The one element that bytes are, of this kind and with nothing behind it.
pub(super) fn alone(bytes: &[u8], tag: Tag) -> Option<Element<'_>> {
    let mut elements = Elements::of(bytes)?;
    let element = elements.take(tag)?;
    elements.is_finished().then_some(element)
}
