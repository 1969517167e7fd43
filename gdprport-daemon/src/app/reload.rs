//! Applying another policy: all of it or nothing, and evaluating again what is open.

use std::sync::Arc;

use gdprport_core::event::{AppliedPolicy, Body, PolicyEvent};
use gdprport_core::ledger::Entry;
use gdprport_core::policy::{DnsNames, Policy, Problem, Source};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::monitor::{Monitor, Unwatched};
use super::policy::{Loaded, PolicyError, PolicyFiles, RELOAD_WITHIN, Resolver, Trust, log_changes};
use super::trial::{Asked, Terms, Trial};
use crate::control::api::{PolicyPlace, PolicyText, Reload, ReloadReply};
use crate::host::clock::boottime_ns;
use crate::host::confine::{self, Role};
use crate::host::probes::{LoadError, Probes};

/// What reading the policy's files gave, or compiling one that is to be tried.
pub(super) type LoadOutcome = Result<Loaded, PolicyError>;

/// A policy that was read or compiled on a thread of its own.
#[derive(Debug)]
pub(super) struct Read {
    pub outcome: LoadOutcome,
    /// It is to be tried; `None`: it is that of the files.
    pub trial: Option<Asked>,
}

/// Why a policy comes into force.
#[derive(Debug)]
pub(super) enum Why {
    /// It is that of the files.
    Files,
    /// It is to be tried.
    Trial(Terms),
    /// It was in force before the one that was tried.
    Reverted,
}

/// Who waits for the reply to a reload.
pub(super) type Asker = oneshot::Sender<ReloadReply>;

/// A policy that is to be tried, until it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trying {
    Nothing,
    Coming,
    /// It was taken back before it came.
    TakenBack,
}

/// Reads the policy's files on threads of their own, one after the other: a file system may hang, and a large policy
/// takes a while to compile.
#[derive(Debug)]
pub(super) struct Loader {
    files: PolicyFiles,
    trust: Trust,
    to: mpsc::Sender<Read>,
    trying: Trying,
    /// Who waits for the files that are being read; `None`: none are.
    reading: Option<Vec<Asker>>,
    /// Who asked since, so that they are read once more: they may have changed after they were read.
    next: Option<Vec<Asker>>,
}

impl Loader {
    /// Sends what was read to `to`.
    #[must_use]
    pub(super) const fn new(files: PolicyFiles, trust: Trust, to: mpsc::Sender<Read>) -> Self {
        Self { files, trust, to, trying: Trying::Nothing, reading: None, next: None }
    }

    /// Has a policy compiled that is to be tried. The result comes as an input of the loop.
    ///
    /// # Errors
    /// Gives back who asked, and why it cannot be.
    pub(super) fn compile(&mut self, sources: Vec<Source>, asked: Asked) -> Result<(), (Asker, String)> {
        if self.trying != Trying::Nothing {
            return Err((asked.to, "another policy is being compiled; try again".to_owned()));
        }
        if !self.place().holds(&asked.terms.file) {
            return Err((asked.to, format!("this daemon does not read {}", asked.terms.file)));
        }
        self.trying = Trying::Coming;
        self.begin(move || Read { outcome: Loaded::compile(sources, Vec::new()), trial: Some(asked) });
        Ok(())
    }

    /// What is to be tried comes into force now. Returns whether it still is to.
    pub(super) fn comes(&mut self) -> bool {
        std::mem::replace(&mut self.trying, Trying::Nothing) != Trying::TakenBack
    }

    /// Takes back what is to be tried and is not in force yet. Returns whether there is such.
    pub(super) fn take_back(&mut self) -> bool {
        let some = self.trying != Trying::Nothing;
        if some {
            self.trying = Trying::TakenBack;
        }
        some
    }

    /// Whether what is to be tried was taken back.
    #[must_use]
    pub(super) fn is_taken_back(&self) -> bool {
        self.trying == Trying::TakenBack
    }

    /// Where the files are.
    #[must_use]
    pub(super) fn place(&self) -> PolicyPlace {
        match &self.files {
            PolicyFiles::Named(paths) => {
                PolicyPlace::Files(paths.iter().map(|path| path.display().to_string()).collect())
            }
            PolicyFiles::Directory(path) => PolicyPlace::Directory(path.display().to_string()),
            PolicyFiles::Catalog => PolicyPlace::Catalog,
        }
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
        let (files, trust) = (self.files.clone(), self.trust);
        self.begin(move || Read { outcome: files.load(trust, RELOAD_WITHIN), trial: None });
    }

    fn begin(&self, read: impl FnOnce() -> Read + Send + 'static) {
        let to = self.to.clone();
        let work = move || {
            confine::enter(Role::Reader);
            // There is one reading at a time, and one trial, so there is room; without a receiver the daemon is ending.
            let _ = to.blocking_send(read());
        };
        if let Err(source) = std::thread::Builder::new().name("policy".to_owned()).spawn(work) {
            let path = std::path::PathBuf::from("files");
            let outcome = Err(PolicyError::Read { path, source });
            let _ = self.to.try_send(Read { outcome, trial: None });
        }
    }
}

/// Where the active policy came from and when.
#[derive(Debug)]
pub(super) struct PolicyState {
    resolver: Resolver,
    /// The active policy.
    pub in_force: Loaded,
    /// It is on trial.
    pub trial: Option<Trial>,
    /// When it was applied.
    pub applied: Timestamp,
    /// The last attempt to reload, whatever its outcome.
    pub last_reload: Option<Reload>,
}

impl PolicyState {
    /// The state of a policy that was just loaded.
    #[must_use]
    pub(super) fn new(in_force: Loaded, resolver: Resolver, now: Timestamp) -> Self {
        log_exposed(&in_force.exposed);
        Self { resolver, in_force, trial: None, applied: now, last_reload: None }
    }

    /// The text of the active policy.
    #[must_use]
    pub(super) fn text(&self, place: PolicyPlace) -> PolicyText {
        PolicyText {
            digest: self.in_force.policy.digest().to_owned(),
            files: Arc::clone(&self.in_force.sources),
            place,
            trial: self.trial.as_ref().map(|trial| trial.status(boottime_ns())),
        }
    }

    /// What comes back now, if a trial is over.
    pub(super) fn over(&mut self) -> Option<Loaded> {
        self.trial.take_if(|trial| trial.is_over(boottime_ns())).map(Trial::end)
    }

    /// What comes back, whatever time is left.
    pub(super) fn give_up(&mut self) -> Option<Loaded> {
        self.trial.take().map(Trial::end)
    }

    /// Applies what was read: completely, or not at all.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays active.
    pub(super) fn reload(
        &mut self,
        outcome: LoadOutcome,
        why: Why,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) -> Result<(), PolicyError> {
        let outcome = outcome.map_err(PolicyError::without_warnings);
        if matches!(why, Why::Files) {
            let error = outcome.as_ref().err();
            self.last_reload = Some(Reload {
                at: now,
                ok: error.is_none(),
                problems: error.map(ToString::to_string).unwrap_or_default(),
                problem_count: error.map_or(0, PolicyError::count),
            });
        }
        let loaded = outcome?;
        log_exposed(&loaded.exposed);
        let previous: Arc<str> = monitor.active_policy.digest().into();
        let Unwatched { flows, listeners } = monitor.set_policy(Arc::clone(&loaded.policy), now);
        if flows + listeners > 0 {
            tracing::info!(
                flows,
                listeners,
                "open flows and listeners on ports that are no longer watched were dropped"
            );
        }
        let sources = Arc::clone(&loaded.sources);
        let replaced = std::mem::replace(&mut self.in_force, loaded);
        let reverted = matches!(why, Why::Reverted);
        // The one that somebody has confirmed comes back, also if one trial follows another.
        let before = self.trial.take().map(Trial::end);
        self.trial = match why {
            Why::Trial(terms) => Some(Trial::begin(terms, before.unwrap_or(replaced), now, boottime_ns())),
            Why::Files | Why::Reverted => None,
        };
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
        self.announce(Some(previous), reverted, monitor, now);
        monitor.reevaluate(now);
        Ok(())
    }

    /// The reply to who asked for what cannot be.
    #[must_use]
    pub(super) fn refused(&self, why: String) -> ReloadReply {
        let digest = self.in_force.policy.digest().to_owned();
        ReloadReply::new(false, digest, why)
    }

    /// The reply to who asked for a reload.
    #[must_use]
    pub(super) fn reply(&self, error: Option<PolicyError>, monitor: &Monitor<Probes>) -> ReloadReply {
        let policy = monitor.active_policy.policy();
        // Those of a policy that stays active are no news, and would seem to be about the refused one.
        let warnings: Vec<String> = match error {
            None => {
                let warnings = policy.warnings_at(monitor.now()).map(ToString::to_string);
                warnings.chain(self.in_force.exposed.clone()).collect()
            }
            Some(_) => Vec::new(),
        };
        ReloadReply {
            applied: error.is_none(),
            digest: policy.digest().to_owned(),
            problems: error.map(|error| error.to_string()).unwrap_or_default(),
            warnings: warnings.join("\n\n"),
            existing: None,
        }
    }

    /// Sends which policy is active.
    pub(super) fn announce(
        &self,
        previous: Option<Arc<str>>,
        reverted: bool,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) {
        let policy = monitor.active_policy.policy();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let body = Body::PolicyApplied(Box::new(PolicyEvent {
            policy: AppliedPolicy {
                digest: policy.digest().into(),
                previous,
                files: self.in_force.files.clone(),
                ports: count(policy.watched().filter(|port| port.declared).count()),
                rules: count(policy.rules()),
                warnings: policy
                    .warnings_at(now)
                    .map(one_line)
                    .chain(self.in_force.exposed.iter().cloned())
                    .collect(),
                trial_until: self.trial.as_ref().map(Trial::until),
                reverted,
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

/// Applies newly resolved names: logs what changed, and evaluates again what depends on them. False if they are the same.
pub(super) fn apply_names(names: DnsNames, monitor: &mut Monitor<Probes>, now: Timestamp) -> bool {
    let changed = !monitor.active_policy.names().is_same(&names);
    let next = monitor.active_policy.with_names(names);
    log_changes(&monitor.active_policy, &next);
    monitor.set_names(next, now);
    changed
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
