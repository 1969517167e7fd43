//! The open flows, one row each.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use gdprport_core::model::{Attribution, Direction, Endpoint, Posture, Process};
use gdprport_core::verdict::{Nearest, Reason, Verdict};

/// Which flows to list: the query of `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowQuery {
    /// Only flows of the port with this name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Only flows in violation.
    #[serde(default)]
    pub violations: bool,
    /// At most this many rows, from 1 to `FlowQuery::MAX_LIMIT`.
    #[serde(default = "default_limit")]
    pub limit: usize,
}

const fn default_limit() -> usize {
    FlowQuery::DEFAULT_LIMIT
}

impl Default for FlowQuery {
    fn default() -> Self {
        Self { port: None, violations: false, limit: Self::DEFAULT_LIMIT }
    }
}

impl FlowQuery {
    /// Rows without `limit`.
    pub const DEFAULT_LIMIT: usize = 1_000;
    /// Rows at most: about 10 MB of JSON, some tens of milliseconds of work.
    pub const MAX_LIMIT: usize = 10_000;

    /// Whether a flow on this port with this verdict is asked for.
    #[must_use]
    pub fn wants(&self, name: &str, number: u16, verdict: &Verdict) -> bool {
        (!self.violations || matches!(verdict, Verdict::Violation { .. })) && self.wants_port(name, number)
    }

    /// Whether this port is asked for.
    #[must_use]
    pub fn wants_port(&self, name: &str, number: u16) -> bool {
        self.port.as_deref().is_none_or(|port| port == name || port.parse() == Ok(number))
    }
}

/// The answer of `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowsReply {
    /// Whether the port asked for is watched; true if none was asked for.
    pub watched: bool,
    /// Flows that match, listed or not.
    pub matching: u64,
    /// The first `limit` of them, oldest first.
    pub flows: Vec<FlowRow>,
}

/// One open flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRow {
    /// Community ID v1 of the connection: both ends of a loopback connection share it.
    pub id: String,
    /// The local socket's cookie in hexadecimal digits: tells the two ends apart.
    pub cookie: String,
    /// The port's name by declaration or catalog.
    pub port: Arc<str>,
    /// The GDPR port's number.
    pub number: u16,
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// The owner, with how it is known; `null` if nothing is known.
    pub process: Option<Arc<Process>>,
    /// How it is encrypted; `null` while nothing decides it.
    #[serde(default)]
    pub posture: Option<Arc<Posture>>,
    /// What the policy says.
    pub verdict: VerdictRow,
    /// When it was established, or first seen if it is older than the daemon.
    pub opened: Timestamp,
    /// Application bytes sent so far; `null` before the first count.
    pub bytes_sent: Option<u64>,
    /// Application bytes received so far; `null` before the first count.
    pub bytes_received: Option<u64>,
}

impl FlowRow {
    /// How the owner is known.
    #[must_use]
    pub fn attribution(&self) -> Attribution {
        self.process.as_ref().map_or(Attribution::Unknown, |process| process.attribution)
    }
}

/// A verdict in the form that events have too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictRow {
    /// The outcome.
    pub outcome: VerdictOutcome,
    /// The role of the rule that allowed it; `null` otherwise.
    pub rule: Option<Arc<str>>,
    /// Every reason of a violation; empty otherwise.
    pub reasons: Vec<Reason>,
    /// The rule that came closest, if any.
    pub nearest: Option<Nearest>,
    /// What evidence is missing, in words; empty unless undecided.
    pub missing: Vec<String>,
}

/// The three outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictOutcome {
    /// A rule allows it.
    Declared,
    /// No rule allows it.
    Violation,
    /// Evidence is missing.
    Undecided,
}

impl VerdictOutcome {
    /// The word used in events and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Violation => "violation",
            Self::Undecided => "undecided",
        }
    }
}

impl From<&Verdict> for VerdictRow {
    fn from(verdict: &Verdict) -> Self {
        let row = Self {
            outcome: VerdictOutcome::Undecided,
            rule: None,
            reasons: Vec::new(),
            nearest: None,
            missing: Vec::new(),
        };
        match verdict.clone() {
            Verdict::Declared { rule } => Self { outcome: VerdictOutcome::Declared, rule: Some(rule), ..row },
            Verdict::Violation { reasons, nearest } => {
                Self { outcome: VerdictOutcome::Violation, reasons, nearest, ..row }
            }
            Verdict::Undecided { missing, nearest } => Self { missing, nearest, ..row },
        }
    }
}
