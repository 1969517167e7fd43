//! The objects of `policy.applied`, `daemon.start` and `daemon.stop`: the active policy and the daemon.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refs::PolicyRef;
use super::time;

/// A policy came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEvent {
    /// The policy.
    pub policy: AppliedPolicy,
}

/// A policy that came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedPolicy {
    /// `sha256:` and the digest of the policy as it was read.
    pub digest: Arc<str>,
    /// The digest of the policy that was active before; `null` at start.
    pub previous: Option<Arc<str>>,
    /// It is on trial: at this time it gives way to the one before, unless it is confirmed. Absent: it is not.
    #[serde(default, with = "time::option", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::option::schema")]
    pub trial_until: Option<Timestamp>,
    /// It is in force again, as the one that was on trial was taken back, or not confirmed in time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverted: bool,
    /// The files it was read from, in the order they were read.
    pub files: Vec<String>,
    /// Declarations in it.
    pub ports: u32,
    /// Rules in it.
    pub rules: u32,
    /// Problems that do not keep it from being applied, as text.
    pub warnings: Vec<String>,
}

/// The daemon began to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonStart {
    /// The daemon and what it watches with.
    pub daemon: DaemonInfo,
    /// The active policy; `null` if there is none and the catalog applies.
    pub policy: Option<PolicyRef>,
}

/// The daemon and what it watches with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonInfo {
    /// Its process id.
    pub pid: u32,
    /// Release of the running kernel, as `uname -r` prints it.
    pub kernel: Arc<str>,
    /// The kernel hooks it can use.
    pub hooks: Vec<Hook>,
    /// The daemon that had pinned its hooks before this one; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousDaemon>,
}

/// A daemon that had pinned its hooks before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreviousDaemon {
    /// Its version; `null` if that is not known.
    pub version: Option<Arc<str>>,
    /// The time of its last checkpoint: one every second, and one at its end.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub noted: Timestamp,
    /// Whether its hooks went on until now, and what they wrote was taken over.
    pub adopted: bool,
    /// Why it was not adopted, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// One kernel hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// Its name, as `cgroup/connect4`.
    pub name: Arc<str>,
    /// Whether it is in use.
    pub attached: bool,
    /// For a missing hook: why, and what cannot be seen without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The daemon stopped to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonStop {
    /// How it ended.
    pub daemon: DaemonEnd,
}

/// How a daemon ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonEnd {
    /// Its process id.
    pub pid: u32,
    /// Why: the signal, or the error.
    pub reason: String,
    /// Milliseconds since its start.
    pub uptime_ms: u64,
    /// Whether its hooks go on, for the next daemon to take over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}
