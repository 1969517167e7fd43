//! When the groups are collected in which the kernel side counts connections that it has no room to report, and who waits for
//! that: a thread, never the loop.
//!
//! Belongs here: asking, and handing what came to the monitor. Does not belong here: the maps (`host::probes`), what a group
//! means (`monitor`).

use std::time::Duration;

use gdprport_common::Counters;
use tokio::sync::mpsc;

use super::monitor::{Input, Monitor};
use crate::host::probes::{Collected, Collector, Probes};

/// How long the end of a run waits for a collection that is under way. The kernel lets it wait some 10 ms as a rule.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a collection brings, and what does the next one.
pub(super) type Brought = (Collector, Collected);

/// Collects.
pub(super) struct Overloads {
    /// `None`: it is at work.
    collector: Option<Collector>,
    to: mpsc::Sender<Brought>,
    brought: mpsc::Receiver<Brought>,
    /// What the kernel side had counted when it was last asked for.
    grouped: u64,
}

impl Overloads {
    /// Nothing is collected yet.
    pub(super) fn new(probes: &mut Probes) -> Self {
        let (to, brought) = mpsc::channel(1);
        Self { collector: probes.collector(), to, brought, grouped: 0 }
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

    /// Hands it to the monitor. True if flows have ended that it still has.
    pub(super) fn apply(&mut self, (collector, collected): Brought, monitor: &mut Monitor<Probes>) -> bool {
        self.collector = Some(collector);
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
        let now = monitor.now();
        monitor.apply(Input::Counted(&groups), now);
        monitor.evidence.kernel.note_collected(accounted);
        groups.iter().any(|group| group.sums.ends_of_described > 0)
    }

    /// The last of a run: what is under way and, unless the hooks go on, everything that there is.
    pub(super) async fn finish(mut self, kept: bool, monitor: &mut Monitor<Probes>) {
        if self.collector.is_none()
            && let Ok(Some(brought)) = tokio::time::timeout(PATIENCE, self.brought()).await
        {
            self.apply(brought, monitor);
        }
        let Some(collector) = self.collector.take().filter(|_| !kept) else { return };
        let last = tokio::task::spawn_blocking(move || collect(collector));
        if let Ok(Ok(brought)) = tokio::time::timeout(PATIENCE, last).await {
            self.apply(brought, monitor);
        }
    }
}

fn collect(mut collector: Collector) -> Brought {
    let collected = collector.collect();
    (collector, collected)
}
