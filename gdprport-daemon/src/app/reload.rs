//! Applying another policy: all of it or nothing, and evaluating again what is open.

use std::sync::Arc;

use gdprport_core::event::{AppliedPolicy, Body, PolicyEvent};
use gdprport_core::ledger::Entry;
use gdprport_core::policy::{DnsNames, Policy, Problem};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::monitor::{Monitor, Unwatched};
use super::policy::{Loaded, PolicyError, PolicyFiles, RELOAD_WITHIN, Resolver, Trust, log_changes};
use crate::control::api::{Reload, ReloadReply};
use crate::host::confine::{self, Role};
use crate::host::probes::{LoadError, Probes};

/// What reading the policy's files gave.
pub(super) type LoadOutcome = Result<Loaded, PolicyError>;

/// Who waits for the reply to a reload.
pub(super) type Asker = oneshot::Sender<ReloadReply>;

/// Reads the policy's files on threads of their own, one after the other: a file system may hang, and a large policy
/// takes a while to compile.
#[derive(Debug)]
pub(super) struct Loader {
    files: PolicyFiles,
    trust: Trust,
    to: mpsc::Sender<LoadOutcome>,
    /// Who waits for the files that are being read; `None`: none are.
    reading: Option<Vec<Asker>>,
    /// Who asked since, so that they are read once more: they may have changed after they were read.
    next: Option<Vec<Asker>>,
}

impl Loader {
    /// Sends what was read to `to`.
    #[must_use]
    pub(super) const fn new(files: PolicyFiles, trust: Trust, to: mpsc::Sender<LoadOutcome>) -> Self {
        Self { files, trust, to, reading: None, next: None }
    }

    /// Has the files read again, or once more after they have been. The result comes as an input of the loop.
    pub(super) fn request(&mut self, asker: Option<Asker>) {
        let waiting = if self.reading.is_some() { &mut self.next } else { &mut self.reading };
        let idle = waiting.is_none();
        waiting.get_or_insert_default().extend(asker);
        if idle && self.next.is_none() {
            self.read();
        }
    }

    /// Takes who waited for what was read, and has the files read again if somebody asked meanwhile.
    pub(super) fn finished(&mut self) -> Vec<Asker> {
        let waited = self.reading.take().unwrap_or_default();
        self.reading = self.next.take();
        if self.reading.is_some() {
            self.read();
        }
        waited
    }

    fn read(&self) {
        let (files, trust, to) = (self.files.clone(), self.trust, self.to.clone());
        let work = move || {
            confine::enter(Role::Reader);
            // There is one reading at a time, so there is room; without a receiver the daemon is ending.
            let _ = to.blocking_send(files.load(trust, RELOAD_WITHIN));
        };
        if let Err(source) = std::thread::Builder::new().name("policy".to_owned()).spawn(work) {
            let path = std::path::PathBuf::from("files");
            let _ = self.to.try_send(Err(PolicyError::Read { path, source }));
        }
    }
}

/// Where the active policy came from and when.
#[derive(Debug)]
pub(super) struct PolicyState {
    resolver: Resolver,
    /// Paths of the active policy's files; empty for the catalog.
    pub loaded_from: Vec<String>,
    /// Of which of them others than root can change something, and how.
    exposed: Vec<String>,
    /// When it was applied.
    pub applied: Timestamp,
    /// The last attempt to reload, whatever its outcome.
    pub last_reload: Option<Reload>,
}

impl PolicyState {
    /// The state of a policy that was just loaded from these files.
    #[must_use]
    pub(super) fn new(
        loaded_from: Vec<String>,
        exposed: Vec<String>,
        resolver: Resolver,
        now: Timestamp,
    ) -> Self {
        log_exposed(&exposed);
        Self { resolver, loaded_from, exposed, applied: now, last_reload: None }
    }

    /// Applies what was read: completely, or not at all.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays active.
    pub(super) fn reload(
        &mut self,
        outcome: LoadOutcome,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) -> Result<(), PolicyError> {
        let outcome = outcome.map_err(PolicyError::without_warnings);
        let error = outcome.as_ref().err();
        self.last_reload = Some(Reload {
            at: now,
            ok: error.is_none(),
            problems: error.map(ToString::to_string).unwrap_or_default(),
            problem_count: error.map_or(0, PolicyError::count),
        });
        let Loaded { policy, files, sources, exposed } = outcome?;
        log_exposed(&exposed);
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
        self.exposed = exposed;
        self.applied = now;
        let policy = monitor.active_policy.policy();
        if let Err(error) = watch_ports(&mut monitor.evidence.kernel, policy) {
            tracing::error!(%error, "the kernel side does not watch all ports of the new policy");
        }
        tracing::info!(digest = policy.digest(), "the policy was applied");
        monitor.publisher.log_policy(&sources);
        if let Some(tally) = &mut monitor.tally {
            let digest = monitor.publisher.policy().map(|policy| policy.digest);
            tally.enter(Entry::Policy { digest, sources, at: now });
        }
        self.resolver.set_names(host_names(policy));
        self.announce(Some(previous), monitor, now);
        monitor.reevaluate(now);
        Ok(())
    }

    /// The reply to who asked for a reload.
    #[must_use]
    pub(super) fn reply(&self, error: Option<PolicyError>, monitor: &Monitor<Probes>) -> ReloadReply {
        let policy = monitor.active_policy.policy();
        // Those of a policy that stays active are no news, and would seem to be about the refused one.
        let warnings: Vec<String> = match error {
            None => {
                let warnings = policy.warnings_at(monitor.now()).map(ToString::to_string);
                warnings.chain(self.exposed.clone()).collect()
            }
            Some(_) => Vec::new(),
        };
        ReloadReply {
            applied: error.is_none(),
            digest: policy.digest().to_owned(),
            problems: error.map(|error| error.to_string()).unwrap_or_default(),
            warnings: warnings.join("\n\n"),
        }
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
                warnings: policy.warnings_at(now).map(one_line).chain(self.exposed.iter().cloned()).collect(),
            },
        }));
        monitor.publisher.send(body, now);
    }
}

fn log_exposed(exposed: &[String]) {
    for exposed in exposed {
        tracing::warn!("{exposed}");
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
