//! The reader's end of the ring buffer, and when it sleeps.
//!
//! Invariants:
//! 1. While records arrive the reader polls, every [`POLL`]; no connection pays for a wake-up.
//! 2. It blocks only after it has set the `READER` flag and then polled once more. The kernel side reads
//!    the flag after a record is visible, so either that poll finds the record or the flag is seen and a
//!    wake-up sent. No record waits for another one to be noticed. The kernel side clears the flag with each
//!    wake-up, and a poll may consume the record of the wake-up: so the flag is set again each time before it
//!    blocks, also when it was only interrupted.
//! 3. What is not read stays in the ring; what did not fit is counted by the kernel side, never here.

use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use aya::maps::{Array, MapData, RingBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::LoadError;

/// How often the reader polls while records arrive: the latency added to an event, against the CPU time of an
/// empty poll (about a microsecond).
const POLL: Duration = Duration::from_millis(2);

/// Empty polls before the reader blocks: 20 ms, well above the gap between bursts of one client.
const EMPTY_POLLS: u32 = 10;

/// The ring buffer, seen from the daemon.
pub(crate) struct Ring {
    ring: AsyncFd<RingBuf<MapData>>,
    reader: Array<MapData, u32>,
    empty_polls: u32,
    /// The flag was set, and only one poll has happened since.
    armed: bool,
}

impl Ring {
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the ring cannot be watched by the runtime.
    pub(super) fn new(ring: RingBuf<MapData>, reader: Array<MapData, u32>) -> Result<Self, LoadError> {
        // SAFETY: the ring owns its descriptor, which stays open and the same until the `AsyncFd` is dropped.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(|error| LoadError::Map { map: "EVENTS", reason: error.to_string() })?;
        Ok(Self { ring, reader, empty_polls: 0, armed: false })
    }

    /// Passes at most `max` records to `take`, oldest first, and returns how many there were.
    pub(crate) fn drain(&mut self, max: usize, mut take: impl FnMut(&[u8])) -> usize {
        let ring = self.ring.get_mut();
        let mut taken = 0;
        while taken < max
            && let Some(record) = ring.next()
        {
            take(&record);
            taken += 1;
        }
        self.empty_polls = if taken == 0 { self.empty_polls.saturating_add(1) } else { 0 };
        taken
    }

    /// Returns when it is time to drain again. May be dropped at any await without losing a record.
    ///
    /// # Errors
    /// If the runtime can no longer watch the ring, or the flag cannot be written.
    pub(crate) async fn wait(&mut self) -> std::io::Result<()> {
        if self.empty_polls < EMPTY_POLLS {
            if self.armed {
                self.armed = false;
                self.set_sleeping(false)?;
            }
            tokio::time::sleep(POLL).await;
            return Ok(());
        }
        if !self.armed {
            self.armed = true;
            self.set_sleeping(true)?;
            // Pairs with the exchange by which the kernel makes a record visible: the flag is written
            // before the ring is read again.
            fence(Ordering::SeqCst);
            // The caller's next drain is the poll that invariant 2 demands; only after it do we block.
            return Ok(());
        }
        // Before the wait, which may be dropped: after it, the flag can no longer be relied on.
        self.armed = false;
        self.ring.readable().await?.clear_ready();
        self.empty_polls = 0;
        Ok(())
    }

    fn set_sleeping(&mut self, sleeping: bool) -> std::io::Result<()> {
        self.reader.set(0, u32::from(sleeping), 0).map_err(std::io::Error::other)
    }
}
