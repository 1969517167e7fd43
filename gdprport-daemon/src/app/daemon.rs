//! The daemon's state and what each input does to it.
//!
//! Belongs here: the state. The loop that feeds it is `run`'s; it never waits in here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::account::{Books, LossWatch, UNDECODABLE, kernel_counts};
use super::context::Judge;
use super::files::{Loaded, PolicyError, PolicyFiles};
use super::listeners::{Listener, Listeners};
use super::names::Refresher;
use super::publish::Publisher;
use crate::control::api::Reload;
use crate::core::decode::{Record, SocketEvent, decode};
use crate::core::event::{AppliedPolicy, Body, ByReason, Coverage, CoverageEvent, Gap, PolicyEvent};
use crate::core::flow::{Change, Table};
use crate::core::policy::{Names, Policy};
use crate::core::verdict::Verdict;
use crate::host::clock::{BootClock, HostId, boottime_ns};
use crate::host::probes::{LoadError, Probes};
use crate::host::process::Resolver;

/// The policy in force and what is known about it.
#[derive(Debug)]
pub struct InForce {
    /// The compiled policy.
    pub policy: Policy,
    /// Its files; empty for the catalog.
    pub files: Vec<String>,
    /// Since when.
    pub applied: Timestamp,
    /// The last attempt to reload, whatever came of it.
    pub last_reload: Option<Reload>,
}

/// Everything that the daemon knows.
pub struct Daemon {
    /// Who this host is.
    pub host: HostId,
    /// When the daemon began to watch.
    pub started: Timestamp,
    /// The same on the clock of records.
    pub started_ns: u64,
    pub(super) clock: BootClock,
    pub(super) probes: Probes,
    pub(super) resolver: Resolver,
    pub(super) table: Table,
    pub(super) listeners: Listeners,
    pub(super) publisher: Publisher,
    pub(super) books: Books,
    pub(super) losses: LossWatch,
    pub(super) in_force: InForce,
    pub(super) names: Names,
    pub(super) changes: Vec<Change>,
    /// Ends seen while the host's sockets are being listed: what the list still shows of them is old.
    pub(super) ended: Option<HashSet<u64>>,
    /// Set when records were lost, so that the table has to be compared with the host.
    pub(super) must_reconcile: bool,
    files: PolicyFiles,
    names_period: Duration,
    names_to: mpsc::Sender<Names>,
    refresher: Refresher,
    coverage_period: Duration,
    last_coverage: Timestamp,
}

/// What [`Daemon::new`] is made of.
pub struct Parts {
    /// Who this host is.
    pub host: HostId,
    /// The clock of records.
    pub clock: BootClock,
    /// The kernel side.
    pub probes: Probes,
    /// Who a process is.
    pub resolver: Resolver,
    /// The empty table.
    pub table: Table,
    /// The way out.
    pub publisher: Publisher,
    /// Where the policy is read from.
    pub files: PolicyFiles,
    /// The policy to begin with.
    pub loaded: Loaded,
    /// Between two rounds of resolving names.
    pub names_period: Duration,
    /// Where resolved names are sent.
    pub names_to: mpsc::Sender<Names>,
    /// Between two `coverage` events.
    pub coverage_period: Duration,
}

impl Daemon {
    /// Puts it together and watches the policy's ports.
    ///
    /// # Errors
    /// If the kernel side cannot be told the ports.
    pub fn new(parts: Parts) -> Result<Self, LoadError> {
        let started_ns = boottime_ns();
        let started = parts.clock.timestamp(started_ns);
        let refresher = refresher(&parts.loaded.policy, parts.names_period, &parts.names_to);
        let mut daemon = Self {
            host: parts.host,
            started,
            started_ns,
            clock: parts.clock,
            probes: parts.probes,
            resolver: parts.resolver,
            table: parts.table,
            listeners: Listeners::default(),
            publisher: parts.publisher,
            books: Books::default(),
            losses: LossWatch::new(started),
            in_force: InForce {
                policy: parts.loaded.policy,
                files: parts.loaded.files,
                applied: started,
                last_reload: None,
            },
            names: Names::default(),
            changes: Vec::new(),
            ended: None,
            must_reconcile: false,
            files: parts.files,
            names_period: parts.names_period,
            names_to: parts.names_to,
            refresher,
            coverage_period: parts.coverage_period,
            last_coverage: started,
        };
        daemon.publisher.apply(&daemon.in_force.policy);
        daemon.probes.watch(daemon.in_force.policy.watched().map(|port| port.number))?;
        Ok(daemon)
    }

    /// Now, as events say it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.timestamp(boottime_ns())
    }

    /// Takes in one record of the ring buffer.
    pub fn record(&mut self, bytes: &[u8], now: Timestamp) {
        self.books.records += 1;
        let record = match decode(bytes) {
            Ok(record) => record,
            Err(error) => {
                self.books.undecodable += 1;
                tracing::warn!(%error, "a record of the kernel side cannot be read");
                return;
            }
        };
        match &record {
            Record::Exec { exec_id, tgid, path, .. } => {
                self.resolver.learn_exec(*exec_id, *tgid, path.unwrap_or_default());
            }
            Record::Cgroup { cgroup_id, path: Some(path) } => self.resolver.learn_cgroup(*cgroup_id, path),
            Record::Cgroup { path: None, .. } => {}
            Record::Listening(event) => self.listening(event, now),
            Record::ListenerEnded(event) => {
                self.note_end(event.cookie);
                self.listener_ended(event.cookie, now);
            }
            Record::Connected(_) | Record::Arrived(_) | Record::Accepted(_) => self.flow(&record, now),
            Record::Ended(event, _) => {
                self.note_end(event.cookie);
                self.flow(&record, now);
            }
        }
    }

    fn flow(&mut self, record: &Record<'_>, now: Timestamp) {
        let mut judge = Judge {
            resolver: &mut self.resolver,
            probes: &self.probes,
            policy: &self.in_force.policy,
            names: &self.names,
            now,
        };
        self.table.ingest(record, &mut judge, &mut self.changes);
        self.publish(now);
    }

    fn note_end(&mut self, cookie: u64) {
        if let Some(ended) = &mut self.ended {
            ended.insert(cookie);
        }
    }

    /// Runs `work` on the table with everything it needs, and publishes what came of it.
    pub(super) fn with_table(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Table, &mut Judge<'_>, &mut Vec<Change>),
    ) {
        let mut judge = Judge {
            resolver: &mut self.resolver,
            probes: &self.probes,
            policy: &self.in_force.policy,
            names: &self.names,
            now,
        };
        work(&mut self.table, &mut judge, &mut self.changes);
        self.publish(now);
    }

    /// Reports flows that have waited long enough to become known better.
    pub fn settle(&mut self, now_ns: u64) {
        let now = self.clock.timestamp(now_ns);
        self.table.settle(now_ns, &mut self.changes);
        self.publish(now);
    }

    fn publish(&mut self, now: Timestamp) {
        for change in self.changes.drain(..) {
            let port = self.publisher.port_of(&change.flow, &self.in_force.policy, &self.names);
            // A port that is watched no more: its last records come a moment later.
            let Some(port) = port else { continue };
            self.books.port(port.port.number, &port.port.name).flow(&change);
            self.publisher.flow(change, &port, &self.clock, now);
        }
    }

    fn listening(&mut self, event: &SocketEvent, now: Timestamp) {
        let process = crate::core::flow::Context::who(
            &mut Judge {
                resolver: &mut self.resolver,
                probes: &self.probes,
                policy: &self.in_force.policy,
                names: &self.names,
                now,
            },
            &event.owner,
        );
        let verdict = self.in_force.policy.evaluate_listener(event.local, process.as_deref());
        let listener = Listener {
            cookie: event.cookie,
            local: event.local,
            process,
            verdict,
            opened_ns: Some(event.time_ns),
            found: false,
        };
        self.listener_opened(listener, now);
    }

    /// Reports and remembers a listener, unless it is known.
    pub(super) fn listener_opened(&mut self, listener: Listener, now: Timestamp) {
        let Some(port) = self.publisher.port_numbered(listener.local.port, &self.in_force.policy) else {
            return;
        };
        if self.listeners.contains(listener.cookie) {
            return;
        }
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            self.books.port(port.port.number, &port.port.name).violation(&listener.verdict);
        }
        self.publisher.listener_opened(&listener, &port, now);
        self.listeners.insert(listener);
    }

    /// Reports that a listener is gone, if it was known.
    pub(super) fn listener_ended(&mut self, cookie: u64, now: Timestamp) {
        let Some(listener) = self.listeners.remove(cookie) else { return };
        if let Some(port) = self.publisher.port_numbered(listener.local.port, &self.in_force.policy) {
            self.publisher.listener_closed(&listener, &port, now);
        }
    }

    /// Takes newly resolved names, and judges anew what hung on them.
    pub fn names_resolved(&mut self, names: Names, now: Timestamp) {
        self.names = names;
        self.rejudge(now);
    }

    fn rejudge(&mut self, now: Timestamp) {
        self.with_table(now, |table, judge, out| table.rejudge(judge, out));
        let policy = &self.in_force.policy;
        let mut changed = Vec::new();
        for listener in self.listeners.iter_mut() {
            let verdict = policy.evaluate_listener(listener.local, listener.process.as_deref());
            if listener.verdict != verdict {
                listener.verdict = verdict;
                changed.push(listener.clone());
            }
        }
        for listener in changed {
            if let Some(port) = self.publisher.port_numbered(listener.local.port, policy)
                && matches!(listener.verdict, Verdict::Violation { .. })
            {
                self.books.port(port.port.number, &port.port.name).violation(&listener.verdict);
                self.publisher.listener_violates(&listener, &port, now);
            }
        }
    }

    /// Reads the policy anew: applied whole, or not at all.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays in force.
    pub fn reload(&mut self, now: Timestamp) -> Result<(), PolicyError> {
        let outcome = self.files.load();
        self.in_force.last_reload = Some(Reload {
            at: now,
            ok: outcome.is_ok(),
            problems: outcome.as_ref().err().map(ToString::to_string).unwrap_or_default(),
        });
        let loaded = outcome?;
        let previous: Arc<str> = self.in_force.policy.digest().into();
        self.in_force.policy = loaded.policy;
        self.in_force.files = loaded.files;
        self.in_force.applied = now;
        let policy = &self.in_force.policy;
        self.publisher.apply(policy);
        if let Err(error) = self.probes.watch(policy.watched().map(|port| port.number)) {
            tracing::error!(%error, "the kernel side was not told all ports of the new policy");
        }
        let forgotten = self.table.retain(|flow| policy.port(flow.port()).is_some());
        self.listeners.retain(|listener| policy.port(listener.local.port).is_some());
        tracing::info!(digest = policy.digest(), forgotten, "the policy was applied");
        self.refresher = refresher(policy, self.names_period, &self.names_to);
        self.announce_policy(Some(previous), now);
        self.rejudge(now);
        // Ports that were not watched before have flows and listeners of which nothing is known yet.
        self.must_reconcile = true;
        Ok(())
    }

    /// Sends which policy is in force.
    pub fn announce_policy(&mut self, previous: Option<Arc<str>>, now: Timestamp) {
        let policy = &self.in_force.policy;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let body = Body::PolicyApplied(Box::new(PolicyEvent {
            policy: AppliedPolicy {
                digest: policy.digest().into(),
                previous,
                files: self.in_force.files.clone(),
                ports: count(policy.watched().filter(|port| port.declared).count()),
                rules: count(policy.rules()),
                warnings: policy.warnings().iter().map(|warning| one_line(warning)).collect(),
            },
        }));
        self.publisher.send(body, now);
    }

    /// What is done every second: losses, coverage, summaries.
    pub fn housekeeping(&mut self, now: Timestamp) {
        self.follow_clock();
        self.publisher.forget_gone();
        match self.probes.counters() {
            Ok(counters) => {
                let gaps = self.losses.check(&counters, now);
                if gaps.is_empty() {
                    let age = now.duration_since(self.last_coverage);
                    if age.unsigned_abs() >= self.coverage_period {
                        self.send_coverage(Vec::new(), now);
                    }
                } else {
                    let lost: u64 = gaps.iter().map(|gap| gap.lost).sum();
                    tracing::warn!(lost, "the ring buffer was full");
                    self.must_reconcile = true;
                    self.send_coverage(gaps, now);
                }
            }
            Err(error) => tracing::error!(%error, "the kernel side's counters cannot be read"),
        }
        self.publisher.summaries(now);
    }

    /// A wall clock that was set shows in events from the next one on.
    fn follow_clock(&mut self) {
        let clock = BootClock::measure();
        if let Some(moved) = self.clock.jumped(&clock) {
            tracing::warn!(moved = %moved, "the wall clock was set");
        }
        self.clock = clock;
        self.resolver.set_clock(clock);
    }

    /// Sends the books since the last time.
    pub fn send_coverage(&mut self, gaps: Vec<Gap>, now: Timestamp) {
        let coverage = self.coverage(gaps, now);
        self.last_coverage = now;
        self.publisher.send(Body::Coverage(Box::new(CoverageEvent { port: None, coverage })), now);
    }

    /// The books from the start until now.
    pub(super) fn coverage(&self, gaps: Vec<Gap>, now: Timestamp) -> Coverage {
        let counts = self.publisher.counts();
        let undecodable = self.books.undecodable;
        let mut dropped = ByReason::new();
        if undecodable > 0 {
            dropped.insert(UNDECODABLE.into(), undecodable);
        }
        Coverage {
            from: self.started,
            to: now,
            received: counts.offered + undecodable,
            delivered: counts.passed,
            suppressed: counts.suppressed,
            dropped,
            kernel: self.probes.counters().ok().map(|counters| kernel_counts(&counters)),
            sinks: self.publisher.fanout().stats().into_iter().map(|stats| stats.counts).collect(),
            gaps,
        }
    }
}

fn refresher(policy: &Policy, period: Duration, to: &mpsc::Sender<Names>) -> Refresher {
    let names = policy.host_names().map(Arc::from).collect();
    Refresher::start(names, period, to.clone())
}

/// A problem of a policy as one line, for an event.
fn one_line(problem: &crate::core::policy::Problem) -> String {
    format!("{}:{}:{}: {}", problem.source, problem.line, problem.column, problem.message)
}
