//! How an audit differs from the one before.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Accepted, Finding};
use super::wording::{BOUND_TO, EXECUTABLE, KNOWN_BY, MISSING, REACHED_BY};

/// Evidence whose value is compared too: nothing is counted in it, and no time passes.
const STEADY: [&str; 5] = [BOUND_TO, EXECUTABLE, KNOWN_BY, MISSING, REACHED_BY];

/// How a finding differs from what was known before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingChange {
    /// What changed.
    pub change: Change,
    /// The finding as it is now; of one that is settled, as it was last.
    pub finding: Finding,
    /// When it was found for the first time.
    pub since: Timestamp,
    /// When the change was noticed.
    pub at: Timestamp,
}

/// What changed. Names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was never found before.
    New,
    /// Its severity, a kind of evidence, what has no count in it (addresses, executables), or the exception that accepts it is
    /// another one.
    Changed,
    /// It is not found any more.
    Settled,
    /// It was settled and is found again.
    Reopened,
}

impl Change {
    /// The identifier used in the ledger and in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Settled => "settled",
            Self::Reopened => "reopened",
        }
    }
}

/// Whether a finding says something else than before. Its sentence and most of its evidence count what happened and how long
/// ago, from audit to audit another number: of these only the kinds are compared.
#[must_use]
pub fn is_changed(before: &Finding, now: &Finding) -> bool {
    before.severity != now.severity
        || exception(before) != exception(now)
        || evidence(before) != evidence(now)
}

fn exception(finding: &Finding) -> Option<(&str, &str, jiff::civil::Date)> {
    let Accepted { why, by, until, place: _ } = finding.accepted.as_ref()?;
    Some((&**why, &**by, *until))
}

fn evidence(finding: &Finding) -> Vec<(&str, Option<&str>)> {
    let steady = |what: &str| STEADY.contains(&what);
    let all = finding.evidence.iter();
    all.map(|evidence| (&*evidence.what, steady(&evidence.what).then_some(&*evidence.value))).collect()
}
