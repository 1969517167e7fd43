//! JSON whose strings are harmless on a terminal.
//!
//! JSON demands escapes for control characters below U+0020 only. Lines are read by people too, with `cat` and `tail`:
//! here DEL, U+0080 to U+009F and the bidirectional controls are escaped as well (`\u009b`). A reader that parses gets the
//! same string.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::text::is_control_or_bidi;

/// Compact JSON with these escapes.
struct Harmless;

impl Formatter for Harmless {
    /// Called for the parts of a string between the escapes of JSON itself.
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly every text is plain ASCII: then this is one pass over it.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return to.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_control_or_bidi(*c)) {
            to.write_all(&fragment.as_bytes()[plain..at])?;
            // All of them are below U+10000.
            write!(to, "\\u{:04x}", u32::from(c))?;
            plain = at + c.len_utf8();
        }
        to.write_all(&fragment.as_bytes()[plain..])
    }
}

/// Appends a value as one line of JSON without its line feed.
///
/// # Panics
/// If the value has a map whose keys are no strings, which no type of this crate's users has.
pub fn json(value: &(impl Serialize + ?Sized), to: &mut Vec<u8>) {
    value
        .serialize(&mut Serializer::with_formatter(to, Harmless))
        .expect("writing to memory cannot fail and every key is a string");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn written(value: &impl Serialize) -> String {
        let mut line = Vec::new();
        json(value, &mut line);
        String::from_utf8(line).expect("UTF-8")
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(
            written(&"a\u{7f}\u{80}é\u{9b}31m\u{202e}漢\u{2066}"),
            r#""a\u007f\u0080é\u009b31m\u202e漢\u2066""#
        );
        assert_eq!(written(&"\u{1b}[2J\"\\\n"), r#""\u001b[2J\"\\\n""#, "as JSON demands");
        let map = BTreeMap::from([("\u{85}", 1)]);
        assert_eq!(written(&map), r#"{"\u0085":1}"#, "in keys too");
    }

    proptest! {
        #[test]
        fn any_text_reads_back_and_shows_nothing_harmful(text in any::<String>(), rare in "[\u{70}-\u{a5}\u{2000}-\u{2070}]{0,9}") {
            let text = text + &rare;
            let line = written(&text);
            prop_assert!(!line.chars().any(is_control_or_bidi), "{:?}", line);
            prop_assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), text);
        }
    }
}
