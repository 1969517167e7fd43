//! The bodies of replies that are not facts about one subject: status with health, reload, errors, the index.

use std::sync::Arc;

use gdprport_core::model::{Direction, Endpoint};
use serde::{Deserialize, Serialize};

use super::health::Health;
use super::status::Status;

/// The reply to `GET /v1/status`: the status and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StatusReply {
    /// Whether the daemon does all that it should: one word and the reasons.
    pub health: Health,
    #[serde(flatten)]
    pub status: Status,
}

/// The reply to `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReloadReply {
    /// Whether the policy read is now active; if not, the previous one still is.
    pub applied: bool,
    /// Digest of the active policy after the reload, `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Every problem with file, line and column, as text of several lines; empty when applied.
    pub problems: String,
    /// What is accepted but suspicious, as text of several lines; empty if nothing is, or not applied.
    pub warnings: String,
    /// Connections that are open and that the policy denies; absent if there are none on ports with a mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<ExistingFlows>,
}

impl ReloadReply {
    /// One that says no more than this.
    #[must_use]
    pub(crate) const fn new(applied: bool, digest: String, problems: String) -> Self {
        Self { applied, digest, problems, warnings: String::new(), existing: None }
    }
}

/// Connections that were open when a policy came into force, and that it denies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExistingFlows {
    /// Those that are ended: `daemon status` says what became of it.
    pub ended: u64,
    /// Those that are ended if the policy, which is on trial, is confirmed.
    pub to_end: u64,
    /// Those that go on.
    pub kept: u64,
    /// The first of them, 5 at most.
    pub first: Vec<ExistingFlow>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExistingFlow {
    /// The name of its port.
    pub port: Arc<str>,
    pub direction: Direction,
    pub local: Endpoint,
    pub peer: Endpoint,
    /// The file that its process runs; `null`: not known.
    pub exe: Option<String>,
    pub pid: Option<u32>,
    /// `ended`, `to-end` or `kept`.
    pub becomes: String,
}

/// The reply to `POST /v1/findings`: how the audit differs from the one before. Each of these is an event, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordReply {
    /// Findings that were never found before.
    pub new: u64,
    /// Findings of another severity or kind of evidence, or that are accepted now or not any more.
    pub changed: u64,
    /// What is not found any more.
    pub settled: u64,
    /// What was settled and is found again.
    pub reopened: u64,
}

/// The body of every reply that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ErrorReply {
    /// One sentence: what, why, and what to do.
    pub error: String,
}

/// The reply to `GET /`: the endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub version: String,
    pub endpoints: Vec<EndpointInfo>,
}

/// One endpoint of the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndpointInfo {
    pub method: String,
    /// The path, with its query parameters.
    pub path: String,
    /// What it does, in one sentence.
    pub does: String,
}
