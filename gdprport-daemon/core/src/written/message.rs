//! Parts of messages: quoted values, printable characters, the known name nearest to a mistyped one.

use crate::text::is_control_or_bidi;

/// How many characters of a value a message quotes.
const QUOTED: usize = 60;

/// Keeps a hostile file from controlling the reader's terminal, and tabs from moving the underline.
pub(crate) fn printable(c: char) -> char {
    if is_control_or_bidi(c) { ' ' } else { c }
}

/// A value of the file in quotes, escaped and of bounded length.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}

pub(crate) fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

/// The nearest of the known names, if one is near enough to be a typing error.
pub fn nearest_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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
