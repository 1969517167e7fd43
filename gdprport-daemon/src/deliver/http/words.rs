//! What is said of a receiver: sentences that have its answer in them, and no secret, no control character and no line feed.

use crate::deliver::Failure;
use gdprport_core::delivery::Auth;
use gdprport_core::text::is_control_or_bidi;

/// Characters of a sentence, as `Refused::why` promises.
const SENTENCE_MAX: usize = 500;

/// Characters of an answer that a sentence quotes.
const QUOTED_MAX: usize = 200;

/// Characters of an address that a sentence shows.
const ADDRESS_MAX: usize = 160;

/// Bytes of an answer that are looked at for what a sentence quotes. More than is quoted, so that a secret at the edge is found
/// whole.
const LOOKED_AT: usize = 16 << 10;

/// What sentences about a receiver are made of.
#[derive(Clone)]
pub(crate) struct Words {
    /// Its address without the query.
    shown: String,
    /// The keys of the sink that its credentials are written with.
    pub keys: &'static str,
    /// What must not be shown, each as it stands in a request.
    secrets: Vec<String>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Words {
    /// For the receiver at this address; `secrets` are never shown, whoever repeats them.
    pub(crate) fn new(shown: &str, auth: &Auth, secrets: Vec<String>) -> Self {
        let secrets: Vec<String> = secrets.into_iter().filter(|secret| !secret.is_empty()).collect();
        let mut words = Self { shown: String::new(), keys: auth.keys(), secrets };
        words.shown = words.clean(shown, ADDRESS_MAX);
        words
    }

    /// One sentence, as it may be shown.
    pub(crate) fn sentence(&self, text: &str) -> String {
        self.clean(text, SENTENCE_MAX)
    }

    /// `; it said: …` of an answer that has text.
    pub(crate) fn said(&self, answer: &[u8]) -> String {
        let mut text = &answer[..answer.len().min(LOOKED_AT)];
        // A secret may stand at the cut: none of it is shown that could be its beginning.
        if text.len() < answer.len() {
            let longest = self.secrets.iter().map(String::len).max().unwrap_or(0);
            text = &text[..text.len().saturating_sub(longest)];
        }
        let text = self.clean(&String::from_utf8_lossy(text), QUOTED_MAX);
        if text.is_empty() { text } else { format!("; it said: {text}") }
    }

    /// A failure of which nothing but the sentence is known.
    pub(crate) fn failure(&self, what: &str) -> Failure {
        let why = self.sentence(&format!("{} {what}", self.shown));
        Failure { why, after: None, too_large: false }
    }

    fn clean(&self, text: &str, max: usize) -> String {
        let printable: String = text.chars().map(|c| if is_control_or_bidi(c) { ' ' } else { c }).collect();
        let mut words = printable;
        for secret in &self.secrets {
            if words.contains(secret.as_str()) {
                words = words.replace(secret.as_str(), "***");
            }
        }
        let mut short: String = words.trim().chars().take(max).collect();
        if short.len() < words.trim().len() {
            short.pop();
            short.push('…');
        }
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_has_a_secret_or_a_control_character() {
        let words = Words::new("https://siem/x", &Auth::None, vec!["s3cret-token".to_owned(), String::new()]);
        let said = words.said(b"bad token\x1b[2J\r\n's3cret-token' \xff\xe2\x80\xae!");
        assert_eq!(said, "; it said: bad token [2J  '***' \u{fffd} !");
        assert_eq!(words.said(b" \r\n"), "");
        let long = words.sentence(&"s3cret-token ".repeat(400));
        assert_eq!(long.chars().count(), SENTENCE_MAX);
        assert!(!long.contains("s3c") && long.ends_with('…'), "{long}");
        let mut answer = vec![b'x'; LOOKED_AT - 4];
        answer.extend(b"s3cret-token");
        assert!(!words.said(&answer).contains("s3c"));
        assert!(!format!("{words:?}").contains("s3c"));
    }
}
