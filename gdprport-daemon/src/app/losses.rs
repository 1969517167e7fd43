//! Notices losses between two looks at the books, and says from when to when.
//!
//! Belongs here: losses in time. What was lost in all is in the books themselves.
//!
//! What a sink loses is told in a gap that grows: the sink that loses most often cannot be told of it meanwhile, so
//! what was told of is told once more when the sink works again, from the same beginning. Of gaps with the same reason
//! and the same `from` the last one counts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gdprport_common::{Counters, Hook};
use jiff::Timestamp;

use super::account::{RING_FULL, UNDECODABLE};
use crate::sink::SinkStats;
use gdprport_core::event::Gap;

/// The identifier under which sockets are counted whose owner could not be kept.
const OWNERS_UNKEPT: &str = "owners-unkept";
/// The identifier under which flows are counted that the full table had no room for.
const TABLE_FULL: &str = "flow-table-full";
/// The same of listeners.
const LISTENERS_FULL: &str = "listener-table-full";
/// Before the name and the reason of what a sink lost.
const SINK: &str = "sink";

/// What was lost so far, as the books say it now.
#[derive(Debug)]
pub struct Lost<'a> {
    /// The kernel side's counters; `None` if they cannot be read now.
    pub kernel: Option<&'a Counters>,
    /// Records that could not be read.
    pub undecodable: u64,
    /// Flows that the full table had no room for.
    pub evicted: u64,
    /// Listeners that there was no room for.
    pub listeners: u64,
    /// The books of every sink, always in the same order.
    pub sinks: &'a [SinkStats],
}

/// What a look has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Records that found the ring buffer full since the look before.
    pub ring_full: u64,
    /// There is something to tell now and not with the next `coverage` event that is due.
    pub urgent: bool,
}

/// Notices losses between two looks.
#[derive(Debug)]
pub struct LossWatch {
    /// By hook, and the owners at last.
    kernel: [Watch; Hook::ALL.len() + 1],
    undecodable: Watch,
    evicted: Watch,
    listeners: Watch,
    sinks: Vec<SinkWatch>,
    started: Timestamp,
    /// When something was last lost.
    pub last_loss: Option<Timestamp>,
}

/// One number that only grows, by losses.
#[derive(Debug, Clone, Copy)]
struct Watch {
    total: u64,
    /// When it was last looked at without a loss to tell.
    whole: Timestamp,
    /// From, to, and how many.
    gap: Option<(Timestamp, Timestamp, u64)>,
}

impl Watch {
    const fn new(whole: Timestamp) -> Self {
        Self { total: 0, whole, gap: None }
    }

    /// Says how many were lost since the look before.
    fn look(&mut self, total: u64, now: Timestamp) -> u64 {
        let lost = total.saturating_sub(self.total);
        self.total = total;
        if lost > 0 {
            let (from, _, before) = self.gap.unwrap_or((self.whole, now, 0));
            self.gap = Some((from, now, before + lost));
        }
        self.whole = now;
        lost
    }

    fn tell(&self, reason: impl FnOnce() -> Cow<'static, str>) -> Option<Gap> {
        self.gap.map(|(from, to, lost)| Gap { from, to, lost, bound: None, reason: reason() })
    }
}

/// What a sink lost, by reason.
#[derive(Debug)]
struct SinkWatch {
    name: String,
    reasons: BTreeMap<Cow<'static, str>, Watch>,
    /// The last look before the first loss of a reason.
    whole: Timestamp,
    coverage_dropped: u64,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Whole,
    /// It had delivered so many events when it last lost one.
    Losing(u64),
    /// It works again and was told what it lost: that has arrived once it is done with so many events that were handed
    /// to it, known with the next look.
    Told(Option<u64>),
}

impl SinkWatch {
    fn new(stats: &SinkStats, whole: Timestamp) -> Self {
        // The kind alone: there is one of each, and a path makes no identifier.
        let name = stats.counts.name.split(':').next().unwrap_or_default().to_owned();
        Self { name, reasons: BTreeMap::new(), whole, coverage_dropped: 0, standing: Standing::Whole }
    }

    /// Says how many events were lost since the look before, and whether that has to be told now.
    fn look(&mut self, stats: &SinkStats, now: Timestamp) -> (u64, bool) {
        let counts = &stats.counts;
        let mut lost = 0;
        for (reason, total) in &counts.dropped {
            let watch = self.reasons.entry(reason.clone()).or_insert(Watch::new(self.whole));
            lost += watch.look(*total, now);
        }
        self.whole = now;
        // A failing sink loses the event that tells of it too; told at once, that would be lost, told, and so on.
        let of_coverage = stats.coverage_dropped.saturating_sub(self.coverage_dropped);
        self.coverage_dropped = stats.coverage_dropped;
        if lost > 0 {
            self.standing = Standing::Losing(counts.delivered);
            return (lost, lost > of_coverage);
        }
        // It may have begun to work before the last loss was noticed, and have had nothing to do since.
        let idle = counts.queued == 0 && stats.last_error.is_none();
        match self.standing {
            Standing::Losing(delivered) if idle || counts.delivered > delivered => {
                self.standing = Standing::Told(None);
                return (0, true);
            }
            Standing::Told(None) => self.standing = Standing::Told(Some(counts.received)),
            Standing::Told(Some(given)) if counts.received.saturating_sub(counts.queued) >= given => {
                self.standing = Standing::Whole;
                self.reasons.values_mut().for_each(|watch| watch.gap = None);
            }
            Standing::Told(_) | Standing::Losing(_) | Standing::Whole => {}
        }
        (0, false)
    }

    fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.reasons
            .iter()
            .filter_map(|(reason, watch)| watch.tell(|| format!("{SINK}:{}:{reason}", self.name).into()))
    }
}

impl LossWatch {
    /// Starts with everything whole: the daemon's own things when it started, the kernel side's perhaps before.
    #[must_use]
    pub fn new(started: Timestamp, kernel_whole: Timestamp) -> Self {
        Self {
            kernel: [Watch::new(kernel_whole); Hook::ALL.len() + 1],
            undecodable: Watch::new(started),
            evicted: Watch::new(started),
            listeners: Watch::new(started),
            sinks: Vec::new(),
            started,
            last_loss: None,
        }
    }

    /// Compares with the look before.
    pub fn look(&mut self, lost: &Lost<'_>, now: Timestamp) -> Noticed {
        let (mut noticed, mut any) = (Noticed::default(), 0);
        if let Some(counters) = lost.kernel {
            let [hooks @ .., owners] = &mut self.kernel;
            for (watch, hook) in hooks.iter_mut().zip(&counters.hooks) {
                noticed.ring_full += watch.look(hook.dropped_ring_full, now);
            }
            any += noticed.ring_full + owners.look(counters.unkept, now);
        }
        any += self.undecodable.look(lost.undecodable, now);
        any += self.evicted.look(lost.evicted, now) + self.listeners.look(lost.listeners, now);
        noticed.urgent = any > 0;
        for (index, stats) in lost.sinks.iter().enumerate() {
            if index == self.sinks.len() {
                self.sinks.push(SinkWatch::new(stats, self.started));
            }
            let (lost, urgent) = self.sinks[index].look(stats, now);
            any += lost;
            noticed.urgent |= urgent;
        }
        if any > 0 {
            self.last_loss = Some(now);
        }
        noticed
    }

    /// The gaps to tell now, oldest first. Those of a sink go on, the others are told once.
    pub fn tell(&mut self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.sinks.iter().flat_map(SinkWatch::gaps).collect();
        let [hooks @ .., owners] = &mut self.kernel;
        for (watch, hook) in hooks.iter_mut().zip(Hook::ALL) {
            gaps.extend(watch.tell(|| format!("{RING_FULL}:{}", hook.name()).into()));
            watch.gap = None;
        }
        let others = [
            (owners, OWNERS_UNKEPT),
            (&mut self.undecodable, UNDECODABLE),
            (&mut self.evicted, TABLE_FULL),
            (&mut self.listeners, LISTENERS_FULL),
        ];
        for (watch, reason) in others {
            gaps.extend(watch.tell(|| reason.into()));
            watch.gap = None;
        }
        gaps.sort_by_key(|gap| gap.from);
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_core::event::{ByReason, SinkCounts};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    fn none<'a>() -> Lost<'a> {
        Lost { kernel: None, undecodable: 0, evicted: 0, listeners: 0, sinks: &[] }
    }

    fn told(watch: &mut LossWatch) -> Vec<(String, i64, i64, u64)> {
        let gaps = watch.tell().into_iter();
        gaps.map(|gap| (gap.reason.into_owned(), gap.from.as_second(), gap.to.as_second(), gap.lost))
            .collect()
    }

    #[test]
    fn a_loss_is_a_gap_from_the_last_time_all_was_whole_and_is_told_once() {
        let mut watch = LossWatch::new(at(1), at(0));
        let mut counters = Counters::default();
        let quiet = Noticed::default();
        assert_eq!(watch.look(&Lost { kernel: Some(&counters), ..none() }, at(2)), quiet);
        counters.hooks[Hook::Close as usize].dropped_ring_full = 5;
        counters.unkept = 1;
        let lost = Lost { kernel: Some(&counters), undecodable: 2, evicted: 3, listeners: 4, ..none() };
        assert_eq!(watch.look(&lost, at(3)), Noticed { ring_full: 5, urgent: true });
        let expected = [
            ("ring-full:close", 5),
            ("owners-unkept", 1),
            ("undecodable", 2),
            ("flow-table-full", 3),
            ("listener-table-full", 4),
        ];
        let expected = expected.map(|(reason, lost)| {
            // What was not looked at before was whole when the daemon started.
            (reason.to_owned(), 2, 3, lost)
        });
        assert_eq!(told(&mut watch), expected);
        assert_eq!(watch.look(&lost, at(4)), quiet);
        assert!(told(&mut watch).is_empty());
        assert_eq!(watch.last_loss, Some(at(3)));
    }

    #[test]
    fn what_the_kernel_side_lost_before_the_daemon_started_begins_when_it_was_last_whole() {
        let mut watch = LossWatch::new(at(10), at(4));
        let mut counters = Counters::default();
        assert!(!watch.look(&none(), at(11)).urgent, "counters that cannot be read are no loss");
        counters.hooks[0].dropped_ring_full = 1;
        watch.look(&Lost { kernel: Some(&counters), ..none() }, at(12));
        assert_eq!(told(&mut watch), [("ring-full:established".to_owned(), 4, 12, 1)]);
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
        SinkStats { counts, bytes: 0, last_error: None, closed: false, coverage_dropped }
    }

    fn failing(stats: SinkStats) -> SinkStats {
        SinkStats { last_error: Some("no space left".to_owned()), ..stats }
    }

    fn look(watch: &mut LossWatch, stats: SinkStats, second: i64) -> bool {
        watch.look(&Lost { sinks: &[stats], ..none() }, at(second)).urgent
    }

    fn gap(from: i64, to: i64, lost: u64) -> Vec<(String, i64, i64, u64)> {
        vec![("sink:file:io-error".to_owned(), from, to, lost)]
    }

    #[test]
    fn what_a_sink_loses_is_one_gap_that_grows_until_the_sink_itself_was_told_of_it() {
        let mut watch = LossWatch::new(at(0), at(0));
        assert!(!look(&mut watch, sink(5, 5, 0, 0), 1));
        assert!(look(&mut watch, failing(sink(8, 5, 3, 0)), 2));
        assert_eq!(told(&mut watch), gap(1, 2, 3));
        assert!(look(&mut watch, failing(sink(11, 5, 6, 1)), 3), "two more than the event that told of it");
        assert_eq!(told(&mut watch), gap(1, 3, 6));
        assert!(!look(&mut watch, failing(sink(12, 5, 7, 2)), 4), "that what told of it was lost is no news");
        assert!(!look(&mut watch, failing(sink(12, 5, 7, 2)), 5), "still");
        assert_eq!(told(&mut watch), gap(1, 4, 7), "but told with the next");
        assert!(look(&mut watch, sink(15, 7, 7, 2), 6), "it works again");
        assert_eq!(told(&mut watch), gap(1, 4, 7));
        assert!(!look(&mut watch, sink(16, 7, 7, 2), 7), "what tells it is on the way");
        assert!(!look(&mut watch, sink(16, 7, 7, 2), 8));
        assert_eq!(told(&mut watch), gap(1, 4, 7), "and told again as long as it may be lost");
        assert!(!look(&mut watch, sink(16, 9, 7, 2), 9));
        assert!(told(&mut watch).is_empty());
        assert_eq!(watch.last_loss, Some(at(4)));
        assert!(look(&mut watch, sink(17, 9, 8, 2), 10));
        assert_eq!(told(&mut watch), gap(9, 10, 1), "another one begins");
    }

    #[test]
    fn a_sink_that_worked_again_before_its_last_loss_was_noticed_is_told_of_it_too() {
        let mut watch = LossWatch::new(at(0), at(0));
        assert!(look(&mut watch, failing(sink(3, 0, 3, 0)), 1));
        // The event that told of it was lost, and then one was written.
        assert!(!look(&mut watch, sink(5, 1, 4, 1), 2));
        assert!(look(&mut watch, sink(5, 1, 4, 1), 3));
        assert_eq!(told(&mut watch), gap(0, 2, 4));
    }

    #[test]
    fn a_sink_that_stands_still_is_not_told_over_and_over_what_it_cannot_take() {
        let mut watch = LossWatch::new(at(0), at(0));
        assert!(look(&mut watch, sink(10, 0, 3, 0), 1));
        for second in 2..100 {
            assert!(!look(&mut watch, sink(11, 0, 4, 1), second));
        }
    }
}
