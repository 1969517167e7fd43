//! Counters that one part keeps and others show: what happened on a port, and how owners were resolved.
//!
//! Belongs here: counters with one JSON form, in the control API and wherever else they are shown. Does not belong here:
//! those that events carry (`event::coverage`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flow::{Change, ChangeKind, Removal, Standing};
use crate::model::{Outcome, PostureState};
use crate::overload::OverloadCounts;
use crate::verdict::{ReasonId, ReasonSet, Verdict};

/// What happened on one port since the daemon started. Of its flows that were described,
/// `opened + opening_missed = closed + evicted + unwatched` and those that are open now. Connections that were only counted,
/// because there was no room to describe each (`summed`), are among the verdicts, the violations and the postures too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    /// Flows that were established, or found open.
    pub opened: u64,
    /// Flows that have ended.
    pub closed: u64,
    /// Of these, those that were ended because the policy denies them (`existing` and `posture = "reset"`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ended: u64,
    /// Of `closed`, those whose beginning was not known: lost, evicted, or before the daemon.
    #[serde(default)]
    pub opening_missed: u64,
    /// Flows that were removed because the table was full.
    #[serde(default)]
    pub evicted: u64,
    /// Flows that were removed because a reload removed the port.
    #[serde(default)]
    pub unwatched: u64,
    /// Connects that did not lead to a flow: refused, timed out, denied, aborted.
    pub failed: u64,
    /// Of these, those that the policy denied (`mode = "enforce"`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denied: u64,
    /// Flows and failed connects that would have been denied (`mode = "warn"`), of those whose beginning was described.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub would_deny: u64,
    /// Flows that a rule allows, by their last verdict.
    pub declared_flows: u64,
    /// Flows for which evidence is missing, by their last verdict; never counted as declared.
    pub undecided: u64,
    /// Flows, connects and listeners in violation, each once.
    pub violations_total: u64,
    /// The same by reason; one violation may have several.
    pub violations: BTreeMap<ReasonId, u64>,
    /// Flows that ended, by how they were encrypted. The status adds those that are open now.
    #[serde(default)]
    pub posture: BTreeMap<PostureState, u64>,
    /// Of `violations_total`, those that exceptions of the policy accepted when they were last reported.
    #[serde(default)]
    pub accepted: u64,
    /// Bytes that this host sent by flows that ended, counted together or not. The status adds those of flows that are open, as
    /// far as they were read: when they are as old as the daemon, and once a minute.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Bytes that it received, likewise.
    #[serde(default)]
    pub bytes_received: u64,
    /// Connections that were counted and not described.
    #[serde(default, skip_serializing_if = "OverloadCounts::is_zero")]
    pub summed: OverloadCounts,
}

impl PortCounters {
    /// Counts a change of a flow.
    pub fn flow(&mut self, change: &Change) {
        match change.kind {
            ChangeKind::Opened => self.opened += 1,
            ChangeKind::Closed => {
                self.closed += 1;
                self.ended += u64::from(change.flow.outcome == Outcome::EndedByPolicy);
                self.opening_missed += u64::from(change.was.is_none());
            }
            ChangeKind::Failed => {
                self.failed += 1;
                self.denied += u64::from(change.flow.outcome == Outcome::DeniedByPolicy);
            }
            ChangeKind::Removed(Removal::TableFull) => self.evicted += 1,
            ChangeKind::Removed(Removal::Unwatched) => self.unwatched += 1,
            ChangeKind::Updated | ChangeKind::PostureKnown => {}
        }
        // Of one that was reported it was counted then.
        self.would_deny += u64::from(change.flow.would_deny && change.was.is_none());
        // A flow stands where its last verdict puts it: undecided until its encryption is known, for example.
        match change.was {
            Some(Standing::Declared) => self.declared_flows = self.declared_flows.saturating_sub(1),
            Some(Standing::Undecided) => self.undecided = self.undecided.saturating_sub(1),
            Some(Standing::Violation) | None => {}
        }
        match Standing::from(&*change.flow.verdict) {
            Standing::Declared => self.declared_flows += 1,
            Standing::Undecided => self.undecided += 1,
            Standing::Violation => {}
        }
        if change.kind == ChangeKind::Closed {
            let state = change.flow.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
            *self.posture.entry(state).or_default() += 1;
            self.moved(change.flow.bytes_sent.unwrap_or(0), change.flow.bytes_received.unwrap_or(0));
        }
        if change.is_new_violation() {
            // Of one that was reported, only the reasons are new.
            self.violations_total += u64::from(change.was != Some(Standing::Violation));
            self.reasons(&change.flow.verdict, change.new_reasons);
        }
    }

    /// Counts bytes that flows have moved.
    pub const fn moved(&mut self, sent: u64, received: u64) {
        self.bytes_sent = self.bytes_sent.saturating_add(sent);
        self.bytes_received = self.bytes_received.saturating_add(received);
    }

    /// Counts connections that were counted together, with the verdict on all of them.
    pub fn summed(&mut self, counts: &OverloadCounts, verdict: &Verdict, accepted: bool) {
        self.summed.add(counts);
        self.moved(counts.bytes_sent, counts.bytes_received);
        if counts.closed > 0 {
            let unknown = self.posture.entry(PostureState::Unknown).or_default();
            *unknown = unknown.saturating_add(counts.closed);
        }
        let began = counts.began();
        match Standing::from(verdict) {
            Standing::Declared => self.declared_flows = self.declared_flows.saturating_add(began),
            Standing::Undecided => self.undecided = self.undecided.saturating_add(began),
            Standing::Violation if began > 0 => {
                self.violations_total = self.violations_total.saturating_add(began);
                self.accepted = self.accepted.saturating_add(if accepted { began } else { 0 });
                for id in ReasonId::ALL.into_iter().filter(|id| ReasonSet::from(verdict).contains(*id)) {
                    let count = self.violations.entry(id).or_default();
                    *count = count.saturating_add(began);
                }
            }
            Standing::Violation => {}
        }
    }

    /// Adds those of another port.
    pub fn add(&mut self, other: &Self) {
        let Self {
            opened,
            closed,
            ended,
            opening_missed,
            evicted,
            unwatched,
            failed,
            denied,
            would_deny,
            declared_flows,
            undecided,
            violations_total,
            accepted,
            violations,
            posture,
            bytes_sent,
            bytes_received,
            summed,
        } = other;
        self.summed.add(summed);
        self.moved(*bytes_sent, *bytes_received);
        for (sum, more) in [
            (&mut self.opened, opened),
            (&mut self.closed, closed),
            (&mut self.ended, ended),
            (&mut self.opening_missed, opening_missed),
            (&mut self.evicted, evicted),
            (&mut self.unwatched, unwatched),
            (&mut self.failed, failed),
            (&mut self.denied, denied),
            (&mut self.would_deny, would_deny),
            (&mut self.declared_flows, declared_flows),
            (&mut self.undecided, undecided),
            (&mut self.violations_total, violations_total),
            (&mut self.accepted, accepted),
        ] {
            *sum += more;
        }
        for (reason, more) in violations {
            *self.violations.entry(*reason).or_default() += more;
        }
        for (state, more) in posture {
            *self.posture.entry(*state).or_default() += more;
        }
    }

    /// Counts a violation that is reported for the first time.
    pub fn violation(&mut self, verdict: &Verdict) {
        self.violations_total += 1;
        self.reasons(verdict, ReasonSet::from(verdict));
    }

    /// Counts whether exceptions accept a violation that is reported, and whether they did when it was reported before.
    pub fn accepted(&mut self, was: bool, is: bool) {
        match (was, is) {
            (false, true) => self.accepted += 1,
            (true, false) => self.accepted = self.accepted.saturating_sub(1),
            (true, true) | (false, false) => {}
        }
    }

    fn reasons(&mut self, verdict: &Verdict, new: ReasonSet) {
        for reason in verdict.reasons().iter().filter(|reason| new.contains(reason.id)) {
            *self.violations.entry(reason.id).or_default() += 1;
        }
    }
}

/// Connections that were counted because there was no room to describe each, since the daemon started, and what is known of
/// the counting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverloadCounters {
    /// Their sums, of all ports.
    #[serde(flatten)]
    pub counts: OverloadCounts,
    /// Groups of the kernel side that were read.
    pub groups: u64,
    /// Occasions that the kernel side has counted and that are in no group: an earlier daemon took their group and ended
    /// before it reported it.
    pub missing: u64,
    /// Connections whose opening was counted, that were found open later and are described since.
    pub described_later: u64,
}

/// How the owners of sockets were resolved since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnerCounters {
    /// Owners that were looked up.
    pub asked: u64,
    /// Of these, found in the cache.
    pub remembered: u64,
    /// Executables that the kernel side read when they were executed.
    #[serde(default)]
    pub exe_executed: u64,
    /// Executables read from a live process.
    pub exe_live: u64,
    /// Executables of processes that were gone: known by the name that `execve` was given.
    pub exe_named: u64,
    /// Owners without an executable.
    pub exe_unknown: u64,
    /// Entries that were removed because a cache was full.
    pub forgotten: u64,
    /// Owners reported without the name of a user or a group, because the host's name service was late.
    pub names_late: u64,
    /// Users and groups whose names are pending now.
    pub names_awaited: u64,
}

/// How the names of containers were looked up since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerCounters {
    /// Containers that were looked up; one that was started again counts again.
    pub looked_up: u64,
    /// Of these, named by the state of a runtime.
    pub known: u64,
    /// Of these, named by none.
    pub unknown: u64,
    /// Look-ups for which there was no room, so that names are missing.
    pub dropped: u64,
    /// Threads that wait for a file system which does not answer: users' state, or a directory of the configuration.
    pub stuck: u64,
    /// Containers whose names have changed since they were first read.
    pub renamed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
