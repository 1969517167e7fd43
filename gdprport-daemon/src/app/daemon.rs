//! The daemon's state and what each input does to it.
//!
//! Belongs here: the state. The loop that feeds it is `run`'s; it never waits in here.

use std::collections::HashSet;
use std::time::Duration;

use gdprport_common::{Counters, SocketRole};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::account::{Books, UNDECODABLE, kernel_counts};
use super::context::{Judge, Verdicts};
use super::files::{Loaded, PolicyFiles};
use super::handover::Written;
use super::listeners::Listeners;
use super::losses::{LossWatch, Lost, Noticed};
use super::names::Refresher;
use super::policy::host_names;
use super::publish::Publisher;
use super::snapshot::Adopting;
use crate::control::api::Reload;
use crate::host::clock::{BootClock, HostId, boottime_ns};
use crate::host::memory::give_back;
use crate::host::probes::{Legacy, LoadError, Previous, Probes};
use crate::host::process::Resolver;
use gdprport_core::decode::{Record, decode};
use gdprport_core::event::{Body, ByReason, Coverage, CoverageEvent, Gap};
use gdprport_core::flow::{Change, ChangeKind, Forgotten, Table};
use gdprport_core::policy::{Names, Policy};

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
    /// How far what was read is written.
    pub(super) written: Written,
    pub(super) in_force: InForce,
    pub(super) names: Names,
    pub(super) verdicts: Verdicts,
    pub(super) changes: Vec<Change>,
    /// Cookies of what ended or was evicted while the host's sockets are being listed: the list still shows it.
    pub(super) left: Option<HashSet<u64>>,
    /// A listing that is being taken in.
    pub(super) adopting: Option<Box<Adopting>>,
    /// Set when records were lost, so that the table has to be compared with the host.
    pub(super) must_reconcile: bool,
    /// A record was lost: what is found on the host without one need not be older than the daemon.
    pub(super) records_lost: bool,
    pub(super) files: PolicyFiles,
    pub(super) refresher: Refresher,
    coverage_period: Duration,
    last_coverage: Timestamp,
    /// When the last record was made that carries a time.
    heard_ns: u64,
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
        // What the kernel side counted as lost since the daemon before noted its books is a gap from then on.
        let (whole_at, written) = match parts.probes.previous() {
            Some(Previous { noted_ns, legacy: Legacy::Adopted(adopted), .. }) => {
                (parts.clock.timestamp(*noted_ns), adopted.written)
            }
            _ => (started, 0),
        };
        let refresher =
            Refresher::start(host_names(&parts.loaded.policy), parts.names_period, parts.names_to);
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
            losses: LossWatch::new(started, whole_at),
            written: Written::from(written),
            in_force: InForce {
                policy: parts.loaded.policy,
                files: parts.loaded.files,
                applied: started,
                last_reload: None,
            },
            names: Names::default(),
            verdicts: Verdicts::default(),
            changes: Vec::new(),
            left: None,
            adopting: None,
            must_reconcile: false,
            records_lost: false,
            files: parts.files,
            refresher,
            coverage_period: parts.coverage_period,
            last_coverage: started,
            heard_ns: started_ns,
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
        self.heard_ns = record.time_ns().unwrap_or(self.heard_ns);
        match &record {
            Record::Exec { exec_id, tgid, previous, path, in_user_ns } => {
                self.resolver.learn_exec(*exec_id, *tgid, *previous, path.unwrap_or_default());
                if *in_user_ns {
                    self.resolver.doubt_exec(*exec_id);
                }
            }
            Record::Cgroup { cgroup_id, path: Some(path) } => self.resolver.learn_cgroup(*cgroup_id, path),
            Record::Cgroup { path: None, .. } => {}
            Record::Listening(event) => self.listening(event, now),
            Record::ListenerEnded(event) => {
                self.note_end(event.cookie);
                self.listener_ended(event.cookie, now);
            }
            Record::Connected(_)
            | Record::Arrived(_)
            | Record::Accepted(_)
            | Record::Acceptor { .. }
            | Record::Payload { .. } => self.flow(&record, now),
            Record::Ended(event, _) => {
                // One without an owner is of a socket from before, whose end the survey under way tells with its owner.
                if event.owner.role != SocketRole::None {
                    self.note_end(event.cookie);
                }
                self.flow(&record, now);
            }
        }
    }

    fn flow(&mut self, record: &Record<'_>, now: Timestamp) {
        self.with_table(now, |table, judge, out| table.ingest(record, judge, out));
    }

    /// What owners and flows are judged by, now.
    pub(super) fn judge(&mut self, now: Timestamp) -> Judge<'_> {
        Judge {
            resolver: &mut self.resolver,
            tasks: &self.probes,
            policy: &self.in_force.policy,
            names: &self.names,
            verdicts: &mut self.verdicts,
            now,
        }
    }

    fn note_end(&mut self, cookie: u64) {
        if let Some(left) = &mut self.left {
            left.insert(cookie);
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
            tasks: &self.probes,
            policy: &self.in_force.policy,
            names: &self.names,
            verdicts: &mut self.verdicts,
            now,
        };
        work(&mut self.table, &mut judge, &mut self.changes);
        self.publish(now);
    }

    /// Reports what has settled. If `more` may lie in the ring, that is what had when the last record was made: what
    /// would tell more of the others may be among it.
    pub fn settle_after_reading(&mut self, more: bool) {
        self.settle(if more { self.heard_ns } else { boottime_ns() });
    }

    /// Reports flows that have waited long enough to become known better.
    pub fn settle(&mut self, now_ns: u64) {
        let now = self.clock.timestamp(now_ns);
        self.table.settle(now_ns, &mut self.changes);
        self.publish(now);
    }

    pub(super) fn publish(&mut self, now: Timestamp) {
        for change in self.changes.drain(..) {
            if let (ChangeKind::Forgotten(_), Some(left)) = (change.kind, &mut self.left) {
                left.insert(change.flow.cookie);
            }
            let port = self.publisher.port_of(&change.flow, &self.in_force.policy, &self.names);
            let Some(port) = port else {
                // A port that is watched no more: its last records come a moment later. A flow that began before was
                // counted when the policy changed, and here what only those records tell of.
                if matches!(change.kind, ChangeKind::Opened | ChangeKind::Failed) {
                    self.books.unwatched += 1;
                    self.table.disown(change.flow.cookie);
                }
                continue;
            };
            self.books.unwatched += u64::from(change.kind == ChangeKind::Forgotten(Forgotten::Unwatched));
            self.books.port(port.port.number, &port.port.name).flow(&change);
            self.publisher.flow(change, port, &self.names, &self.clock, now);
        }
    }

    /// What is done every second: losses, coverage, summaries.
    pub fn housekeeping(&mut self, now: Timestamp) {
        self.follow_clock();
        self.publisher.forget_gone();
        self.probes.relay_log();
        if self.resolver.names_have_come() {
            self.with_table(now, |table, judge, out| table.name_again(judge, out));
        }
        let kernel = self.probes.counters();
        if let Err(error) = &kernel {
            tracing::error!(%error, "the kernel side's counters cannot be read");
        }
        let kernel = kernel.ok();
        let noticed = self.look_for_losses(kernel.as_ref(), now);
        if noticed.ring_full > 0 {
            tracing::warn!(lost = noticed.ring_full, "the ring buffer was full");
            self.must_reconcile = true;
            self.records_lost = true;
        }
        let due = now.duration_since(self.last_coverage).unsigned_abs() >= self.coverage_period;
        if noticed.urgent || due {
            self.send_coverage(Vec::new(), kernel.as_ref(), now);
            if !noticed.urgent {
                // Not while something is lost: it holds the loop up, and a burst that goes on needs what it has.
                give_back();
            }
        }
        if let Some(counters) = kernel {
            self.note(&counters, now);
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

    /// Compares the books with those of the look before, for the next [`send_coverage`](Self::send_coverage).
    pub(super) fn look_for_losses(&mut self, kernel: Option<&Counters>, now: Timestamp) -> Noticed {
        let lost = Lost {
            kernel,
            undecodable: self.books.undecodable,
            evicted: self.table.counters().evicted,
            listeners: self.listeners.forgotten(),
            sinks: &self.publisher.fanout().stats(),
        };
        self.losses.look(&lost, now)
    }

    /// Sends the books, with these gaps and those that were noticed; the kernel side's are those of the last look.
    pub fn send_coverage(&mut self, mut gaps: Vec<Gap>, kernel: Option<&Counters>, now: Timestamp) {
        // What the sinks were given is in their books.
        self.publisher.deliver();
        gaps.extend(self.losses.tell());
        let coverage = self.coverage(gaps, now, kernel);
        self.last_coverage = now;
        self.publisher.send(Body::Coverage(Box::new(CoverageEvent { port: None, coverage })), now);
    }

    /// The kernel side's counters, if they can be read.
    pub(super) fn kernel_counters(&self) -> Option<Counters> {
        self.probes.counters().ok()
    }

    /// The books from the start until now.
    pub(super) fn coverage(&self, gaps: Vec<Gap>, now: Timestamp, kernel: Option<&Counters>) -> Coverage {
        let flows = self.table.counters();
        let undecodable = self.books.undecodable;
        let mut dropped = ByReason::new();
        if undecodable > 0 {
            dropped.insert(UNDECODABLE.into(), undecodable);
        }
        Coverage {
            from: self.started,
            to: now,
            received: self.publisher.received() + undecodable,
            delivered: self.publisher.fanout().published(),
            suppressed: self.publisher.suppressed(),
            dropped,
            evicted: flows.evicted,
            evicted_listeners: self.listeners.forgotten(),
            opening_missed: flows.opening_missed,
            end_missed: flows.end_missed,
            unwatched: self.books.unwatched,
            unwatched_listeners: self.books.unwatched_listeners,
            kernel: kernel.map(kernel_counts),
            sinks: self.publisher.fanout().stats().into_iter().map(|stats| stats.counts).collect(),
            gaps,
        }
    }
}
