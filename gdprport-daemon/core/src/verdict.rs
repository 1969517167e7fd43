//! The verdict of the policy on a flow or a listener: the outcome, every reason, and the rule that decided.
//!
//! Belongs here: the result types. How they are reached is `policy`'s.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a flow or a listener violates the policy. The identifiers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonId {
    /// The port carries personal data by the catalog and no declaration names it.
    UndeclaredPort,
    /// No rule allows this peer.
    UndeclaredPeer,
    /// No rule allows this process.
    UndeclaredProcess,
    /// A rule asks for evidence that the process itself withheld, or the port demands TLS of a socket whose first bytes it
    /// withheld.
    Unattributable,
    /// No rule allows connections in this direction.
    UndeclaredDirection,
    /// The port demands TLS, and the connection is not encrypted.
    Plaintext,
    /// The port demands a newer version of TLS than was negotiated, or what was negotiated is weak.
    WeakTls,
    /// The port demands TLS, and the server refused to upgrade the connection.
    TlsRefused,
    /// The port demands TLS, and what was sent is neither TLS nor a known request to upgrade to it, or does not go on as
    /// TLS.
    NotTls,
    /// The rule that would have allowed it is past its `until`.
    RuleExpired,
    /// A rule allows it, and has moved more than its `volume` in the window that goes on.
    VolumeExceeded,
    /// The listener is bound to an address that `listen` does not name.
    ExposedListener,
    /// A listener on a port that is not declared to be served here.
    UndeclaredListener,
}

impl ReasonId {
    /// The stable identifier used in events, tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UndeclaredPort => "undeclared-port",
            Self::UndeclaredPeer => "undeclared-peer",
            Self::UndeclaredProcess => "undeclared-process",
            Self::Unattributable => "unattributable",
            Self::UndeclaredDirection => "undeclared-direction",
            Self::Plaintext => "plaintext",
            Self::WeakTls => "weak-tls",
            Self::TlsRefused => "tls-refused",
            Self::NotTls => "not-tls",
            Self::RuleExpired => "rule-expired",
            Self::VolumeExceeded => "volume-exceeded",
            Self::ExposedListener => "exposed-listener",
            Self::UndeclaredListener => "undeclared-listener",
        }
    }

    /// All, in their order.
    pub const ALL: [Self; 13] = [
        Self::UndeclaredPort,
        Self::UndeclaredPeer,
        Self::UndeclaredProcess,
        Self::Unattributable,
        Self::UndeclaredDirection,
        Self::Plaintext,
        Self::WeakTls,
        Self::TlsRefused,
        Self::NotTls,
        Self::RuleExpired,
        Self::VolumeExceeded,
        Self::ExposedListener,
        Self::UndeclaredListener,
    ];

    /// Whether only a listener has it.
    #[must_use]
    pub const fn is_of_listeners(self) -> bool {
        matches!(self, Self::ExposedListener | Self::UndeclaredListener)
    }
}

impl fmt::Display for ReasonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ReasonSet(u16);

impl ReasonSet {
    /// No reason.
    pub(crate) const EMPTY: Self = Self(0);

    /// True if there is no reason in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if this reason is in it.
    #[must_use]
    pub const fn contains(self, id: ReasonId) -> bool {
        self.0 & Self::bit(id) != 0
    }

    /// Those of either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// One bit for each reason.
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    const fn bit(id: ReasonId) -> u16 {
        1 << id as u16
    }
}

impl From<&Verdict> for ReasonSet {
    /// The reasons of a violation; none for the other outcomes.
    fn from(verdict: &Verdict) -> Self {
        Self(verdict.reasons().iter().fold(0, |bits, reason| bits | Self::bit(reason.id)))
    }
}

/// One reason of a violation, or one piece of evidence that is still missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The stable identifier.
    pub id: ReasonId,
    /// The same as text, with the values that were compared.
    pub detail: String,
}

/// The rule that came closest to allowing a flow, and which of its keys failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nearest {
    /// The rule's role.
    pub role: Arc<str>,
    /// The keys that failed: `direction`, `peers`, `exe`, `user`, `group`, `unit`, `container`, `image`, `label`, `pod`,
    /// `namespace`, `workload`, `stated_by` (whose word about the container the rule does not take, also where it does not
    /// name the key), `cgroup`, `until`, `volume`, and `tls`, which is its port's.
    pub failed: Vec<String>,
}

/// That exceptions of the policy accept every reason of a violation, for a time. It stays a violation, with all its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Why, as the exception says.
    pub why: Arc<str>,
    /// By whom.
    pub by: Arc<str>,
    /// The last day, in UTC.
    #[schemars(with = "String")]
    pub until: Date,
    /// The other exceptions, where one accepts only some of the reasons; they end later, or on the same day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlsoAccepted>,
}

/// One more exception that was needed to accept a violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlsoAccepted {
    /// Why, as the exception says.
    pub why: Arc<str>,
    /// By whom.
    pub by: Arc<str>,
    /// The last day, in UTC.
    #[schemars(with = "String")]
    pub until: Date,
}

/// The verdict of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A rule allows it; the rule is named.
    Declared {
        /// The role of the rule that allowed it.
        rule: Arc<str>,
    },
    /// No rule allows it.
    Violation {
        /// Every reason, never empty, ordered by identifier.
        reasons: Vec<Reason>,
        /// The rule that came closest, if the port has any.
        nearest: Option<Nearest>,
    },
    /// Evidence is missing that would decide it; never counted as declared.
    Undecided {
        /// What is missing, never empty.
        missing: Vec<String>,
        /// The rule that would allow it, if the evidence were as it demands.
        nearest: Option<Nearest>,
    },
}

impl Verdict {
    /// `declared`, `violation` or `undecided`.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Declared { .. } => "declared",
            Self::Violation { .. } => "violation",
            Self::Undecided { .. } => "undecided",
        }
    }

    /// The reasons of a violation; empty for the other outcomes.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Violation { reasons, .. } => reasons,
            Self::Declared { .. } | Self::Undecided { .. } => &[],
        }
    }
}
