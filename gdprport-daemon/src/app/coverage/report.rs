//! The `coverage` events of a run and its checkpoints.

use std::time::Duration;

use gdprport_common::Counters;
use gdprport_core::event::{Body, CoverageEvent, Gap};
use gdprport_core::ledger::Entry;
use jiff::Timestamp;

use super::checkpoint::DurablePosition;
use super::gaps::{GapTracker, NewLosses};
use super::reason::SINK;
use super::snapshot::Snapshot;
use crate::app::monitor::Monitor;
use crate::host::clock::boottime_ns;
use crate::host::probes::{PinsOutcome, PreviousPins, Probes};

/// What was lost in this run, what was reported of it, and what the next daemon will find.
#[derive(Debug)]
pub(crate) struct Coverage {
    gaps: GapTracker,
    durable: DurablePosition,
    since: Timestamp,
    period: Duration,
    reported: Timestamp,
}

impl Coverage {
    /// Coverage of a run that begins at `started`. What the kernel side counted as lost since the checkpoint of the
    /// daemon before is a gap from then on. `period` is the time between two events when nothing is lost.
    #[must_use]
    pub(crate) fn new(monitor: &Monitor<Probes>, started: Timestamp, period: Duration) -> Self {
        let (kernel_checked, durable) = match monitor.evidence.kernel.previous_pins() {
            Some(PreviousPins { checkpoint_ns, outcome: PinsOutcome::Adopted(adopted), .. }) => {
                (monitor.publisher.clock().timestamp(*checkpoint_ns), adopted.durable_position)
            }
            _ => (started, 0),
        };
        Self {
            gaps: GapTracker::new(started, kernel_checked),
            durable: DurablePosition::from(durable),
            since: started,
            period,
            reported: started,
        }
    }

    /// From when on the counters run.
    #[must_use]
    pub(crate) const fn since(&self) -> Timestamp {
        self.since
    }

    /// When something was last lost.
    #[must_use]
    pub(crate) const fn last_loss(&self) -> Option<Timestamp> {
        self.gaps.last_loss
    }

    /// Compares the counters with those of the call before, for the next [`report`](Self::report).
    pub(crate) fn check(&mut self, snapshot: &Snapshot, now: Timestamp) -> NewLosses {
        self.gaps.observe(snapshot, now)
    }

    /// Whether the next event is due, lost or not.
    #[must_use]
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        now.duration_since(self.reported).unsigned_abs() >= self.period
    }

    /// Sends the counters with the gaps that were found; the kernel side's are those of the last check.
    pub(crate) fn report(
        &mut self,
        monitor: &mut Monitor<Probes>,
        kernel: Option<&Counters>,
        now: Timestamp,
    ) {
        self.report_with(Vec::new(), monitor, kernel, now);
    }

    /// The same with gaps from before this run.
    pub(crate) fn report_previous(&mut self, gaps: Vec<Gap>, monitor: &mut Monitor<Probes>, now: Timestamp) {
        self.gaps.last_loss = Some(now);
        let kernel = monitor.evidence.kernel.counters().ok();
        self.report_with(gaps, monitor, kernel.as_ref(), now);
    }

    fn report_with(
        &mut self,
        mut gaps: Vec<Gap>,
        monitor: &mut Monitor<Probes>,
        kernel: Option<&Counters>,
        now: Timestamp,
    ) {
        // So that the sinks' counters include what they were given.
        monitor.publisher.deliver();
        gaps.extend(self.gaps.take_gaps());
        let is_unseen = |gap: &&Gap| !gap.reason.starts_with(SINK) && gap.summed.is_none();
        if gaps.iter().any(|gap| is_unseen(&gap))
            && let Some(volumes) = &mut monitor.volumes
        {
            volumes.lost();
        }
        if let Some(tally) = &mut monitor.tally {
            // What a sink has lost the ledger has, and what was counted and not described.
            for gap in gaps.iter().filter(is_unseen) {
                tally.enter(Entry::Gap(gap.clone()));
            }
        }
        let coverage = Snapshot::of(monitor, kernel.copied()).event(self.since, now, gaps);
        self.reported = now;
        monitor.publisher.send(Body::Coverage(Box::new(CoverageEvent { port: None, coverage })), now);
    }

    /// Stores for the next daemon that everything up to these counters was reported, and how far it is durable. Does
    /// nothing without pins.
    pub(crate) fn checkpoint(&mut self, monitor: &mut Monitor<Probes>, reported: &Counters, now: Timestamp) {
        let Monitor { publisher, evidence, .. } = monitor;
        let Some(position) = evidence.kernel.ring_position() else { return };
        let sinks = publisher.fanout().stats();
        let durable = self.durable.advance(position, &sinks, publisher.counting_since(), now);
        write_checkpoint(&mut evidence.kernel, reported, durable);
    }
}

/// Stores a checkpoint; a failure is logged, for the next daemon then reports a longer gap.
pub(crate) fn write_checkpoint(probes: &mut Probes, reported: &Counters, durable: u64) {
    if let Err(error) = probes.write_checkpoint(reported, boottime_ns(), durable) {
        tracing::warn!(%error, "no checkpoint was written for the next daemon");
    }
}
