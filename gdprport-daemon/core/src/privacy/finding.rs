//! What is shown of an audit's finding.
//!
//! Its addresses are this host's own, the policy's, or the ledger's, which are shown already. A look at the host names
//! programs and units as they are.

use std::borrow::Cow;

use super::account::names_pseudonym;
use super::settings::Privacy;
use crate::audit::Finding;

/// What stands around a path or a unit in a sentence.
const AROUND: [char; 8] = ['(', ')', ',', ';', ':', '.', '`', '"'];

impl Privacy {
    /// Makes of a finding what leaves the daemon. Its fingerprint stays that of what it is about.
    pub fn finding(&self, finding: &mut Finding) {
        let replace = |text: &mut String| {
            if let Cow::Owned(shown) = self.in_words(text) {
                *text = shown;
            }
        };
        replace(&mut finding.message);
        finding.evidence.iter_mut().for_each(|evidence| replace(&mut evidence.value));
        if let Some(proposal) = &mut finding.proposal {
            replace(&mut proposal.what);
        }
        if let Some(process) = &mut finding.subject.process
            && let Cow::Owned(shown) = self.in_words(process)
        {
            *process = shown.into();
        }
    }

    /// What is shown of a sentence or a list in which paths and units stand.
    fn in_words<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = String::with_capacity(text.len());
        for piece in text.split_inclusive(char::is_whitespace) {
            let word = piece.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(&c));
            let is_shown = word.is_empty() || names_pseudonym(word);
            let new = if is_shown { Cow::Borrowed(word) } else { self.policy_text(word) };
            let (before, behind) = piece.split_once(word).unwrap_or((piece, ""));
            shown.push_str(before);
            shown.push_str(&new);
            shown.push_str(behind);
        }
        if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
    }
}
