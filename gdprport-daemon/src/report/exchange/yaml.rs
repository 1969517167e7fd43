//! YAML of a value: block style, keys as they are, every text in double quotes.
//!
//! A text in double quotes has the escapes of JSON and is nothing else than a text, whatever is in it: no date, no number, no
//! alias, no end of the document. Read alike by YAML 1.1 and 1.2.

use std::fmt::Write as _;

use gdprport_core::text::{is_control_or_bidi, is_invisible};
use serde_json::Value;

/// The document. Keys are this program's own: letters, digits and underscores.
pub(super) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    block(&mut text, value, 0);
    text
}

/// An item of a list that stands below a key of the document.
pub(super) fn item(value: &Value) -> String {
    let mut text = String::new();
    one(&mut text, value, 1);
    text
}

/// A value that begins on a line of its own.
fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                indent(text, depth);
                text.push_str(key);
                text.push(':');
                below(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                one(text, item, depth);
            }
        }
        plain => {
            indent(text, depth);
            scalar(text, plain);
            text.push('\n');
        }
    }
}

fn one(text: &mut String, item: &Value, depth: usize) {
    indent(text, depth);
    text.push('-');
    below(text, item, depth + 1);
}

/// What follows a key or a dash: on the same line, or in a block below.
fn below(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {}
        Value::Array(items) if !items.is_empty() => {}
        plain => {
            text.push(' ');
            scalar(text, plain);
            text.push('\n');
            return;
        }
    }
    text.push('\n');
    block(text, value, depth);
}

fn indent(text: &mut String, depth: usize) {
    for _ in 0..depth {
        text.push_str("  ");
    }
}

fn scalar(text: &mut String, value: &Value) {
    match value {
        Value::Object(_) => text.push_str("{}"),
        Value::Array(_) => text.push_str("[]"),
        Value::String(value) => quoted(text, value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

fn quoted(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            // Not printable by YAML 1.2, 5.1, or by an editor.
            c if is_control_or_bidi(c)
                || is_invisible(c)
                || matches!(c, '\u{7f}'..='\u{a0}' | '\u{fff0}'..='\u{ffff}') =>
            {
                let _ = write!(text, "\\U{:08x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_in_blocks() {
        let value = json!({ "system": [{ "key": "a", "list": ["b", 3, null, true], "none": [], "empty": {} }], "n": 1 });
        let written = "system:\n  -\n    key: \"a\"\n    list:\n      - \"b\"\n      - 3\n      - null\n      - true\n    \
            none: []\n    empty: {}\nn: 1\n";
        assert_eq!(yaml(&value), written);
    }

    #[test]
    fn a_text_is_a_text_whatever_is_in_it() {
        let written = |text: &str| yaml(&json!({ "a": text }));
        assert_eq!(written("2027-01-31"), "a: \"2027-01-31\"\n");
        assert_eq!(written("a\": b\n--- &x *x"), "a: \"a\\\": b\\n--- &x *x\"\n");
        assert_eq!(
            written("\u{1b}\u{202e}\u{85}\u{2028}\u{feff}\u{1f600}"),
            "a: \"\\U0000001b\\U0000202e\\U00000085\\U00002028\\U0000feff\u{1f600}\"\n"
        );
    }
}
