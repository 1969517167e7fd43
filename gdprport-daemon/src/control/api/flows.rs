//! The open flows, one row each.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use gdprport_core::model::{Direction, Endpoint, Posture, Process};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{Nearest, Reason, Verdict};

/// Which flows to list: the query of `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowQuery {
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
    pub(crate) const DEFAULT_LIMIT: usize = 1_000;
    /// Rows at most: about 10 MB of JSON, some tens of milliseconds of work.
    pub(crate) const MAX_LIMIT: usize = 10_000;

    /// Whether a flow on this port with this verdict matches.
    #[must_use]
    pub(crate) fn wants(&self, name: &str, number: u16, verdict: &Verdict) -> bool {
        (!self.violations || matches!(verdict, Verdict::Violation { .. })) && self.wants_port(name, number)
    }

    /// Whether this port matches.
    #[must_use]
    pub(crate) fn wants_port(&self, name: &str, number: u16) -> bool {
        self.port.as_deref().is_none_or(|port| port == name || port.parse() == Ok(number))
    }
}

/// The reply to `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowsReply {
    /// Whether the port of the query is watched; true if it names none.
    pub watched: bool,
    /// Flows that match, listed or not.
    pub matching: u64,
    /// The first `limit` of them, oldest first.
    pub flows: Vec<FlowRow>,
}

/// One open flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowRow {
    /// Community ID v1 of the connection: both ends of a loopback connection share it.
    pub id: String,
    /// The local socket's cookie in hexadecimal digits: distinguishes the two ends.
    pub cookie: String,
    /// The port's name by declaration or catalog.
    pub port: Arc<str>,
    /// The GDPR port's number.
    pub number: u16,
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    pub peer: Endpoint,
    /// The owner, with how it is known; `null` if nothing is known.
    pub process: Option<Shared<Process>>,
    /// How it is encrypted; `null` while nothing decides it.
    #[serde(default)]
    pub posture: Option<Shared<Posture>>,
    /// The verdict of the policy.
    pub verdict: VerdictRow,
    /// When it was established, or first seen if it is older than the daemon.
    pub opened: Timestamp,
    /// Application bytes sent so far; `null` before the first count.
    pub bytes_sent: Option<u64>,
    /// Application bytes received so far; `null` before the first count.
    pub bytes_received: Option<u64>,
}

/// A verdict in the form that events have too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VerdictRow {
    pub outcome: VerdictOutcome,
    /// The role of the rule that allowed it; `null` otherwise.
    pub rule: Option<Arc<str>>,
    /// Every reason of a violation; empty otherwise.
    pub reasons: Vec<Reason>,
    /// The rule that came closest, if any.
    pub nearest: Option<Nearest>,
    /// The missing evidence; empty unless undecided.
    pub missing: Vec<String>,
}

/// The three outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VerdictOutcome {
    /// A rule allows it.
    Declared,
    /// No rule allows it.
    Violation,
    /// Evidence is missing.
    Undecided,
}

impl VerdictOutcome {
    /// As in events and tables.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
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
