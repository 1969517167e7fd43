//! Which characters of text from outside cannot be shown to people as they are, and bytes that are no text.
//!
//! Does not belong here: what takes the place of such characters, which each reader decides. Values inside events are
//! data: JSON escapes these characters (`encode`), and who parses it gets them back.

use std::fmt::Write as _;

/// Characters that steer a terminal (move its cursor, recolour, retitle) or turn the direction of the text around them:
/// control characters, and the marks, embeddings, overrides and isolates of Unicode UAX 9.
#[must_use]
pub fn is_control_or_bidi(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same and every other character without a shape of its own, such as zero-width spaces and joiners. For lines whose
/// columns are counted in characters; elsewhere joiners are part of how some scripts are written.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    is_control_or_bidi(c)
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Text from outside inside a line of Markdown: characters that begin anything in it (CommonMark, tables, HTML) are escaped, and
/// those that steer a terminal or turn text around, line feeds among them, become `�`.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_control_or_bidi(c) => safe.push('\u{fffd}'),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // Also where a host renders bare addresses and mentions as links.
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe.replace("://", ":&#8203;//").replace("www.", "www&#46;")
}

/// A path as text. One that is no UTF-8 is quoted as a shell reads it, `$'/tmp/sh\xff'`: every byte that is no part of a
/// character as `\xHH`, with a backslash before backslashes and quotes. It begins with no `/`, so that it is the text of
/// no other path, and no pattern matches it.
#[must_use]
pub fn path_text(path: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(path) {
        return text.to_owned();
    }
    let mut quoted = String::from("$'");
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if matches!(c, '\\' | '\'') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        for byte in chunk.invalid() {
            write!(quoted, "\\x{byte:02x}").expect("writing to a String cannot fail");
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::letters("aé漢\u{301}", false, false)]
    #[case::spaces(" \u{a0}\u{3000}", false, false)]
    #[case::c0_and_c1("\0\t\n\r\u{1b}\u{7f}\u{80}\u{9b}\u{9f}", true, true)]
    #[case::direction_marks("\u{200e}\u{200f}", true, true)]
    #[case::embeddings_and_overrides("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", true, true)]
    #[case::isolates("\u{2066}\u{2067}\u{2068}\u{2069}", true, true)]
    #[case::arabic_letter_mark("\u{61c}", false, true)]
    #[case::zero_width("\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}", false, true)]
    #[case::line_and_paragraph_separators("\u{2028}\u{2029}", false, true)]
    #[case::invisible_operators("\u{2061}\u{2064}\u{2065}\u{206a}\u{206f}", false, true)]
    #[case::neighbours("\u{61b}\u{200a}\u{2010}\u{2027}\u{202f}\u{205f}\u{2070}", false, false)]
    fn what_cannot_be_shown_is_known(
        #[case] text: &str,
        #[case] control_or_bidi: bool,
        #[case] invisible: bool,
    ) {
        for c in text.chars() {
            assert_eq!((is_control_or_bidi(c), is_invisible(c)), (control_or_bidi, invisible), "{c:?}");
        }
    }

    #[test]
    fn nothing_in_a_text_is_markdown() {
        for (text, escaped) in [
            ("plain-name 1.2, more", "plain-name 1.2, more"),
            ("a|b", r"a\|b"),
            ("x\n# y\u{1b}[2J\u{202e}", "x\u{fffd}\\# y\u{fffd}\\[2J\u{fffd}"),
            ("<script>&", "&lt;script&gt;&amp;"),
            ("[a](b) `c` ![d]", r"\[a\]\(b\) \`c\` \!\[d\]"),
            ("http://evil @team www.evil", "http:&#8203;//evil &#64;team www&#46;evil"),
            (r"\|", r"\\\|"),
        ] {
            assert_eq!(markdown(text), escaped);
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_the_text_of_no_path() {
        for (path, text) in [
            (&b"/usr/bin/psql"[..], "/usr/bin/psql"),
            (br"/tmp/sh\xff", r"/tmp/sh\xff"),
            ("/tmp/é漢".as_bytes(), "/tmp/é漢"),
            (b"/tmp/sh\xff", r"$'/tmp/sh\xff'"),
            (b"/tmp/\xe9t\xe9", r"$'/tmp/\xe9t\xe9'"),
            (b"/tmp/\\xff'\xff", r"$'/tmp/\\xff\'\xff'"),
            (b"/tmp/\xe6\xbc/x", r"$'/tmp/\xe6\xbc/x'"),
        ] {
            assert_eq!(path_text(path), text);
        }
    }
}
