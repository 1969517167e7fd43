//! What is said over the control socket, as types: every answer, with the unit of every number.
//!
//! Belongs here: plain values with their JSON form, and what follows from them alone (`Status::health`).
//! Fields are only ever added within `v1`. Does not belong here: transport (`server`, `client`).

mod doctor;
mod flows;
mod health;
#[cfg(any(test, fuzzing))]
pub(crate) mod samples;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use doctor::{Check, CheckResult, DoctorReport};
pub use flows::{FlowQuery, FlowRow, FlowState, FlowsReply, VerdictOutcome, VerdictRow};
pub use health::{Health, HealthState};
pub use status::{
    ControlStatus, Coverage, Hook, HookState, Kernel, KernelCounts, Memory, OwnerStatus, Pins, PolicySource,
    PolicyStatus, PortStatus, Reload, SinkStatus, Status, Unresolved,
};

/// How many, by reason. The reasons are stable identifiers such as `ring-full`.
pub type Counts = BTreeMap<Arc<str>, u64>;

/// The answer of `GET /v1/status`: the status and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReply {
    /// Whether the daemon does all that it should, in one word and the reasons.
    pub health: Health,
    /// The facts.
    #[serde(flatten)]
    pub status: Status,
}

/// The answer of `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReply {
    /// Whether the policy read is now in force; if not, the one before still is.
    pub applied: bool,
    /// Digest of the policy in force after the reload, `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Every problem with file, line and column, as text of several lines; empty when applied.
    pub problems: String,
    /// What is accepted and yet suspicious, as text of several lines; empty if nothing is, or not applied.
    pub warnings: String,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// One sentence: what, why, and what to do.
    pub error: String,
}

/// The answer of `GET /`: what can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The daemon's version.
    pub version: String,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint of the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The HTTP method.
    pub method: String,
    /// The path, with its query parameters.
    pub path: String,
    /// What it does, in one sentence.
    pub does: String,
}
