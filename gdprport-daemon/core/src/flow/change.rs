//! What happened to a flow, as the table reports it.

use super::types::Flow;
use crate::verdict::{ReasonSet, Verdict};

/// What happened to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is open, and its owner is as well known as it will be soon.
    Opened,
    /// It goes on: bytes were read, the owner became better known, or the verdict changed.
    Updated,
    /// Its encryption became known, or more of it.
    PostureKnown,
    /// The connect failed; it never was open.
    Failed,
    /// It ended.
    Closed,
    /// It left the table; nothing but perhaps its end will be reported about it.
    Removed(Removal),
}

/// Why a flow that may go on left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The table was full, and it was the oldest.
    TableFull,
    /// Its port is not watched any more.
    Unwatched,
}

/// A change, with all that is known of the flow after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The flow.
    pub flow: Flow,
    /// Reasons of a violation that were not reported for this flow since it was last found in order.
    pub new_reasons: ReasonSet,
    /// What the verdict was when the flow was last reported; `None` if it is reported for the first time.
    pub was: Option<Standing>,
}

impl Change {
    /// True if a violation is to be reported: the first of the flow, or one for more reasons than before.
    #[must_use]
    pub const fn is_new_violation(&self) -> bool {
        !self.new_reasons.is_empty()
    }
}

/// A verdict without its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A rule allows it.
    Declared,
    /// Evidence is missing.
    Undecided,
    /// No rule allows it, or a demand is not met.
    Violation,
}

impl From<&Verdict> for Standing {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Declared { .. } => Self::Declared,
            Verdict::Undecided { .. } => Self::Undecided,
            Verdict::Violation { .. } => Self::Violation,
        }
    }
}
