//! How much an event matters, and a verdict in it. What decides it for every kind: [`Body::severity`](super::Body::severity).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdict::{Reason, ReasonId, Verdict};

/// How much an event matters, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As declared, or about the daemon itself.
    Info,
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look now.
    High,
}

impl Severity {
    /// The identifier used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// How much a verdict matters. `accepted`: exceptions of the policy accept the violation. `catalog_only`: no policy is
    /// active, so that the catalog only suspects.
    pub(super) fn of_verdict(verdict: &Verdict, accepted: bool, catalog_only: bool) -> Self {
        match verdict {
            Verdict::Declared { .. } => Self::Info,
            Verdict::Undecided { .. } => Self::Low,
            Verdict::Violation { .. } if catalog_only || accepted => Self::Low,
            Verdict::Violation { reasons, .. } => {
                reasons.iter().map(|reason| weight(reason.id)).max().unwrap_or(Self::Medium)
            }
        }
    }
}

/// The reason of a violation that decides its severity: the first of those that matter most.
#[must_use]
pub fn gravest(verdict: &Verdict) -> Option<&Reason> {
    // `max_by_key` takes the last of several.
    verdict.reasons().iter().rev().max_by_key(|reason| weight(reason.id))
}

const fn weight(reason: ReasonId) -> Severity {
    match reason {
        ReasonId::UndeclaredPeer
        | ReasonId::UndeclaredProcess
        | ReasonId::Unattributable
        | ReasonId::Plaintext
        | ReasonId::TlsRefused
        | ReasonId::NotTls
        | ReasonId::ExposedListener => Severity::High,
        ReasonId::UndeclaredPort
        | ReasonId::UndeclaredDirection
        | ReasonId::WeakTls
        | ReasonId::RuleExpired
        | ReasonId::VolumeExceeded
        | ReasonId::UndeclaredListener => Severity::Medium,
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
