//! Files of JSON.

use std::fmt::Write as _;

use gdprport_core::text::is_control_or_bidi;
use serde::Serialize;

/// A value as a file that people may look at too: what turns text around is written as an escape, which means the same.
///
/// # Errors
/// If it cannot be one.
pub(crate) fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // Control characters of ASCII are escapes already; others stand in texts only, and none needs two.
        if c != '\n' && is_control_or_bidi(c) {
            write!(shown, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            shown.push(c);
        }
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_turns_others_around_is_an_escape() {
        let value = "a\u{202e}b\u{1b}\u{9b}\"é😀\n";
        let text = pretty(&value).expect("JSON");
        assert_eq!(text, "\"a\\u202eb\\u001b\\u009b\\\"é😀\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), value);
    }
}
