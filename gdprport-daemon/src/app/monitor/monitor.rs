//! The monitor: tables, policy and evidence, and what each input does to them. It never waits.

use std::sync::Arc;

use gdprport_core::decode::overload::OverloadGroup;
use gdprport_core::decode::{ConnectionRecord, DecodeError, Record};
use gdprport_core::flow::{Change, ChangeKind, Flow, FoundFlow, LastCounts, Progress, Table};
use gdprport_core::inventory::Seen;
use gdprport_core::ledger::{Entry, Note, NoteKind, Tally};
use gdprport_core::listener::ListenerTable;
use gdprport_core::model::{Endpoint, Nat, Process};
use gdprport_core::policy::{ActivePolicy, DnsNames, Policy};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::Accepted;
use gdprport_core::volume::Volumes;
use jiff::Timestamp;

use super::accepted;
use super::counters::Counters;
use super::denied_binds::DeniedBinds;
use super::evidence::Evidence;
use super::flow_event::peer_name;
use super::publish::Publisher;
use super::resets::Resets;
use super::sums::{Evicted, Sums, of_evicted};
use crate::host::clock::{BootClock, boottime_ns};
use crate::host::destroy::DestroyNotice;
use crate::host::ending::Done;
use crate::host::process::TaskLookup;
use crate::host::sockets::TcpCounts;
use crate::host::unseen::Unseen;

/// One thing that the monitor learns.
#[derive(Debug)]
pub enum Input<'a> {
    /// A record of the ring buffer.
    Record(&'a Record<'a>),
    /// A record that cannot be read.
    Undecodable(DecodeError),
    /// Names of users, groups or containers may have arrived that processes had to go without.
    Names,
    /// How the flow of a socket is translated by the host; `None`: it is not.
    Translated(u64, Option<Nat>),
    /// A connection was found on the host, at this boottime in ns.
    FoundFlow(FoundFlow, u64),
    /// A connect was found under way on the host.
    FoundConnect(FoundFlow),
    /// A listener was found on the host.
    FoundListener(SeenListener),
    /// Sockets were destroyed that predate the daemon.
    Destroyed(&'a [DestroyNotice]),
    /// What became of connections that were to be ended.
    Ended(Vec<Done>),
    /// Sockets that were polled: how they stand.
    Polled(&'a Polled),
    /// Connections that the kernel side has counted together. Their sums are sent when all of a collection are judged.
    Counted(&'a [OverloadGroup]),
    /// What of the host could not be looked at, the last time that it was tried.
    Unseen(Unseen),
}

/// A listening socket as it was seen: by a record or on the host.
#[derive(Debug)]
pub struct SeenListener {
    /// Socket cookie.
    pub cookie: u64,
    /// Where it is bound.
    pub local: Endpoint,
    /// Who opened it or, without a record, holds it.
    pub process: Option<Shared<Process>>,
    /// Network namespace cookie; 0 if not known.
    pub netns_cookie: u64,
    /// Whether its bind would have been denied, did its port not have `mode = "warn"`.
    pub would_deny: bool,
}

/// What polling has found.
#[derive(Debug, Default)]
pub struct Polled {
    /// Cookies of sockets that are proven to be gone.
    pub gone: Vec<u64>,
    /// Counts of those that are there, by cookie.
    pub counts: Vec<(u64, TcpCounts)>,
    /// Cookies of flows whose update is due.
    pub due: Vec<u64>,
    /// When it was known, boottime ns.
    pub at_ns: u64,
}

/// What a policy no longer watches.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched {
    /// Open flows that were given up.
    pub flows: usize,
    /// Listeners that were given up.
    pub listeners: usize,
}

/// Everything that is watched. `K` gives access to the kernel's maps of tasks.
#[derive(Debug)]
pub struct Monitor<K> {
    /// Connections.
    pub flows: Table,
    /// Listening sockets.
    pub listeners: ListenerTable,
    /// The policy with its DNS names.
    pub active_policy: ActivePolicy,
    /// Who a process is.
    pub evidence: Evidence<K>,
    /// The way of events to the sinks.
    pub publisher: Publisher,
    /// What happened.
    pub counters: Counters,
    /// What is added up for the ledger; `None`: there is none.
    pub tally: Option<Tally>,
    /// What is added up for a scan that watches for a while; `None`: in a daemon.
    pub seen: Option<Seen>,
    /// Sums of connections that there was no room to describe, until they are sent.
    pub(super) sums: Sums,
    /// Flows that left the full table.
    pub(in crate::app) evicted: Evicted,
    /// What rules with a volume have moved; `None`: no rule has one.
    pub(in crate::app) volumes: Option<Volumes>,
    /// Flows that are ended because the policy denies them.
    pub(in crate::app) resets: Resets,
    /// Binds that the kernel side denied.
    pub(super) binds: DeniedBinds,
    /// When the run began, boottime ns.
    pub(super) began_ns: u64,
    /// Changes of the input under way; empty between inputs.
    pub(super) changes: Vec<Change>,
}

impl<K: TaskLookup> Monitor<K> {
    /// A monitor that has seen nothing yet.
    #[must_use]
    pub fn new(
        flows: Table,
        policy: impl Into<Arc<Policy>>,
        evidence: Evidence<K>,
        mut publisher: Publisher,
    ) -> Self {
        let policy = policy.into();
        publisher.set_policy(&policy);
        let began_ns = boottime_ns();
        let now = publisher.clock().timestamp(began_ns);
        Self {
            volumes: Volumes::under(&policy, None, (flows.capacity(), began_ns), now),
            began_ns,
            flows,
            listeners: ListenerTable::default(),
            active_policy: ActivePolicy::new(policy, DnsNames::default())
                .with_privacy(publisher.privacy().cloned()),
            evidence,
            publisher,
            counters: Counters::default(),
            tally: None,
            seen: None,
            sums: Sums::default(),
            evicted: Evicted::default(),
            resets: Resets::default(),
            binds: DeniedBinds::default(),
            changes: Vec::new(),
        }
    }

    /// Adds up what happens from now on.
    pub fn count_into(&mut self, tally: Tally) {
        let left = self.publisher.privacy().and_then(|privacy| privacy.left());
        self.tally = Some(tally.truncated(left));
        self.count_by_policy();
    }

    /// A day begins: every flow that is open counts in it too.
    pub fn day_begins(&mut self, now: Timestamp) {
        let Self { flows, publisher, tally, .. } = self;
        let Some(tally) = tally else { return };
        for flow in flows.iter() {
            tally.still_open(&publisher.shown(flow), now);
        }
    }

    /// The present time, as events carry it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.publisher.clock().timestamp(boottime_ns())
    }

    /// The exceptions of the policy that accept the violation of a flow at this moment.
    #[must_use]
    pub fn accepted(&self, flow: &Flow, now: Timestamp) -> Option<Shared<Accepted>> {
        accepted::of_flow(&self.active_policy, flow, now)
    }

    /// The parts that outlive it at the end of a run.
    #[must_use]
    pub fn into_outputs(self) -> (Publisher, K) {
        (self.publisher, self.evidence.kernel)
    }

    /// Follows the wall clock: one that was set shows in events from the next one on. True if it was.
    pub fn follow_clock(&mut self, clock: BootClock) -> bool {
        let moved = self.publisher.clock().jumped(&clock);
        if let Some(moved) = &moved {
            tracing::warn!(moved = %moved, "the wall clock was set");
            let ns = boottime_ns();
            let (from, to) = (self.publisher.clock().timestamp(ns), clock.timestamp(ns));
            let text =
                format!("the wall clock was set from {from:.0} to {to:.0}: days and hours go by the new one");
            let note = Note { at: to, kind: NoteKind::ClockSet, text: text.into() };
            if let Some(tally) = &mut self.tally {
                tally.enter(Entry::Note(note));
            }
        }
        self.publisher.set_clock(clock);
        self.evidence.resolver.set_clock(clock);
        moved.is_some()
    }

    /// Reports at `now` what had waited long enough: for its owner by `due_ns`, for the answer how it is translated by
    /// `answer_ns`, both boottime in ns.
    pub fn settle(&mut self, due_ns: u64, answer_ns: u64, now: Timestamp) {
        self.flows.settle(due_ns, &mut self.changes);
        self.flows.stop_waiting(answer_ns, &mut self.changes);
        self.publish(now);
    }

    /// Applies one input and publishes what follows from it.
    pub fn apply(&mut self, input: Input<'_>, now: Timestamp) {
        let Self { flows, evidence, active_policy, volumes, changes, .. } = self;
        let volumes = volumes.as_ref();
        match input {
            Input::Record(record) => {
                self.counters.records += 1;
                match record {
                    Record::Connection(record) => {
                        flows.ingest(
                            record,
                            &mut evidence.context(active_policy, now).with(volumes),
                            changes,
                        );
                        if let ConnectionRecord::Payload { cookie, .. } = record {
                            self.resets.bytes_came(*cookie, flows, active_policy, now);
                        }
                    }
                    Record::Identity(record) => return evidence.learn(record),
                    Record::Listener(record) => return self.listener(record, now),
                }
            }
            Input::Undecodable(error) => {
                self.counters.records += 1;
                self.counters.undecodable += 1;
                tracing::warn!(%error, "a record of the kernel side cannot be read");
            }
            Input::Names => {
                if evidence.resolver.late_names_arrived() {
                    flows.resolve_names(&mut evidence.context(active_policy, now).with(volumes), changes);
                    self.judge_listeners(true, now);
                }
            }
            Input::Translated(cookie, nat) => {
                flows.translated(
                    cookie,
                    nat,
                    &mut evidence.context(active_policy, now).with(volumes),
                    changes,
                );
            }
            Input::FoundFlow(found, now_ns) => {
                let is_late = !found.predates_daemon && flows.get(found.cookie).is_none();
                self.counters.found_late += u64::from(is_late);
                let (cookie, is_older) = (found.cookie, found.predates_daemon);
                flows.adopt(found, now_ns, &mut evidence.context(active_policy, now).with(volumes), changes);
                if is_older {
                    self.resets.found(cookie, flows, active_policy, now);
                }
            }
            Input::FoundConnect(found) => flows.add_connecting(found),
            Input::FoundListener(found) => self.open_listener(found, None, now),
            Input::Destroyed(notices) => {
                self.close_listeners(notices.iter().map(|notice| notice.cookie), now);
                self.destroyed(notices, now);
            }
            Input::Ended(done) => self.resets.done(done, flows),
            Input::Polled(polled) => {
                self.close_listeners(polled.gone.iter().copied(), now);
                self.polled(polled, now);
            }
            Input::Counted(groups) => self.counted(groups, now),
            Input::Unseen(unseen) => self.counters.unseen = unseen,
        }
        self.publish(now);
    }
}

/// What the inputs do to one table or the other.
impl<K: TaskLookup> Monitor<K> {
    fn destroyed(&mut self, notices: &[DestroyNotice], now: Timestamp) {
        let Self { flows, evidence, active_policy, volumes, changes, .. } = self;
        let mut context = evidence.context(active_policy, now).with(volumes.as_ref());
        for DestroyNotice { cookie, time_ns, last } in notices {
            flows.connect_ended(*cookie, last, *time_ns, &mut context, changes);
            let Some(flow) = flows.get(*cookie).filter(|flow| flow.found) else { continue };
            flows.closed_by_notice(*cookie, last.ending(flow.direction), *time_ns, &mut context, changes);
        }
    }

    fn polled(&mut self, polled: &Polled, now: Timestamp) {
        let Self { flows, evidence, active_policy, volumes, changes, .. } = self;
        let mut context = evidence.context(active_policy, now).with(volumes.as_ref());
        for cookie in &polled.gone {
            // Of one whose end the kernel side reports, the record would have been read by now.
            if flows.get(*cookie).is_some() {
                flows.closed_unseen(*cookie, polled.at_ns, &mut context, changes);
            }
            flows.connect_ended(*cookie, &LastCounts::default(), polled.at_ns, &mut context, changes);
        }
        for (cookie, counts) in &polled.counts {
            let Some(flow) = flows.get(*cookie) else { continue };
            flows.set_progress(*cookie, counts.progress(flow.direction));
        }
        for cookie in &polled.due {
            flows.report_progress(*cookie, Progress::default(), &mut context, changes);
        }
    }

    pub(super) fn publish(&mut self, now: Timestamp) {
        self.publish_changes(now);
        self.count_ends(now);
        if self.volumes.is_some() {
            self.compare_volumes(now);
        }
    }

    pub(super) fn publish_changes(&mut self, now: Timestamp) {
        let Self {
            publisher,
            counters,
            flows,
            active_policy,
            changes,
            tally,
            seen,
            sums,
            evicted,
            volumes,
            resets,
            ..
        } = self;
        for mut change in changes.drain(..) {
            if let Some(seen) = seen {
                seen.flow(&change);
            }
            // Before anything else: it may be in violation for what it has moved.
            let beyond = volumes.as_mut().and_then(|volumes| volumes.flow(&mut change, now));
            let port = change.flow.port_index.and_then(|index| publisher.port(index));
            let accepted = match &port {
                Some(port) if active_policy.has_exceptions() => {
                    let counters = counters.port(port.port.number, &port.port.name);
                    accepted::of_change(active_policy, &change, counters, now)
                }
                _ => None,
            };
            resets.changed(&change, flows, active_policy, now);
            let name = peer_name(&change.flow, active_policy.names());
            // What was decided by true values stands above. What goes from here on leaves the daemon.
            publisher.show(&mut change.flow);
            if let Some(tally) = tally {
                tally.flow(&change, now);
            }
            let Some(port) = port else {
                // A port that is no longer watched: its last records come a moment later. A flow that began before was
                // counted when the policy changed; counted here is what only those records report.
                if matches!(change.kind, ChangeKind::Opened | ChangeKind::Failed) {
                    counters.unwatched += 1;
                    flows.discard(change.flow.cookie);
                }
                continue;
            };
            counters.flow(&change, &port.port);
            match of_evicted(&change, evicted, flows.capacity()) {
                Some(counts) => {
                    counters.overload.counts.evicted += counts.evicted;
                    let event = publisher.event_of(change.flow, name, port.port, accepted, now);
                    sums.add_evicted(&event, counts, now);
                }
                None => publisher.flow(change, name, port, (accepted, beyond), now),
            }
        }
    }
}
