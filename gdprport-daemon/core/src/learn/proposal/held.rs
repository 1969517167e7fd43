//! What is proposed as a comment only: why, and how it is known again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::group::{Group, Standing};
use crate::ledger::VerdictKey;
use crate::model::Attribution;
use crate::replay::Now;

/// How a proposal is known again. No comment that repeats a text from outside begins so: those have a space behind the `#`.
const MARK: &str = "#proposal ";

/// How many digits tell proposals apart: 48 bits.
const DIGITS: usize = 12;

/// Why a group is no rule in force; empty: it may be one. Sentences.
pub(super) fn why(group: &Group<'_>, include_violations: bool) -> Vec<String> {
    let mut why = Vec::new();
    if let Err(reason) = &group.key.who {
        why.push(format!("No rule can ask for this process: {reason}."));
    }
    if let (Ok(_), Some(how)) = (&group.key.who, inexact(group.key.attribution)) {
        why.push(format!("The process is known by {how} only, and not from its own call."));
    }
    if let Err(reason) = group.key.place {
        why.push(format!("No rule can name these peers: {reason}."));
    }
    if group.key.standing == Standing::Violation && !include_violations {
        why.push(was(group));
    }
    why
}

/// What the policy of then said against it.
pub(super) fn was(group: &Group<'_>) -> String {
    let reasons: Vec<_> = group.reasons.iter().map(|reason| reason.as_str()).collect();
    // With --include-violations a rule has both what was allowed and what was not.
    let subject = if group.key.standing == Standing::Violation { "It" } else { "Some of it" };
    format!("{subject} was a violation of the policy of then: {}.", reasons.join(", "))
}

/// What a policy that was asked says, if that is what keeps it from being a rule.
pub(super) fn by_policy(group: &Group<'_>) -> String {
    let Some(judged) = &group.judged else { return String::new() };
    match &judged.now {
        Now::Judged(VerdictKey::Undecided { .. }) => {
            let missing = judged.missing.first().map_or("", String::as_str);
            format!("Whether this policy allows it the ledger cannot say: {missing}.")
        }
        Now::Judged(VerdictKey::Violation { reasons, .. }) => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.as_str()).collect();
            format!("It is a violation of this policy: {}.", reasons.join(", "))
        }
        Now::Judged(VerdictKey::Declared { .. }) | Now::Unwatched => String::new(),
    }
}

const fn inexact(attribution: Attribution) -> Option<&'static str> {
    match attribution {
        Attribution::Exact => None,
        Attribution::Listener => Some("who listened"),
        Attribution::Snapshot => Some("who had the socket open later"),
        Attribution::Unknown => Some("nothing"),
    }
}

/// By what the same group is known again, whatever its counts and times.
pub(super) fn id(group: &Group<'_>) -> String {
    let key = &group.key;
    let mut text = format!("{} {} {} ", key.number, key.remote, key.direction);
    let _ = write!(text, "{:?} {:?} {:?} {:?}", key.who, key.attribution, key.place, key.standing);
    for peer in group.peers.keys() {
        let _ = write!(text, " {peer}");
    }
    digits(&text)
}

/// Groups that are known again together: of one number, and under one declaration.
pub(super) type Together = (u16, bool, Option<Arc<str>>);

/// Together with which others a group is known again.
pub(super) fn together(group: &Group<'_>) -> Together {
    (group.key.number, group.key.remote, group.claim.clone())
}

/// By what several are known again.
pub(super) fn id_of_all(ids: &BTreeSet<String>) -> String {
    digits(&ids.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
}

fn digits(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut digits = digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    digits.truncate(DIGITS);
    digits
}

/// The line by which a proposal is known again.
pub(super) fn mark(id: &str) -> String {
    format!("{MARK}{id}")
}

/// The proposals that a text has.
pub(super) fn marks(text: &str) -> BTreeSet<String> {
    let ids = text.lines().filter_map(|line| line.trim().strip_prefix(MARK));
    ids.map(|id| id.trim().to_owned()).collect()
}
