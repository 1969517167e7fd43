//! How an audit differs from the one before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::Finding;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was never found before.
    New,
    /// Its severity, its message, what it rests on, or whether it is accepted is another one.
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
