//! How connections are decided in the kernel.

use std::sync::Arc;

use gdprport_core::figures::{counted, thousands};
use serde::{Deserialize, Serialize};

/// How connections of the ports with a mode are decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnforcementStatus {
    /// Why nothing is decided, so that nothing is denied; `null` while it is.
    pub error: Option<String>,
    /// Whether tables are being written, of another policy or of this one again. What is in force stays so until they are.
    #[serde(default)]
    pub writing: bool,
    /// Whether this host translates addresses: a connect that no rule allows may then lead to a peer that one allows, and is
    /// unknown.
    #[serde(default)]
    pub translates: bool,
    /// Programs, users, groups and cgroups that appeared and found no room: what rules with patterns or names say of them is
    /// unknown.
    #[serde(default)]
    pub unlisted: u64,
    /// Whether a port shall be closed once the daemon is lost (`on_daemon_loss = "deny"`), and would be open, as nothing is pinned.
    #[serde(default)]
    pub unpinned: bool,
    /// The deliverer's sinks whose port has a mode. They are not denied; unless a rule allows the deliverer, they are violations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<Arc<str>>,
    /// Why what arrives is not decided although connects are; absent: it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals_pass: Option<String>,
    /// What became of connections that were to be ended.
    #[serde(default)]
    pub endings: EndingStatus,
    /// What became of connects since the daemon started, or since one before it that it took over from.
    pub decisions: Decisions,
    /// The same of connections that arrive: when they are established, and of those that are denied when their SYN is.
    #[serde(default)]
    pub arrivals: Decisions,
    /// SYNs of attempts that were denied before, and came again. They are among nothing else.
    #[serde(default)]
    pub repeated: u64,
    /// The same as `decisions` of sockets that were bound to a port with `listener = "deny"`; absent: there is no such port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binds: Option<Decisions>,
    /// Why who listens is not decided although the policy asks for it; absent: it is, or there is no such port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binds_pass: Option<String>,
}

/// What became of connections that were to be ended because the policy denies them (`existing` and `posture = "reset"`):
/// `asked = ended + gone + failed` and those under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EndingStatus {
    /// Connections that were to be ended.
    pub asked: u64,
    /// The kernel has ended them.
    pub ended: u64,
    /// They had ended before.
    pub gone: u64,
    /// They could not be ended.
    pub failed: u64,
    /// Of these, those that are open.
    pub going_on: u64,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why none can be ended, although the policy asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unable: Option<String>,
}

/// What became of connections of ports with a mode: `asked = left + allowed + unknown + would_deny + denied + unsettled`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Decisions {
    /// Connections of their numbers.
    pub asked: u64,
    /// Passed: no declaration with a mode is about this peer, or nothing was in force.
    pub left: u64,
    /// Passed: a rule allows them.
    pub allowed: u64,
    /// Passed: whether a rule allows them was not known in time.
    pub unknown: u64,
    /// Passed because of `mode = "warn"`.
    pub would_deny: u64,
    /// Denied.
    pub denied: u64,
    /// Passed undecided: policies changed meanwhile.
    pub unsettled: u64,
}

impl EnforcementStatus {
    /// What is not as the policy asks for, one short clause each.
    pub(crate) fn defects(&self) -> impl Iterator<Item = String> {
        let error = self
            .error
            .as_ref()
            .map(|why| format!("not-enforcing: connections are not decided, nothing is denied: {why}"));
        let decided = error.is_none();
        let translated = (decided && self.translates).then(|| {
            "not-enforcing in full: this host translates addresses, so that a connection which no rule allows is unknown".to_owned()
        });
        let unlisted = (decided && self.unlisted > 0).then(|| {
            format!(
                "not-enforcing in full: {} programs, users or cgroups found no room in the kernel's tables",
                thousands(self.unlisted)
            )
        });
        let unpinned = (decided && self.unpinned).then(|| {
            "not-enforcing in full: `on_daemon_loss = \"deny\"` needs pins (`--pin`); without them everything passes once the daemon is lost"
                .to_owned()
        });
        let passing = self.arrivals_pass.as_ref().filter(|_| decided);
        let passing = passing
            .map(|why| format!("not-enforcing in full: what arrives is not decided, and passes: {why}"));
        let EndingStatus { going_on, error: why, unable, .. } = &self.endings;
        let unable = unable.as_ref().map(|why| {
            format!("not-enforcing in full: connections that the policy denies cannot be ended: {why}")
        });
        let failed = (*going_on > 0).then(|| {
            format!(
                "not-enforcing in full: {} could not be ended: {}",
                counted(*going_on, "connection"),
                why.as_deref().unwrap_or("it is not known why")
            )
        });
        let binds = self.binds_pass.as_ref().filter(|_| decided);
        let binds = binds.map(|why| format!("not-enforcing in full: who listens is not decided: {why}"));
        [error, translated, unlisted, unpinned, passing, binds, unable, failed].into_iter().flatten()
    }
}
