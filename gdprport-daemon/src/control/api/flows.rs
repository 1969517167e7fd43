//! The open flows, one row each.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use gdprport_core::event::{Flow, Port};
use gdprport_core::model::{Direction, Endpoint, Posture, Process};
use gdprport_core::privacy::Applied;
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{Accepted, Nearest, Reason, Verdict};

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
    /// Rows at most: 10 to 20 MB of JSON (containers have names of some 600 bytes), some tens of milliseconds of work.
    pub(crate) const MAX_LIMIT: usize = 10_000;

    /// Whether a flow on this port with this verdict matches.
    #[must_use]
    pub(crate) fn wants(&self, name: &str, number: u16, verdict: &Verdict) -> bool {
        (!self.violations || matches!(verdict, Verdict::Violation { .. })) && self.wants_port(name, number)
    }

    /// Whether this port matches.
    #[must_use]
    pub(crate) fn wants_port(&self, name: &str, number: u16) -> bool {
        is_port(self.port.as_deref(), name, number)
    }
}

/// Whether a port is the one that is wanted, by its name or number, or any is.
pub(super) fn is_port(wanted: Option<&str>, name: &str, number: u16) -> bool {
    wanted.is_none_or(|wanted| wanted == name || wanted.parse() == Ok(number))
}

/// The reply to `GET /v1/flows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowsReply {
    /// Whether the port of the query is watched; true if it names none.
    pub watched: bool,
    /// Flows that match, listed or not.
    pub matching: u64,
    /// What stands here instead of addresses of peers and names of persons; absent: they are true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Applied>,
    /// The first `limit` of them, oldest first.
    pub flows: Vec<FlowRow>,
}

/// One open flow. `port`, `flow`, `process`, `peer_process`, `posture` and `verdict` are the objects of events, so that what
/// reads the ones reads the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowRow {
    /// The port, as in events.
    pub port: Shared<Port>,
    /// The flow, as in events; its counts are as of the reply. What a list shows of it stands beside it as well.
    pub flow: Flow,
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    pub peer: Endpoint,
    /// The owner, with how it is known; `null` if nothing is known.
    pub process: Option<Shared<Process>>,
    /// The owner of the other end, where that is a socket of this host and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_process: Option<Shared<Process>>,
    /// How it is encrypted; `null` while nothing decides it.
    #[serde(default)]
    pub posture: Option<Shared<Posture>>,
    /// The verdict of the policy.
    pub verdict: VerdictRow,
    /// The exceptions of the policy that accept every reason of the violation, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Shared<Accepted>>,
    /// When it was established, or first seen if it is older than the daemon.
    pub opened: Timestamp,
}

/// A verdict in the form that events have too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VerdictRow {
    pub outcome: VerdictOutcome,
    /// Every reason of a violation; empty otherwise.
    pub reasons: Vec<Reason>,
    /// The role of the rule that allowed it; `null` otherwise.
    pub rule: Option<Arc<str>>,
    /// The rule that came closest, if any.
    pub nearest: Option<Nearest>,
    /// The missing evidence; absent unless undecided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

#[cfg(test)]
mod tests {
    use gdprport_core::event::{Kind, samples};
    use serde_json::Value;

    /// What reads an event's objects reads a row's: a field of the one is a field of the other.
    #[test]
    fn a_row_has_the_names_of_an_event() {
        let rows = serde_json::to_value(super::super::samples::flows()).expect("plain data");
        let event = serde_json::to_value(samples::event(Kind::FlowOpen)).expect("plain data");
        let names = |value: &Value| -> Vec<String> {
            let fields = value.as_object().expect("an object").keys();
            // Left out of a sample that has none.
            fields
                .filter(|name| !["script", "container", "slice"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        for object in ["port", "flow", "process", "verdict"] {
            assert_eq!(names(&rows[0][object]), names(&event[object]), "{object}");
        }
        for end in ["local", "peer"] {
            assert_eq!(rows[0]["flow"][end]["port"], rows[0][end]["port"], "{end}");
        }
    }
}
