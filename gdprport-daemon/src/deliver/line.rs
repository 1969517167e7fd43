//! Text from outside, as a part of one line for people.

use gdprport_core::text::is_control_or_bidi;

/// Characters of a sentence about a receiver.
const SENTENCE_MAX: usize = 500;

/// The same in one line: bounded, without characters that steer a terminal.
pub(crate) fn one_line(text: &str) -> String {
    bounded(text, SENTENCE_MAX)
}

/// The same with at most so many characters.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_control_or_bidi(c) { '\u{fffd}' } else { c }).collect()
}
