//! The daemon's books: what happened on each port, and whether every occurrence is accounted for.

use std::collections::BTreeMap;
use std::sync::Arc;

use gdprport_common::Counters;

use gdprport_core::event::{ByReason, KernelCounts};
use gdprport_core::flow::{Change, ChangeKind, Forgotten, Standing};
use gdprport_core::model::PostureState;
use gdprport_core::verdict::{ReasonId, ReasonSet, Verdict};

/// What happened on one port since the daemon started. Of its flows,
/// `opened + opening_missed = closed + evicted + unwatched` and those that are open now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortBooks {
    /// Flows that were established, or found open.
    pub opened: u64,
    /// Flows that ended.
    pub closed: u64,
    /// Of these, those whose beginning was not known: lost, forgotten, or from before.
    pub opening_missed: u64,
    /// Flows that were forgotten because the table was full.
    pub evicted: u64,
    /// Flows that were forgotten because a reload did away with the port.
    pub unwatched: u64,
    /// Connects that failed.
    pub failed: u64,
    /// Flows that a rule allows, by their last verdict.
    pub declared: u64,
    /// Flows that cannot be decided, by their last verdict.
    pub undecided: u64,
    /// Flows, connects and listeners in violation, each once.
    pub violations: u64,
    /// The same by reason.
    pub by_reason: BTreeMap<ReasonId, u64>,
    /// Flows that ended, by how they were encrypted.
    pub posture: BTreeMap<PostureState, u64>,
}

/// Books by name of declaration and number.
#[derive(Debug, Default)]
pub struct Books {
    ports: BTreeMap<(u16, Arc<str>), PortBooks>,
    /// Records that could not be read.
    pub undecodable: u64,
    /// Records read.
    pub records: u64,
    /// Flows and failed connects of which no more is told because their port is not watched any more.
    pub unwatched: u64,
    /// Listeners of which no more is told for the same reason.
    pub unwatched_listeners: u64,
}

impl Books {
    /// The books of one port.
    pub fn port(&mut self, number: u16, name: &Arc<str>) -> &mut PortBooks {
        self.ports.entry((number, Arc::clone(name))).or_default()
    }

    /// The books of one port, if anything ever happened there.
    #[must_use]
    pub fn get(&self, number: u16, name: &Arc<str>) -> Option<&PortBooks> {
        self.ports.get(&(number, Arc::clone(name)))
    }
}

impl PortBooks {
    /// Counts a change of a flow.
    pub fn flow(&mut self, change: &Change) {
        match change.kind {
            ChangeKind::Opened => self.opened += 1,
            ChangeKind::Closed => {
                self.closed += 1;
                self.opening_missed += u64::from(change.was.is_none());
            }
            ChangeKind::Failed => self.failed += 1,
            ChangeKind::Forgotten(Forgotten::TableFull) => self.evicted += 1,
            ChangeKind::Forgotten(Forgotten::Unwatched) => self.unwatched += 1,
            ChangeKind::Updated | ChangeKind::PostureKnown => {}
        }
        // A flow stands where its last verdict puts it: undecided until its encryption is told, for example.
        match change.was {
            Some(Standing::Declared) => self.declared = self.declared.saturating_sub(1),
            Some(Standing::Undecided) => self.undecided = self.undecided.saturating_sub(1),
            Some(Standing::Violation) | None => {}
        }
        match Standing::from(&*change.flow.verdict) {
            Standing::Declared => self.declared += 1,
            Standing::Undecided => self.undecided += 1,
            Standing::Violation => {}
        }
        if change.kind == ChangeKind::Closed {
            let state = change.flow.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
            *self.posture.entry(state).or_default() += 1;
        }
        if change.is_new_violation() {
            // Of one that was reported, only the reasons are new.
            self.violations += u64::from(change.was != Some(Standing::Violation));
            self.reasons(&change.flow.verdict, change.new_reasons);
        }
    }

    /// Counts a violation that is reported for the first time.
    pub fn violation(&mut self, verdict: &Verdict) {
        self.violations += 1;
        self.reasons(verdict, ReasonSet::from(verdict));
    }

    fn reasons(&mut self, verdict: &Verdict, new: ReasonSet) {
        for reason in verdict.reasons().iter().filter(|reason| new.contains(reason.id)) {
            *self.by_reason.entry(reason.id).or_default() += 1;
        }
    }
}

/// The identifier under which records are counted that found the ring buffer full.
pub const RING_FULL: &str = "ring-full";
/// The identifier under which records are counted that could not be read.
pub const UNDECODABLE: &str = "undecodable";

/// The kernel side's counters as one sum over all hooks.
#[must_use]
pub fn kernel_counts(counters: &Counters) -> KernelCounts {
    let sum = |field: fn(&gdprport_common::HookCounters) -> u64| counters.hooks.iter().map(field).sum();
    let dropped = sum(|hook| hook.dropped_ring_full);
    KernelCounts {
        seen: sum(|hook| hook.seen),
        emitted: sum(|hook| hook.emitted),
        filtered: sum(|hook| hook.filtered),
        dropped: if dropped == 0 { ByReason::new() } else { [(RING_FULL.into(), dropped)].into() },
        owners_unkept: counters.unkept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_books_are_summed_over_hooks() {
        let mut counters = Counters::default();
        for hook in &mut counters.hooks {
            (hook.seen, hook.emitted, hook.filtered, hook.dropped_ring_full) = (10, 6, 3, 1);
        }
        let sum = kernel_counts(&counters);
        let dropped: u64 = sum.dropped.values().sum();
        assert_eq!(sum.seen, sum.emitted + sum.filtered + dropped);
    }
}
