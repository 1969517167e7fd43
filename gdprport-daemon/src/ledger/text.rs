//! Texts as the database keeps them: bounded, and different if they were.

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Bytes of a text that are kept: as long as a path can be (`PATH_MAX`, include/uapi/linux/limits.h).
pub(super) const TEXT_MAX: usize = 4_096;
/// Bytes of what stands at the end of a text that was cut: `…` and 32 hexadecimal digits.
const MARK: usize = '…'.len_utf8() + 32;

/// A text of at most [`TEXT_MAX`] bytes. What is longer is cut, and ends with `…` and the first 16 bytes of the SHA-256 of
/// the whole, so that two texts stay two.
pub(super) fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_MAX {
        return Cow::Borrowed(text);
    }
    let mut end = TEXT_MAX - MARK;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = String::with_capacity(TEXT_MAX);
    cut.push_str(&text[..end]);
    cut.push('…');
    for byte in &Sha256::digest(text.as_bytes())[..16] {
        cut.push_str(&format!("{byte:02x}"));
    }
    Cow::Owned(cut)
}

/// The same of a shared text, in place.
pub(super) fn bound(text: &mut Arc<str>) {
    if text.len() > TEXT_MAX {
        *text = bounded(text).into();
    }
}

/// The same of a text that may be missing.
pub(super) fn bound_if_any(text: &mut Option<Arc<str>>) {
    if let Some(text) = text {
        bound(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_stay_different() {
        let long = |end: &str| format!("{}{end}", "ä".repeat(3_000));
        let (one, other) = (long("1"), long("2"));
        let (cut, another) = (bounded(&one), bounded(&other));
        assert!(cut.len() <= TEXT_MAX && cut.contains('…'), "{} bytes", cut.len());
        assert_ne!(cut, another);
        assert_eq!(cut, bounded(&one));
    }

    #[test]
    fn short_texts_stay_as_they_are() {
        let odd = "a\n\0\u{1b}[31m";
        assert_eq!(bounded(odd), odd);
        let longest = "x".repeat(TEXT_MAX);
        assert_eq!(bounded(&longest), longest);
    }
}
