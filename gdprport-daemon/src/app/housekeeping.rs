//! What the loop does every second. When it does is the loop's.

use super::coverage::Snapshot;
use super::monitor;
use super::run::Daemon;
use crate::host::clock::BootClock;
use crate::host::memory;

impl Daemon {
    /// What is done every second: the clock, losses, coverage, summaries, the checkpoint.
    pub(super) fn housekeeping(&mut self) {
        let Self { session, monitor, coverage, reconciler, keeper, overloads, enforcer, .. } = self;
        if monitor.follow_clock(BootClock::measure()) {
            // Rules end by the time of day.
            enforcer.outdated();
        }
        // By the clock that the times of flows are shown by from here on.
        let now = monitor.now();
        monitor.publisher.fanout_mut().drop_gone_followers();
        monitor.evidence.kernel.relay_log();
        monitor.evidence.resolver.tick();
        monitor.apply(monitor::Input::Names, now);
        enforcer.second(monitor);
        if !overloads.is_judging() {
            monitor.send_sums(now);
        }
        let kernel = monitor.evidence.kernel.counters();
        if let Err(error) = &kernel {
            tracing::error!(%error, "the kernel side's counters cannot be read");
        }
        let kernel = kernel.ok();
        let new = coverage.check(&Snapshot::of(monitor, kernel), now);
        if new.ring_full > 0 {
            tracing::warn!(lost = new.ring_full, "the ring buffer was full");
            reconciler.records_lost();
        }
        if new.urgent || coverage.is_due(now) {
            coverage.report(monitor, kernel.as_ref(), now);
            if !new.urgent {
                // Not while something is lost: it blocks the loop, and a burst that goes on needs the memory.
                memory::trim_heap();
            }
        }
        let lost =
            kernel.iter().flat_map(|kernel| &kernel.hooks).map(|hook| hook.dropped_ring_full).sum::<u64>();
        monitor.publisher.sum_up(session.uptime_ns() / 1_000_000, lost + monitor.counters.undecodable);
        if let Some(counters) = kernel {
            overloads.second(&counters);
            coverage.checkpoint(monitor, &counters, now);
        }
        monitor.report_binds(false, now);
        monitor.publisher.summaries(now);
        monitor.publisher.send_lost(now, false);
        keeper.second(monitor, now);
    }
}
