//! When the groups are collected in which the kernel side counts connections that it has no room to report, and who waits for
//! that: a thread, never the loop.
//!
//! Belongs here: asking, and handing what came to the monitor. Does not belong here: the maps (`host::probes`), what a group
//! means (`monitor`).

use std::time::Duration;

use gdprport_common::Counters;
use gdprport_core::decode::overload::OverloadGroup;
use tokio::sync::mpsc;

use super::monitor::{Input, Monitor};
use crate::host::probes::{Collected, Collector, Probes};
use crate::host::process::TaskLookup;

/// How long the end of a run waits for a collection that is under way. The kernel lets it wait some 10 ms as a rule.
const PATIENCE: Duration = Duration::from_secs(2);

/// Groups that are judged in one go: some 20 ms. Of 12,288, which the kernel side has room for, the loop would see nothing else for
/// a quarter of a second.
const SLICE: usize = 1_024;

/// What a collection brings, and what does the next one.
pub(super) type Brought = (Collector, Collected);

/// The groups of one collection while they are judged, in slices between which the loop handles other inputs.
#[derive(Debug)]
pub(super) struct Slices {
    groups: Vec<OverloadGroup>,
    judged: usize,
}

impl Slices {
    /// Nothing is judged yet.
    pub(super) const fn of(groups: Vec<OverloadGroup>) -> Self {
        Self { groups, judged: 0 }
    }

    /// Judges the next slice, and sends the sums with the last one, so that they are those of the whole collection. True: it was
    /// the last.
    pub(super) fn judge<K: TaskLookup>(&mut self, monitor: &mut Monitor<K>) -> bool {
        let end = self.groups.len().min(self.judged + SLICE);
        let now = monitor.now();
        monitor.apply(Input::Counted(&self.groups[self.judged..end]), now);
        self.judged = end;
        let is_last = end == self.groups.len();
        if is_last {
            monitor.send_sums(now);
        }
        is_last
    }
}

/// A collection that is being judged.
struct Judging {
    collector: Collector,
    slices: Slices,
    /// What is accounted for once all of it is judged.
    accounted: u64,
}

/// Collects.
pub(super) struct Overloads {
    /// `None`: it is at work, or what it brought is being judged.
    collector: Option<Collector>,
    judging: Option<Judging>,
    to: mpsc::Sender<Brought>,
    brought: mpsc::Receiver<Brought>,
    /// What the kernel side had counted when it was last asked for.
    grouped: u64,
}

impl Overloads {
    /// Nothing is collected yet.
    pub(super) fn new(probes: &mut Probes) -> Self {
        let (to, brought) = mpsc::channel(1);
        Self { collector: probes.collector(), judging: None, to, brought, grouped: 0 }
    }

    /// Once a second: has everything collected if the kernel side has counted more since.
    pub(super) fn second(&mut self, counters: &Counters) {
        let grouped = counters.hooks.iter().map(|hook| hook.grouped).sum();
        if grouped == self.grouped {
            return;
        }
        let Some(collector) = self.collector.take() else { return };
        self.grouped = grouped;
        let to = self.to.clone();
        tokio::task::spawn_blocking(move || {
            // A loop that has ended takes no more.
            let _ = to.blocking_send(collect(collector));
        });
    }

    /// Waits for what a collection brings.
    pub(super) async fn brought(&mut self) -> Option<Brought> {
        self.brought.recv().await
    }

    /// Begins to hand it to the monitor: [`Self::judge`] goes on. True if flows have ended that it still has.
    pub(super) fn begin(&mut self, (collector, collected): Brought, monitor: &mut Monitor<Probes>) -> bool {
        let is_whole = collected.is_whole();
        let Collected { groups, missing, undecodable, failed, accounted } = collected;
        if !is_whole {
            // What is missing was taken by a daemon before that was killed; what failed is tried again.
            tracing::error!(
                missing,
                undecodable,
                failed,
                "not all connections that were counted could be collected"
            );
        }
        if failed.is_some() {
            self.grouped = u64::MAX;
        }
        monitor.counters.overload.missing += missing;
        // What such a group counted is lost, as with a record.
        monitor.counters.undecodable += undecodable;
        let ends = groups.iter().any(|group| group.sums.ends_of_described > 0);
        self.judging = Some(Judging { collector, slices: Slices::of(groups), accounted });
        self.judge(monitor);
        ends
    }

    /// Whether a part of a collection is not judged yet. Its sums are not sent before.
    pub(super) const fn is_judging(&self) -> bool {
        self.judging.is_some()
    }

    /// Judges the next slice of what was brought.
    pub(super) fn judge(&mut self, monitor: &mut Monitor<Probes>) {
        let Some(mut judging) = self.judging.take() else { return };
        if judging.slices.judge(monitor) {
            // Not before: of what is not sent yet the next daemon has to know that it is missing, if this one is killed.
            monitor.evidence.kernel.note_collected(judging.accounted);
            self.collector = Some(judging.collector);
        } else {
            self.judging = Some(judging);
        }
    }

    /// Judges what is left: it belongs to the policy of before.
    pub(super) fn judge_all(&mut self, monitor: &mut Monitor<Probes>) {
        while self.is_judging() {
            self.judge(monitor);
        }
    }

    /// The last of a run: what is under way and, unless the hooks go on, everything that there is.
    pub(super) async fn finish(mut self, kept: bool, monitor: &mut Monitor<Probes>) {
        self.judge_all(monitor);
        if self.collector.is_none()
            && let Ok(Some(brought)) = tokio::time::timeout(PATIENCE, self.brought()).await
        {
            self.begin(brought, monitor);
            self.judge_all(monitor);
        }
        let Some(collector) = self.collector.take().filter(|_| !kept) else { return };
        let last = tokio::task::spawn_blocking(move || collect(collector));
        if let Ok(Ok(brought)) = tokio::time::timeout(PATIENCE, last).await {
            self.begin(brought, monitor);
            self.judge_all(monitor);
        }
    }
}

fn collect(mut collector: Collector) -> Brought {
    let collected = collector.collect();
    (collector, collected)
}
