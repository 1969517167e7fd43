//! Records from the ring buffer into the monitor.

use gdprport_core::decode::decode;
use jiff::Timestamp;

use super::monitor::{Input, Monitor};
use crate::host::clock::{BootClock, boottime_ns};
use crate::host::probes::{Probes, Ring};

/// Records applied before the loop looks at anything else: some milliseconds of work.
pub(super) const BATCH: usize = 1_024;

/// The reading end of the ring buffer.
pub(super) struct Reader {
    ring: Ring,
    /// When the last record was made that carries a time, boottime ns.
    latest_ns: u64,
    /// The latest time that events of a batch had, boottime ns. The kernel's clock may be ahead of ours for longer than a
    /// batch takes.
    reached_ns: u64,
}

impl Reader {
    /// Reads this ring buffer from now on.
    #[must_use]
    pub(super) fn new(ring: Ring) -> Self {
        Self { ring, latest_ns: boottime_ns(), reached_ns: 0 }
    }

    /// Applies at most a batch of records; returns how many there were. Nothing settles.
    pub(super) fn read(&mut self, monitor: &mut Monitor<Probes>) -> usize {
        let latest_ns = &mut self.latest_ns;
        let mut present = Present::at(boottime_ns().max(self.reached_ns), monitor.publisher.clock());
        let read = self.ring.drain(BATCH, |bytes| match decode(bytes) {
            Ok(record) => {
                if let Some(made_ns) = record.time_ns() {
                    *latest_ns = made_ns;
                    present.reach(made_ns, monitor.publisher.clock());
                }
                monitor.apply(Input::Record(&record), present.time);
            }
            Err(error) => monitor.apply(Input::Undecodable(error), present.time),
        });
        self.reached_ns = present.ns;
        read
    }

    /// Applies at most a batch of records, reports what has settled, and hands the events to the sinks. Returns how many
    /// records there were.
    pub(super) fn read_and_settle(&mut self, monitor: &mut Monitor<Probes>) -> usize {
        let read = self.read(monitor);
        let now_ns = boottime_ns().max(self.reached_ns);
        // With more in the ring, only what had settled when the last record was made: the rest may say more of the others.
        let due_ns = if read == BATCH { self.latest_ns } else { now_ns };
        monitor.settle(due_ns, now_ns, monitor.publisher.clock().timestamp(now_ns));
        monitor.publisher.deliver();
        read
    }

    /// Applies every record that was made before the call, and at most a batch of those that are made meanwhile.
    pub(super) fn read_all(&mut self, monitor: &mut Monitor<Probes>) {
        let called_ns = boottime_ns();
        while self.read_and_settle(monitor) == BATCH && self.latest_ns < called_ns {}
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// If the descriptor cannot be waited for.
    pub(super) async fn wait(&mut self) -> std::io::Result<()> {
        self.ring.wait().await
    }
}

/// The time that events of a batch carry. Records come while a batch is read: none is reported before it was made, and
/// the clock is read again only for those.
struct Present {
    ns: u64,
    time: Timestamp,
}

impl Present {
    fn at(ns: u64, clock: &BootClock) -> Self {
        Self { ns, time: clock.timestamp(ns) }
    }

    /// Goes on to now if a record was made after it, at `made_ns`. The kernel's clock may be ahead of ours by a moment.
    fn reach(&mut self, made_ns: u64, clock: &BootClock) {
        if made_ns > self.ns {
            *self = Self::at(boottime_ns().max(made_ns), clock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_is_reported_before_it_was_made() {
        let clock = BootClock::measure();
        let mut present = Present::at(boottime_ns(), &clock);
        let begun = present.time;
        present.reach(1, &clock);
        assert_eq!(present.time, begun, "an older record does not cost a look at the clock");
        for ahead_ns in [1, 1_000_000_000_000] {
            let made_ns = present.ns + ahead_ns;
            present.reach(made_ns, &clock);
            assert!(present.time >= clock.timestamp(made_ns), "made {ahead_ns} ns later");
        }
    }
}
