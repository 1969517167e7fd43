//! Files of JSON.

use std::io::{self, Write};

use gdprport_core::text::is_control_or_bidi;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Writes a value as a file that people may look at too: what turns text around is written as an escape, which means the same.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Shown(PrettyFormatter::new()));
    value.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// Lays out as `PrettyFormatter` does, and looks at texts.
#[derive(Debug)]
struct Shown<'p>(PrettyFormatter<'p>);

impl Formatter for Shown<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut from = 0;
        // Most texts have nothing to look for: a byte of printable ASCII is no part of any other character.
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            // Control characters of ASCII are escapes already, but for DEL; none of these needs two.
            for (at, c) in text.char_indices().filter(|(_, c)| is_control_or_bidi(*c)) {
                out.write_all(&text.as_bytes()[from..at])?;
                write!(out, "\\u{:04x}", u32::from(c))?;
                from = at + c.len_utf8();
            }
        }
        out.write_all(&text.as_bytes()[from..])
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::written;
    use super::*;

    #[test]
    fn a_text_that_turns_others_around_is_an_escape() {
        let value = "a\u{202e}b\u{1b}\u{9b}\"é\u{7f}😀\n";
        let text = written(|out| pretty(&value, out));
        assert_eq!(text, "\"a\\u202eb\\u001b\\u009b\\\"é\\u007f😀\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), value);
    }

    #[test]
    fn a_file_is_laid_out_for_people() {
        let value = serde_json::json!({ "a": [1, {}, [], ["\u{2066}"]], "b": { "c": null } });
        let usual = serde_json::to_string_pretty(&value).expect("JSON") + "\n";
        assert_eq!(written(|out| pretty(&value, out)), usual.replace('\u{2066}', "\\u2066"));
    }
}
