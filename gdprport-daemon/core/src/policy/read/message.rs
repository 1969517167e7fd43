//! Parts of messages: quoted values, printable characters, the known name nearest to a mistyped one.

/// How many characters of a value a message quotes.
const QUOTED: usize = 60;

/// Control characters, and those that turn the direction of the text around them (Unicode UAX 9).
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Keeps a hostile file from controlling the reader's terminal, and tabs from moving the underline.
pub(super) fn printable(c: char) -> char {
    if is_control(c) { ' ' } else { c }
}

/// A value of the file in quotes, escaped and of bounded length.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}

pub(super) fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

/// The nearest of the known names, if one is near enough to be a typing error.
pub(super) fn nearest_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() > QUOTED {
        return None;
    }
    let lower = name.to_lowercase();
    let limit = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
