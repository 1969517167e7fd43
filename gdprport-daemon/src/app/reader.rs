//! Records from the ring buffer into the monitor.

use gdprport_core::decode::decode;
use jiff::Timestamp;

use super::monitor::{Input, Monitor};
use crate::host::clock::boottime_ns;
use crate::host::probes::{Probes, Ring};

/// Records applied before the loop looks at anything else: some milliseconds of work.
pub(super) const BATCH: usize = 1_024;

/// The reading end of the ring buffer.
pub(super) struct Reader {
    ring: Ring,
    /// When the last record was made that carries a time, boottime ns.
    latest_ns: u64,
}

impl Reader {
    /// Reads this ring buffer from now on.
    #[must_use]
    pub(super) fn new(ring: Ring) -> Self {
        Self { ring, latest_ns: boottime_ns() }
    }

    /// Applies at most a batch of records; returns how many there were. Nothing settles.
    pub(super) fn read(&mut self, monitor: &mut Monitor<Probes>, now: Timestamp) -> usize {
        let latest_ns = &mut self.latest_ns;
        self.ring.drain(BATCH, |bytes| match decode(bytes) {
            Ok(record) => {
                *latest_ns = record.time_ns().unwrap_or(*latest_ns);
                monitor.apply(Input::Record(&record), now);
            }
            Err(error) => monitor.apply(Input::Undecodable(error), now),
        })
    }

    /// Applies at most a batch of records, reports what has settled, and hands the events to the sinks. Returns how many
    /// records there were.
    pub(super) fn read_and_settle(&mut self, monitor: &mut Monitor<Probes>) -> usize {
        let read = self.read(monitor, monitor.now());
        // With more in the ring, only what had settled when the last record was made: the rest may say more of the others.
        let settle_ns = if read == BATCH { self.latest_ns } else { boottime_ns() };
        monitor.settle(settle_ns);
        monitor.publisher.deliver();
        read
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// If the descriptor cannot be waited for.
    pub(super) async fn wait(&mut self) -> std::io::Result<()> {
        self.ring.wait().await
    }
}
