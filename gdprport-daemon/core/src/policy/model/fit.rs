//! What is known of whether a demand is met: a logic of three values, and of evidence that was withheld.

/// What is known of one key of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Matches,
    Fails,
    Unknown,
    /// Not known because the process itself saw to that: never a match, whatever it is.
    Withheld,
}

impl Fit {
    /// Of two demands: both must match.
    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Withheld, _) | (_, Self::Withheld) => Self::Withheld,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Matches, Self::Matches) => Self::Matches,
        }
    }

    /// Of two alternatives: one must match.
    pub(super) const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Matches, _) | (_, Self::Matches) => Self::Matches,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Withheld, _) | (_, Self::Withheld) => Self::Withheld,
            (Self::Fails, Self::Fails) => Self::Fails,
        }
    }
}
