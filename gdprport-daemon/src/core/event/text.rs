//! Text that comes from outside (command names, paths, cgroups, host names): bounded and valid UTF-8.
//!
//! Belongs here: making such text safe to keep and to send. Control characters stay as they are: JSON escapes
//! them, and what is printed on a terminal is cleaned there.

use std::sync::Arc;

/// Longest text kept of anything from outside, in bytes: the kernel's `PATH_MAX`, so that no real path is cut.
pub const MAX_OUTSIDE_TEXT: usize = 4096;

/// The mark at the end of a text that was cut.
const CUT: &str = "…";

/// Makes text of bytes from outside: invalid UTF-8 becomes U+FFFD, and what is longer than `max` bytes (at
/// least 3) is cut at a character's border and ends in `…`, so that the result never exceeds `max` bytes.
#[must_use]
pub fn outside(bytes: &[u8], max: usize) -> Arc<str> {
    // A bound before the conversion too: the replacement character is up to three times as long as a bad byte.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max.saturating_add(CUT.len()))]);
    if bytes.len() <= max && text.len() <= max {
        return Arc::from(text.as_ref());
    }
    let mut end = max.saturating_sub(CUT.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Arc::from(format!("{}{CUT}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_text_is_kept_as_it_is() {
        assert_eq!(&*outside(b"postgres", 15), "postgres");
        assert_eq!(&*outside("grün".as_bytes(), 5), "grün");
        assert_eq!(&*outside(b"", 15), "");
    }

    #[test]
    fn bad_bytes_are_replaced_and_long_text_ends_in_a_mark() {
        assert_eq!(&*outside(b"a\xffb", 15), "a\u{fffd}b");
        assert_eq!(&*outside("äääää".as_bytes(), 9), "äää…");
    }

    proptest! {
        #[test]
        fn no_bytes_exceed_the_bound(bytes in prop::collection::vec(any::<u8>(), 0..200), max in 3usize..100) {
            prop_assert!(outside(&bytes, max).len() <= max);
        }
    }
}
