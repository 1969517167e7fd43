//! Gaps: what was lost between two snapshots of the counters, from when to when.
//!
//! Belongs here: losses in time. What was lost in total is in the counters themselves.
//!
//! What a sink loses is reported in a gap that grows: the sink that loses usually cannot receive the report meanwhile, so
//! the gap is reported once more when the sink works again, with the same beginning. Of gaps with the same reason and the
//! same `from` the last one counts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gdprport_common::Hook;
use jiff::Timestamp;

use super::reason::{
    END_UNSEEN, KERNEL_OVERLOAD, LEDGER_FULL, LISTENERS_FULL, OPENING_UNSEEN, OWNERS_UNKEPT, RING_FULL, SINK,
    TABLE_FULL, UNDECODABLE,
};
use super::snapshot::{Snapshot, unseen_by_reason};
use super::unseen::UnseenState;
use crate::host::unseen::Unseen;
use crate::sink::{SinkStats, kind_of};
use gdprport_core::event::Gap;

/// What is new since the snapshot before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NewLosses {
    /// Records that found the ring buffer full.
    pub ring_full: u64,
    /// There is something to report now and not with the next `coverage` event that is due.
    pub urgent: bool,
}

/// Finds losses between two snapshots.
#[derive(Debug)]
pub(super) struct GapTracker {
    /// By hook, and the owners at last.
    kernel: [LossCounter; Hook::ALL.len() + 1],
    /// What was counted and not described, and what of it is missing.
    grouped: [LossCounter; 2],
    undecodable: LossCounter,
    evicted: LossCounter,
    listeners: LossCounter,
    ends: LossCounter,
    openings: LossCounter,
    ledger: LossCounter,
    unseen: [UnseenState; 3],
    sinks: Vec<SinkLosses>,
    started: Timestamp,
    /// When something was last lost.
    pub last_loss: Option<Timestamp>,
}

/// A total that only grows, by losses.
#[derive(Debug, Clone, Copy)]
struct LossCounter {
    total: u64,
    /// The last snapshot: everything up to it is known.
    checked: Timestamp,
    /// From, to, and how many.
    gap: Option<(Timestamp, Timestamp, u64)>,
}

impl LossCounter {
    const fn new(checked: Timestamp) -> Self {
        Self { total: 0, checked, gap: None }
    }

    /// Returns how many were lost since the snapshot before.
    fn observe(&mut self, total: u64, now: Timestamp) -> u64 {
        let lost = total.saturating_sub(self.total);
        self.total = total;
        if lost > 0 {
            let (from, _, before) = self.gap.unwrap_or((self.checked, now, 0));
            self.gap = Some((from, now, before + lost));
        }
        self.checked = now;
        lost
    }

    fn gap(&self, reason: impl FnOnce() -> Cow<'static, str>) -> Option<Gap> {
        self.gap.map(|(from, to, lost)| Gap { from, to, lost, bound: None, summed: None, reason: reason() })
    }
}

/// What a sink lost, by reason.
#[derive(Debug)]
struct SinkLosses {
    name: String,
    reasons: BTreeMap<Cow<'static, str>, LossCounter>,
    /// The last snapshot before the first loss of a reason.
    checked: Timestamp,
    coverage_dropped: u64,
    state: SinkState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SinkState {
    Complete,
    /// It had delivered so many events when it last lost one.
    Losing(u64),
    /// It works again and was sent the report of what it lost: that has arrived once it is done with so many events that
    /// were handed to it, known with the next snapshot.
    Reported(Option<u64>),
}

impl SinkLosses {
    fn new(stats: &SinkStats, checked: Timestamp) -> Self {
        let name = kind_of(&stats.counts.name).to_owned();
        Self { name, reasons: BTreeMap::new(), checked, coverage_dropped: 0, state: SinkState::Complete }
    }

    /// Returns how many events were lost since the snapshot before, and whether that has to be reported now.
    fn observe(&mut self, stats: &SinkStats, now: Timestamp) -> (u64, bool) {
        let counts = &stats.counts;
        let mut lost = 0;
        for (reason, total) in &counts.dropped {
            let counter = self.reasons.entry(reason.clone()).or_insert(LossCounter::new(self.checked));
            lost += counter.observe(*total, now);
        }
        self.checked = now;
        // A failing sink loses the event that reports it too; reported at once, that would be lost, reported, and so on.
        let of_coverage = stats.coverage_dropped.saturating_sub(self.coverage_dropped);
        self.coverage_dropped = stats.coverage_dropped;
        if lost > 0 {
            self.state = SinkState::Losing(counts.delivered);
            return (lost, lost > of_coverage);
        }
        // It may have recovered before the last loss was found, and have had nothing to do since.
        let idle = counts.queued == 0 && stats.last_error.is_none();
        match self.state {
            SinkState::Losing(delivered) if idle || counts.delivered > delivered => {
                self.state = SinkState::Reported(None);
                return (0, true);
            }
            SinkState::Reported(None) => self.state = SinkState::Reported(Some(counts.received)),
            SinkState::Reported(Some(given)) if counts.received.saturating_sub(counts.queued) >= given => {
                self.state = SinkState::Complete;
                self.reasons.values_mut().for_each(|counter| counter.gap = None);
            }
            SinkState::Reported(_) | SinkState::Losing(_) | SinkState::Complete => {}
        }
        (0, false)
    }

    fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.reasons
            .iter()
            .filter_map(|(reason, counter)| counter.gap(|| format!("{SINK}:{}:{reason}", self.name).into()))
    }
}

impl GapTracker {
    /// Nothing was lost up to now: in the daemon since it started, on the kernel side perhaps since before.
    #[must_use]
    pub(super) fn new(started: Timestamp, kernel_checked: Timestamp) -> Self {
        Self {
            kernel: [LossCounter::new(kernel_checked); Hook::ALL.len() + 1],
            grouped: [LossCounter::new(kernel_checked); 2],
            undecodable: LossCounter::new(started),
            evicted: LossCounter::new(started),
            listeners: LossCounter::new(started),
            ends: LossCounter::new(started),
            openings: LossCounter::new(started),
            ledger: LossCounter::new(started),
            unseen: [UnseenState::new(started); 3],
            sinks: Vec::new(),
            started,
            last_loss: None,
        }
    }

    /// Compares with the snapshot before.
    pub(super) fn observe(&mut self, snapshot: &Snapshot, now: Timestamp) -> NewLosses {
        let (mut new, mut any, mut grouped) = (NewLosses::default(), 0, 0);
        if let Some(counters) = &snapshot.kernel {
            let [hooks @ .., owners] = &mut self.kernel;
            for (counter, hook) in hooks.iter_mut().zip(&counters.hooks) {
                new.ring_full += counter.observe(hook.dropped_ring_full, now);
            }
            any += new.ring_full + owners.observe(counters.unkept, now);
            // No loss, and news all the same.
            grouped = self.grouped[0].observe(counters.hooks.iter().map(|hook| hook.grouped).sum(), now);
        }
        any += self.undecodable.observe(snapshot.undecodable, now)
            + self.grouped[1].observe(snapshot.overload.missing, now);
        any += self.evicted.observe(snapshot.flows.evicted, now)
            + self.listeners.observe(snapshot.evicted_listeners, now);
        any += self.ends.observe(snapshot.flows.end_missed, now)
            + self.openings.observe(snapshot.found_late, now);
        any += self.ledger.observe(snapshot.unledgered, now);
        new.urgent = any + grouped > 0;
        // No loss yet: what cannot be looked at may be as it was.
        for (state, (_, count)) in self.unseen.iter_mut().zip(unseen_by_reason(snapshot.unseen)) {
            new.urgent |= state.observe(count, now);
        }
        for (index, stats) in snapshot.publisher.sinks.iter().enumerate() {
            if index == self.sinks.len() {
                self.sinks.push(SinkLosses::new(stats, self.started));
            }
            let (lost, urgent) = self.sinks[index].observe(stats, now);
            any += lost;
            new.urgent |= urgent;
        }
        if any > 0 {
            self.last_loss = Some(now);
        }
        new
    }

    /// The gaps to report now, oldest first. Those of a sink go on, the others are reported once.
    pub(super) fn take_gaps(&mut self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.sinks.iter().flat_map(SinkLosses::gaps).collect();
        let [hooks @ .., owners] = &mut self.kernel;
        for (counter, hook) in hooks.iter_mut().zip(Hook::ALL) {
            gaps.extend(counter.gap(|| format!("{RING_FULL}:{}", hook.name()).into()));
            counter.gap = None;
        }
        let [grouped, missing] = &mut self.grouped;
        if let Some(gap) = grouped.gap(|| KERNEL_OVERLOAD.into()) {
            gaps.push(Gap { lost: 0, summed: Some(gap.lost), ..gap });
            grouped.gap = None;
        }
        let others = [
            (owners, OWNERS_UNKEPT),
            (missing, KERNEL_OVERLOAD),
            (&mut self.undecodable, UNDECODABLE),
            (&mut self.evicted, TABLE_FULL),
            (&mut self.listeners, LISTENERS_FULL),
            (&mut self.ends, END_UNSEEN),
            (&mut self.openings, OPENING_UNSEEN),
            (&mut self.ledger, LEDGER_FULL),
        ];
        for (counter, reason) in others {
            gaps.extend(counter.gap(|| reason.into()));
            counter.gap = None;
        }
        let reasons = unseen_by_reason(Unseen::default()).map(|(reason, _)| reason);
        gaps.extend(self.unseen.iter_mut().zip(reasons).filter_map(|(state, reason)| state.take(reason)));
        gaps.sort_by_key(|gap| gap.from);
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_common::Counters;
    use gdprport_core::event::{ByReason, SinkCounts};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    fn kernel(counters: &Counters) -> Snapshot {
        Snapshot { kernel: Some(*counters), ..Snapshot::default() }
    }

    fn reported(tracker: &mut GapTracker) -> Vec<(String, i64, i64, u64)> {
        let gaps = tracker.take_gaps().into_iter();
        gaps.map(|gap| (gap.reason.into_owned(), gap.from.as_second(), gap.to.as_second(), gap.lost))
            .collect()
    }

    #[test]
    fn a_loss_is_reported_once_as_a_gap_since_the_last_snapshot() {
        let mut tracker = GapTracker::new(at(1), at(0));
        let mut counters = Counters::default();
        let quiet = NewLosses::default();
        assert_eq!(tracker.observe(&kernel(&counters), at(2)), quiet);
        counters.hooks[Hook::Close as usize].dropped_ring_full = 5;
        counters.unkept = 1;
        let mut lost = kernel(&counters);
        (lost.undecodable, lost.flows.evicted, lost.evicted_listeners) = (2, 3, 4);
        (lost.flows.end_missed, lost.found_late, lost.unledgered) = (6, 7, 8);
        assert_eq!(tracker.observe(&lost, at(3)), NewLosses { ring_full: 5, urgent: true });
        let expected = [
            ("ring-full:close", 5),
            ("owners-unkept", 1),
            ("undecodable", 2),
            ("flow-table-full", 3),
            ("listener-table-full", 4),
            ("end-unseen", 6),
            ("opening-unseen", 7),
            ("ledger:full", 8),
        ];
        let expected = expected.map(|(reason, lost)| {
            // Nothing was lost up to the snapshot before.
            (reason.to_owned(), 2, 3, lost)
        });
        assert_eq!(reported(&mut tracker), expected);
        assert_eq!(tracker.observe(&lost, at(4)), quiet);
        assert!(reported(&mut tracker).is_empty());
        assert_eq!(tracker.last_loss, Some(at(3)));
    }

    /// It is reported at once, and the daemon does not count as one that loses.
    #[test]
    fn what_was_counted_is_a_gap_in_which_nothing_is_lost() {
        let mut tracker = GapTracker::new(at(1), at(0));
        let mut counters = Counters::default();
        counters.hooks[Hook::Established as usize].grouped = 5;
        counters.hooks[Hook::Close as usize].grouped = 2;
        assert_eq!(tracker.observe(&kernel(&counters), at(3)), NewLosses { ring_full: 0, urgent: true });
        let gaps = tracker.take_gaps();
        let [gap] = &gaps[..] else { panic!("{gaps:?}") };
        assert_eq!((&*gap.reason, gap.lost, gap.summed), ("kernel-overload", 0, Some(7)));
        assert_eq!((gap.from, gap.to, tracker.last_loss), (at(0), at(3), None));
        assert_eq!(tracker.observe(&kernel(&counters), at(4)), NewLosses::default());
        assert!(tracker.take_gaps().is_empty());
    }

    #[test]
    fn kernel_losses_before_the_start_begin_at_the_last_checkpoint() {
        let mut tracker = GapTracker::new(at(10), at(4));
        let mut counters = Counters::default();
        assert!(!tracker.observe(&Snapshot::default(), at(11)).urgent, "unreadable counters are no loss");
        counters.hooks[0].dropped_ring_full = 1;
        tracker.observe(&kernel(&counters), at(12));
        assert_eq!(reported(&mut tracker), [("ring-full:established".to_owned(), 4, 12, 1)]);
    }

    fn sink(received: u64, delivered: u64, lost: u64, coverage_dropped: u64) -> SinkStats {
        let dropped = if lost == 0 { ByReason::new() } else { [("io-error".into(), lost)].into() };
        let counts = SinkCounts {
            name: "file:/var/log/events".into(),
            received,
            delivered,
            queued: received - delivered - lost,
            dropped,
        };
        SinkStats { counts, coverage_dropped, ..SinkStats::default() }
    }

    fn failing(stats: SinkStats) -> SinkStats {
        SinkStats { last_error: Some("no space left".to_owned()), ..stats }
    }

    fn observe(tracker: &mut GapTracker, stats: SinkStats, second: i64) -> bool {
        let mut snapshot = Snapshot::default();
        snapshot.publisher.sinks = vec![stats];
        tracker.observe(&snapshot, at(second)).urgent
    }

    fn gap(from: i64, to: i64, lost: u64) -> Vec<(String, i64, i64, u64)> {
        vec![("sink:file:io-error".to_owned(), from, to, lost)]
    }

    #[test]
    fn a_sinks_gap_grows_until_the_sink_itself_has_the_report() {
        let mut tracker = GapTracker::new(at(0), at(0));
        assert!(!observe(&mut tracker, sink(5, 5, 0, 0), 1));
        assert!(observe(&mut tracker, failing(sink(8, 5, 3, 0)), 2));
        assert_eq!(reported(&mut tracker), gap(1, 2, 3));
        assert!(observe(&mut tracker, failing(sink(11, 5, 6, 1)), 3), "two more than the report");
        assert_eq!(reported(&mut tracker), gap(1, 3, 6));
        assert!(!observe(&mut tracker, failing(sink(12, 5, 7, 2)), 4), "that the report was lost is no news");
        assert!(!observe(&mut tracker, failing(sink(12, 5, 7, 2)), 5), "still");
        assert_eq!(reported(&mut tracker), gap(1, 4, 7), "but part of the next report");
        assert!(observe(&mut tracker, sink(15, 7, 7, 2), 6), "it works again");
        assert_eq!(reported(&mut tracker), gap(1, 4, 7));
        assert!(!observe(&mut tracker, sink(16, 7, 7, 2), 7), "the report is on the way");
        assert!(!observe(&mut tracker, sink(16, 7, 7, 2), 8));
        assert_eq!(reported(&mut tracker), gap(1, 4, 7), "and reported again as long as it may be lost");
        assert!(!observe(&mut tracker, sink(16, 9, 7, 2), 9));
        assert!(reported(&mut tracker).is_empty());
        assert_eq!(tracker.last_loss, Some(at(4)));
        assert!(observe(&mut tracker, sink(17, 9, 8, 2), 10));
        assert_eq!(reported(&mut tracker), gap(9, 10, 1), "another one begins");
    }

    #[test]
    fn a_sink_that_recovers_before_its_loss_is_found_gets_a_report() {
        let mut tracker = GapTracker::new(at(0), at(0));
        assert!(observe(&mut tracker, failing(sink(3, 0, 3, 0)), 1));
        // The report was lost, and then an event was written.
        assert!(!observe(&mut tracker, sink(5, 1, 4, 1), 2));
        assert!(observe(&mut tracker, sink(5, 1, 4, 1), 3));
        assert_eq!(reported(&mut tracker), gap(0, 2, 4));
    }

    #[test]
    fn a_stalled_sink_is_not_sent_the_same_report_again_and_again() {
        let mut tracker = GapTracker::new(at(0), at(0));
        assert!(observe(&mut tracker, sink(10, 0, 3, 0), 1));
        for second in 2..100 {
            assert!(!observe(&mut tracker, sink(11, 0, 4, 1), second));
        }
    }
}
