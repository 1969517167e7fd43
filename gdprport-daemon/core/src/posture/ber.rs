//! The part of BER (X.690 §8.1) that certificates (as DER) and LDAP need: one element after the other.
//!
//! Belongs here: tags and definite lengths. An element that is cut at the end of what was captured gives what is there.

use super::cursor::Cursor;

#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The contents, as far as captured.
    pub body: &'a [u8],
    pub complete: bool,
}

/// The next element. `Some(None)` if its length is indefinite or needs more than `octets` bytes in the long form, `None`
/// if its header is cut.
pub(super) fn element<'a>(rest: &mut Cursor<'a>, octets: u8) -> Option<Option<Element<'a>>> {
    let tag = rest.u8()?;
    let length = match rest.u8()? {
        short @ 0..=0x7F => usize::from(short),
        long if (1..=octets).contains(&(long & 0x7F)) => {
            let bytes = rest.take(usize::from(long & 0x7F))?;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return Some(None),
    };
    let body = rest.take_up_to(length);
    Some(Some(Element { tag, body, complete: body.len() == length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], octets: u8) -> Option<Option<(&[u8], bool)>> {
        let element = element(&mut Cursor(bytes), octets)?;
        Some(element.map(|element| (element.body, element.complete)))
    }

    #[test]
    fn a_length_has_the_short_or_a_bounded_long_form() {
        assert_eq!(read(b"\x30\x02abc", 3), Some(Some((&b"ab"[..], true))));
        assert_eq!(read(b"\x30\x83\0\0\x02abc", 3), Some(Some((&b"ab"[..], true))));
        assert_eq!(read(b"\x30\x84\0\0\0\x02abc", 4), Some(Some((&b"ab"[..], true))));
        assert_eq!(read(b"\x30\x84\0\0\0\x02abc", 3), Some(None));
        assert_eq!(read(b"\x30\x80abc\0\0", 4), Some(None), "indefinite");
    }

    #[test]
    fn a_cut_element_gives_what_is_there_and_a_cut_header_nothing() {
        assert_eq!(read(b"\x30\x04abc", 3), Some(Some((&b"abc"[..], false))));
        assert_eq!(read(b"\x30\x82\x01", 3), None);
        assert_eq!(read(b"\x30", 3), None);
    }
}
