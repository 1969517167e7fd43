//! Sheets (CSV, RFC 4180).
//!
//! Spreadsheets read a cell that begins with `=`, `+`, `-` or `@` as a formula: such a text gets an apostrophe before it.

use gdprport_core::text::is_control_or_bidi;

/// The mark by which spreadsheets know UTF-8.
pub(super) const MARK: &str = "\u{feff}";

/// Adds a line.
pub(super) fn line<'t>(file: &mut String, cells: impl Iterator<Item = &'t str>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            file.push(',');
        }
        file.push('"');
        if is_plain(cell) {
            file.push_str(cell);
        } else {
            file.push_str(&safe(cell).replace('"', "\"\""));
        }
        file.push('"');
    }
    file.push_str("\r\n");
}

/// Whether a text is as it has to be: ASCII in one line that begins with a letter or a digit, without a quote.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"')
        && text.bytes().next().is_none_or(|byte| byte.is_ascii_alphanumeric())
}

/// A text that is no formula, and in one line.
fn safe(text: &str) -> String {
    let line: String = text.chars().map(|c| if is_control_or_bidi(c) { '\u{fffd}' } else { c }).collect();
    // Some read over spaces and quotes before the sign, and full-width signs like these.
    let begin = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}'));
    let is_formula = begin.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%', '\u{fffd}']);
    if is_formula { format!("'{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\"=1", "＝1", "|x", "%0A=1"] {
            assert!(safe(text).starts_with('\''), "{text}");
        }
        for text in ["a=1", "10.0.0.1", "", "–", "3 / 4"] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn a_cell_is_one_cell_whatever_is_in_it() {
        let mut file = String::new();
        line(&mut file, ["a\"b,c", "d\ne"].into_iter());
        assert_eq!(file, "\"a\"\"b,c\",\"d\u{fffd}e\"\r\n");
    }
}
