//! Applying another policy: all of it or nothing, and evaluating again what is open.

use std::sync::Arc;

use gdprport_core::event::{AppliedPolicy, Body, PolicyEvent};
use gdprport_core::policy::{DnsNames, Policy, Problem};
use jiff::Timestamp;

use super::monitor::{Monitor, Unwatched};
use super::policy::{Loaded, PolicyError, PolicyFiles, Resolver, log_changes};
use crate::control::api::Reload;
use crate::host::probes::{LoadError, Probes};

/// Where the active policy came from and when.
#[derive(Debug)]
pub(super) struct PolicyState {
    files: PolicyFiles,
    resolver: Resolver,
    /// Paths of the active policy's files; empty for the catalog.
    pub loaded_from: Vec<String>,
    /// When it was applied.
    pub applied: Timestamp,
    /// The last attempt to reload, whatever its outcome.
    pub last_reload: Option<Reload>,
}

impl PolicyState {
    /// The state of a policy that was just loaded from `files`.
    #[must_use]
    pub(super) const fn new(
        files: PolicyFiles,
        loaded_from: Vec<String>,
        resolver: Resolver,
        now: Timestamp,
    ) -> Self {
        Self { files, resolver, loaded_from, applied: now, last_reload: None }
    }

    /// Reads the policy again: applied completely, or not at all.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays active.
    pub(super) fn reload(
        &mut self,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) -> Result<(), PolicyError> {
        let outcome = self.files.load();
        let error = outcome.as_ref().err();
        self.last_reload = Some(Reload {
            at: now,
            ok: error.is_none(),
            problems: error.map(ToString::to_string).unwrap_or_default(),
            problem_count: error.map_or(0, PolicyError::count),
        });
        let Loaded { policy, files } = outcome?;
        let previous: Arc<str> = monitor.active_policy.digest().into();
        let Unwatched { flows, listeners } = monitor.set_policy(policy, now);
        if flows + listeners > 0 {
            tracing::info!(
                flows,
                listeners,
                "open flows and listeners on ports that are no longer watched were dropped"
            );
        }
        self.loaded_from = files;
        self.applied = now;
        let policy = monitor.active_policy.policy();
        if let Err(error) = watch_ports(&mut monitor.evidence.kernel, policy) {
            tracing::error!(%error, "the kernel side does not watch all ports of the new policy");
        }
        tracing::info!(digest = policy.digest(), "the policy was applied");
        self.resolver.set_names(host_names(policy));
        self.announce(Some(previous), monitor, now);
        monitor.reevaluate(now);
        Ok(())
    }

    /// Sends which policy is active.
    pub(super) fn announce(&self, previous: Option<Arc<str>>, monitor: &mut Monitor<Probes>, now: Timestamp) {
        let policy = monitor.active_policy.policy();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let body = Body::PolicyApplied(Box::new(PolicyEvent {
            policy: AppliedPolicy {
                digest: policy.digest().into(),
                previous,
                files: self.loaded_from.clone(),
                ports: count(policy.watched().filter(|port| port.declared).count()),
                rules: count(policy.rules()),
                warnings: policy.warnings().iter().map(one_line).collect(),
            },
        }));
        monitor.publisher.send(body, now);
    }
}

/// Applies newly resolved names: logs what changed, and evaluates again what depends on them.
pub(super) fn apply_names(names: DnsNames, monitor: &mut Monitor<Probes>, now: Timestamp) {
    let next = monitor.active_policy.with_names(names);
    log_changes(&monitor.active_policy, &next);
    monitor.set_names(next, now);
}

/// Has the kernel side watch a policy's ports and no others.
///
/// # Errors
/// If it cannot store them.
pub(super) fn watch_ports(probes: &mut Probes, policy: &Policy) -> Result<(), LoadError> {
    probes.watch(policy.watched().map(|port| port.number))
}

/// The names that a policy needs resolved.
#[must_use]
pub(super) fn host_names(policy: &Policy) -> Vec<Arc<str>> {
    policy.host_names().map(Arc::from).collect()
}

/// A problem of a policy as one line, for an event.
fn one_line(problem: &Problem) -> String {
    format!("{}:{}:{}: {}", problem.source, problem.line, problem.column, problem.message)
}
