//! Secrets that a connection was made with, so that none is shown, whoever repeats it.

use std::fmt;

use gdprport_core::delivery::SecretRef;

use super::{Outcome, secret};

/// Texts that are kept: those of one connection, and of some before it that had others.
const KEPT_MAX: usize = 16;

/// Bytes of the least text that is hidden: fewer stand in any sentence by chance.
const HIDDEN_MIN: usize = 4;

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// Secrets that were read, and that no sentence shows.
#[derive(Default)]
pub(super) struct Hidden(Vec<String>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl Hidden {
    /// Reads a secret as text. Each of its lines is hidden from now on, also as it stands in JSON.
    ///
    /// # Errors
    /// One sentence without any of it.
    pub(super) async fn text(&mut self, place: &SecretRef) -> Result<String, String> {
        let text = secret::text(place).await?;
        for line in text.lines().map(str::trim) {
            self.keep(line);
            self.keep(serde_json::Value::from(line).to_string().trim_matches('"'));
        }
        Ok(text)
    }

    fn keep(&mut self, text: &str) {
        if text.len() < HIDDEN_MIN || self.0.iter().any(|kept| kept == text) {
            return;
        }
        if self.0.len() == KEPT_MAX {
            self.0.remove(0);
        }
        self.0.push(text.to_owned());
    }

    /// A text without any of them, nor the beginning of one where it was cut.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
            let cut = |length: &usize| secret.get(..*length).is_some_and(|begin| text.ends_with(begin));
            if let Some(length) = (HIDDEN_MIN..secret.len()).rev().find(cut) {
                text.truncate(text.len() - length);
                text.push_str(HIDDEN);
            }
        }
        text
    }

    /// The same for all that is said of a batch.
    pub(super) fn outcome(&self, mut outcome: Outcome) -> Outcome {
        for refused in &mut outcome.refused {
            refused.why = self.hide(&refused.why);
        }
        if let Some(failure) = &mut outcome.failure {
            failure.why = self.hide(&failure.why);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_hidden_whole_cut_and_as_json() {
        let mut hidden = Hidden::default();
        hidden.keep("hunter2-and-more");
        hidden.keep("pa\\\"ss");
        hidden.keep("abc");
        assert_eq!(hidden.hide("it said: hunter2-and-more!"), "it said: ***!");
        assert_eq!(hidden.hide("{\"pass\":\"pa\\\"ss\"}"), "{\"pass\":\"***\"}");
        assert_eq!(hidden.hide("cut at hunter2-"), "cut at ***");
        assert_eq!(hidden.hide("abc is too short to be hidden: hun"), "abc is too short to be hidden: hun");
        let outcome = hidden.outcome(Outcome::failed("no hunter2-and-more"));
        assert_eq!(outcome, Outcome::failed("no ***"));
        assert_eq!(format!("{hidden:?}"), "Hidden(…)");
    }

    #[test]
    fn no_more_is_kept_than_a_few() {
        let mut hidden = Hidden::default();
        for number in 0..100 {
            hidden.keep(&format!("secret-{}", number % 50));
        }
        assert_eq!(hidden.0.len(), KEPT_MAX);
    }
}
