//! What was seen and what was lost, read once from the parts that count it. Events and the status
//! are renderings of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gdprport_common::{Counters, Hook, HookCounters};
use gdprport_core::counters::OverloadCounters;
use gdprport_core::event::{self, ByReason, Gap, KernelCounts, OverloadSeen};
use gdprport_core::flow::TableCounters;
use gdprport_core::ledger::Tally;
use jiff::Timestamp;

use super::reason::{NAMESPACES_UNSEEN, PROCESSES_UNSEEN, RING_FULL, SOCKETS_UNSEEN, UNDECODABLE};
use crate::app::monitor::{Monitor, PublisherSnapshot};
use crate::control::api::{CoverageStatus, PlaceCounts};
use crate::host::process::TaskLookup;
use crate::host::unseen::Unseen;

/// All counters of coverage at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// The kernel side's; `None` if they cannot be read now.
    pub kernel: Option<Counters>,
    /// Records read from the ring buffer.
    pub records: u64,
    /// Of these, records that could not be decoded.
    pub undecodable: u64,
    /// Events on their way to the sinks.
    pub publisher: PublisherSnapshot,
    /// The flow table's.
    pub flows: TableCounters,
    /// Flows in the table, and how many it can hold.
    pub flows_open: (u64, u64),
    /// Listeners that there was no room for.
    pub evicted_listeners: u64,
    /// Flows and failed connects given up because their port is not watched any more.
    pub unwatched: u64,
    /// Listeners given up for the same reason.
    pub unwatched_listeners: u64,
    /// Flows found open whose opening was not seen.
    pub found_late: u64,
    /// What was counted and not described.
    pub overload: OverloadCounters,
    /// What of the host could not be looked at last.
    pub unseen: Unseen,
    /// What found no room on the way to the ledger.
    pub unledgered: u64,
}

impl Snapshot {
    /// Reads every part's counters.
    pub(crate) fn of<K: TaskLookup>(monitor: &Monitor<K>, kernel: Option<Counters>) -> Self {
        let Monitor { flows, listeners, publisher, counters, tally, .. } = monitor;
        Self {
            kernel,
            records: counters.records,
            undecodable: counters.undecodable,
            publisher: publisher.snapshot(),
            flows: flows.counters(),
            flows_open: (flows.len() as u64, flows.capacity() as u64),
            evicted_listeners: listeners.evicted(),
            unwatched: counters.unwatched,
            unwatched_listeners: counters.unwatched_listeners,
            found_late: counters.found_late,
            overload: OverloadCounters {
                described_later: flows.counters().described_later,
                ..counters.overload
            },
            unseen: counters.unseen,
            unledgered: tally.as_ref().map_or(0, Tally::lost),
        }
    }

    /// The data of a `coverage` event, with the gaps to report.
    #[must_use]
    pub(crate) fn event(&self, from: Timestamp, to: Timestamp, gaps: Vec<Gap>) -> event::Coverage {
        event::Coverage {
            from,
            to,
            received: self.received(),
            delivered: self.publisher.published,
            suppressed: self.publisher.suppressed,
            dropped: self.dropped(),
            evicted: self.flows.evicted,
            evicted_listeners: self.evicted_listeners,
            opening_missed: self.flows.opening_missed,
            end_missed: self.flows.end_missed,
            unwatched: self.unwatched,
            unwatched_listeners: self.unwatched_listeners,
            overload: overload_seen(&self.overload),
            kernel: self.kernel.as_ref().map(kernel_counts),
            sinks: self.publisher.sinks.iter().map(|stats| stats.counts.clone()).collect(),
            gaps,
        }
    }

    /// The coverage of a status reply.
    #[must_use]
    pub(crate) fn status(
        &self,
        since: Timestamp,
        now: Timestamp,
        last_loss: Option<Timestamp>,
    ) -> CoverageStatus {
        CoverageStatus {
            places: self.kernel.as_ref().map(places).unwrap_or_default(),
            records: self.records,
            posture_given_up: self.flows.given_up,
            found_late: self.found_late,
            overload: self.overload,
            unseen: unseen_by_reason(self.unseen).filter(|(_, count)| *count > 0).collect(),
            flows_open: self.flows_open.0,
            flows_cap: self.flows_open.1,
            last_loss,
            ..CoverageStatus::from(self.event(since, now, Vec::new()))
        }
    }

    fn received(&self) -> u64 {
        self.publisher.received + self.undecodable
    }

    fn dropped(&self) -> ByReason {
        let undecodable = (self.undecodable > 0).then(|| (UNDECODABLE.into(), self.undecodable));
        undecodable.into_iter().collect()
    }
}

/// What could not be looked at, by the identifier of its gap.
pub(super) fn unseen_by_reason(unseen: Unseen) -> impl Iterator<Item = (Cow<'static, str>, u64)> {
    [
        (NAMESPACES_UNSEEN.into(), unseen.namespaces),
        (SOCKETS_UNSEEN.into(), unseen.sockets),
        (PROCESSES_UNSEEN.into(), unseen.processes),
    ]
    .into_iter()
}

fn overload_seen(counters: &OverloadCounters) -> Option<OverloadSeen> {
    let OverloadCounters { counts, described_later, .. } = counters;
    (!counts.is_zero()).then_some(OverloadSeen {
        opened: counts.opened,
        failed: counts.failed,
        closed: counts.closed,
        ends_of_described: counts.ends_of_described,
        evicted: counts.evicted,
        described_later: *described_later,
    })
}

/// The kernel side's counters by place.
fn places(counters: &Counters) -> BTreeMap<String, PlaceCounts> {
    let counts = |of: &HookCounters| PlaceCounts {
        seen: of.seen,
        emitted: of.emitted,
        filtered: of.filtered,
        grouped: of.grouped,
        dropped: of.dropped_ring_full,
    };
    Hook::ALL.iter().zip(&counters.hooks).map(|(place, of)| (place.name().to_owned(), counts(of))).collect()
}

/// The kernel side's counters as one sum over all hooks.
fn kernel_counts(counters: &Counters) -> KernelCounts {
    let sum = |field: fn(&HookCounters) -> u64| counters.hooks.iter().map(field).sum();
    let dropped = sum(|hook| hook.dropped_ring_full);
    KernelCounts {
        seen: sum(|hook| hook.seen),
        emitted: sum(|hook| hook.emitted),
        filtered: sum(|hook| hook.filtered),
        grouped: sum(|hook| hook.grouped),
        dropped: if dropped == 0 { ByReason::new() } else { [(RING_FULL.into(), dropped)].into() },
        owners_unkept: counters.unkept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_counters_are_summed_over_hooks() {
        let mut counters = Counters::default();
        for hook in &mut counters.hooks {
            (hook.seen, hook.emitted, hook.filtered) = (12, 6, 3);
            (hook.grouped, hook.dropped_ring_full) = (2, 1);
        }
        let sum = kernel_counts(&counters);
        let dropped: u64 = sum.dropped.values().sum();
        assert_eq!(sum.seen, sum.emitted + sum.filtered + sum.grouped + dropped);
    }
}
