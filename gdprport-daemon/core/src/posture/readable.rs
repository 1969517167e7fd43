//! Bytes that anybody can read: text, where no protocol is known that begins so.
//!
//! Belongs here: how much of it is needed to be sure. Lines of known protocols are in `protocols`.

use super::protocols::cut::split;

/// The least length of a complete line, without its end: random bytes begin with such a line once in 50,000 cases.
const LEAST_LINE: usize = 6;

/// The least length of text without a line's end: random bytes are so once in five million cases.
const LEAST_TEXT: usize = 16;

/// Whether bytes are plainly text: they begin with a line of it, or with so much that chance explains none. `None` while
/// there is too little. What comes later changes nothing. Blank lines before it say nothing.
pub(super) fn is_readable(bytes: &[u8]) -> Option<bool> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = &bytes[blank..];
    let beginning = &bytes[..bytes.len().min(LEAST_TEXT)];
    match split(beginning) {
        Some((line, _)) => Some(line.len() >= LEAST_LINE && is_line(line)),
        None if !begins_text(beginning) => Some(false),
        None => (beginning.len() == LEAST_TEXT).then_some(true),
    }
}

/// What stands behind the lines of text at the beginning.
pub(super) fn behind_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some((_, rest)) = split(bytes).filter(|(line, _)| is_line(line)) {
        bytes = rest;
    }
    bytes
}

/// UTF-8 without control characters.
fn is_line(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(is_printable)
}

/// The same, but more may come, so that the last character may be cut.
fn begins_text(bytes: &[u8]) -> bool {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    is_printable(text)
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(|character| character.is_control() && character != '\t' && character != '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_chance_does_not_make_is_readable() {
        for text in [
            &b"SELECT 1;\n"[..],
            b"GET /f\r\n\x16\x03\x01",
            b"\r\n\nSELECT 1;\n",
            b"name=Alice;iban=",
            "Ä".repeat(9).as_bytes(),
        ] {
            assert_eq!(is_readable(text), Some(true), "{text:?}");
        }
        // The last character may be cut.
        assert_eq!(is_readable(&"Ä".repeat(9).as_bytes()[..17]), Some(true));
        for text in [&b"SELECT 1;"[..], b"\xc3", b""] {
            assert_eq!(is_readable(text), None, "{text:?}");
        }
        // At the end of a line it is not cut but wrong.
        for bytes in [
            &b"QUIT\n"[..],
            b"\x01\0\0\0name=Alice;iban=DE00\n",
            b"caf\xe9 au lait, no UTF-8\n",
            b"]nymou\xce\r",
            b"]nymou\xce\r\n",
            b"\x16",
        ] {
            assert_eq!(is_readable(bytes), Some(false), "{bytes:?}");
        }
    }

    #[test]
    fn lines_of_text_end_where_something_else_begins() {
        assert_eq!(behind_lines(b"220 go\r\n\x16\x03"), b"\x16\x03");
        assert_eq!(behind_lines(b"250-a\r\n250 b\r\n"), b"");
        assert_eq!(behind_lines(b"\x01\n\x16"), b"\x01\n\x16");
        assert_eq!(behind_lines(b"\x16\x03"), b"\x16\x03");
    }
}
