//! The part of DER (X.690 §10) that certificates need: one element after the other.
//!
//! Belongs here: tags and lengths. An element that is cut at the end of what was captured gives what is there.

use crate::posture::cursor::Cursor;

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The contents, as far as captured.
    pub body: &'a [u8],
    /// Whether the contents are whole.
    pub complete: bool,
}

/// The next element; `None` at the end, within a header that is cut, or if its length has an impossible form.
pub(super) fn next<'a>(rest: &mut Cursor<'a>) -> Option<Element<'a>> {
    let tag = rest.u8()?;
    let length = match rest.u8()? {
        short @ 0..=0x7F => usize::from(short),
        0x81 => usize::from(rest.u8()?),
        0x82 => usize::from(rest.u16()?),
        0x83 => rest.u24()?,
        _ => return None,
    };
    let body = rest.take_up_to(length);
    Some(Element { tag, body, complete: body.len() == length })
}

/// The contents of the next element if it has this tag and is whole.
pub(super) fn whole<'a>(rest: &mut Cursor<'a>, tag: u8) -> Option<&'a [u8]> {
    next(rest).filter(|element| element.tag == tag && element.complete).map(|element| element.body)
}
