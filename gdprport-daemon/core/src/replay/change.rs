//! What was said then and what would be said now.

use serde::{Serialize, Serializer};

use crate::ledger::VerdictKey;

/// What another policy says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Now {
    /// It judges it. `Undecided`: the ledger does not have what would decide it.
    Judged(VerdictKey),
    /// It does not watch the port: nothing of it would be seen.
    Unwatched,
}

impl Now {
    /// `declared`, `violation`, `undecided` or `unwatched`.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Judged(verdict) => verdict.outcome(),
            Self::Unwatched => "unwatched",
        }
    }
}

impl Serialize for Now {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Unwatched {
            outcome: &'static str,
        }
        match self {
            Self::Judged(verdict) => verdict.serialize(serializer),
            Self::Unwatched => Unwatched { outcome: self.outcome() }.serialize(serializer),
        }
    }
}

/// What would change, ascending by how soon somebody has to look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was declared, and would be a violation.
    DeclaredToViolation,
    /// It was a violation, and would be declared.
    ViolationToDeclared,
    /// It was watched, and would not be.
    ToUnwatched,
    /// It was undecided, and would be a violation.
    UndecidedToViolation,
    /// It was declared, and the ledger does not have what would decide it.
    DeclaredToUndecided,
    /// It was a violation, and the ledger does not have what would decide it.
    ViolationToUndecided,
    /// It was undecided, and would be declared.
    UndecidedToDeclared,
    /// It stays a violation, for other reasons.
    OtherReasons,
    /// It stays declared, by another rule.
    OtherRule,
    /// It was undecided, and the ledger does not have what would decide it.
    StaysUndecided,
    /// Nothing.
    Same,
}

impl Change {
    /// From what was said to what would be said.
    #[must_use]
    pub fn of(then: &VerdictKey, now: &Now) -> Self {
        use VerdictKey::{Declared, Undecided, Violation};
        let Now::Judged(now) = now else { return Self::ToUnwatched };
        match (then, now) {
            (Declared { .. }, Violation { .. }) => Self::DeclaredToViolation,
            (Declared { .. }, Undecided { .. }) => Self::DeclaredToUndecided,
            (Declared { rule: then }, Declared { rule: now }) if then == now => Self::Same,
            (Declared { .. }, Declared { .. }) => Self::OtherRule,
            (Violation { .. }, Declared { .. }) => Self::ViolationToDeclared,
            (Violation { .. }, Undecided { .. }) => Self::ViolationToUndecided,
            (Violation { reasons: then, .. }, Violation { reasons: now, .. }) if then == now => Self::Same,
            (Violation { .. }, Violation { .. }) => Self::OtherReasons,
            (Undecided { .. }, Declared { .. }) => Self::UndecidedToDeclared,
            (Undecided { .. }, Violation { .. }) => Self::UndecidedToViolation,
            (Undecided { .. }, Undecided { .. }) => Self::StaysUndecided,
        }
    }

    /// Whether somebody has to look at it.
    #[must_use]
    pub const fn is_notable(self) -> bool {
        !matches!(self, Self::OtherRule | Self::Same)
    }
}
