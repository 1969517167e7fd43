//! What this kernel and these privileges allow.

use serde::{Deserialize, Serialize};

use super::status::{Hook, Kernel};

/// The reply to `GET /v1/doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoctorReport {
    pub kernel: Kernel,
    /// Every check, in the order in which one would fix them.
    pub checks: Vec<Check>,
    /// Every hook the daemon knows, in use or not.
    pub hooks: Vec<Hook>,
}

/// One check of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Check {
    /// A stable identifier, such as `cgroup2`.
    pub id: String,
    pub result: CheckResult,
    /// What was found, in one sentence.
    pub found: String,
    /// What to do about it; `null` if nothing.
    pub remedy: Option<String>,
}

/// The result of a check, ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckResult {
    /// Nothing to do.
    Ok,
    /// The daemon runs and sees less.
    Degraded,
    /// The daemon cannot run.
    Failed,
}

impl DoctorReport {
    /// The worst result of all checks; `Ok` if there are none.
    #[must_use]
    pub(crate) fn worst(&self) -> CheckResult {
        self.checks.iter().map(|check| check.result).max().unwrap_or(CheckResult::Ok)
    }
}
