//! A network namespace whose notices are read: what is wanted from it, and whether it is still worth it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::notice::DestroyNotice;
use super::subscription::{Subscription, SubscriptionError};

/// Uninteresting notices that a namespace may send per second: half a percent of one CPU.
pub(super) const RATE: u64 = 2_000;

/// The shortest time over which the rate is measured, so that a burst is no reason to give up.
const WINDOW: Duration = Duration::from_secs(3);

/// Notices read from one namespace before the others have their turn.
const BATCH: usize = 4_096;

/// The sockets of a network namespace whose ends are wanted.
#[derive(Debug, Default)]
pub(crate) struct WantedSockets {
    /// Cookies of connections; once the last one is gone, the namespace is left.
    pub flows: HashSet<u64>,
    pub listeners: HashSet<u64>,
}

/// Why a namespace is no longer watched although existing connections remain in it.
#[derive(Debug, Error)]
pub(super) enum GivenUp {
    #[error("{0} TCP sockets closed in {1} s")]
    Flood(u64, u64),
    #[error("notices came faster than they were read")]
    Overrun,
    #[error(transparent)]
    Failed(SubscriptionError),
}

pub(super) struct WatchedNetns {
    pub(super) netns: u64,
    pub(super) subscription: Subscription,
    pub(super) wanted: WantedSockets,
    /// Uninteresting notices since `since`.
    pub(super) uninteresting: u64,
    pub(super) since: Instant,
}

impl WatchedNetns {
    pub(super) fn new(netns: u64, subscription: Subscription, wanted: WantedSockets) -> Self {
        Self { netns, subscription, wanted, uninteresting: 0, since: Instant::now() }
    }

    /// Reads what waits.
    pub(super) fn read(&mut self, buffer: &mut Vec<u8>, out: &mut Vec<DestroyNotice>) -> Result<(), GivenUp> {
        let WantedSockets { flows, listeners } = &mut self.wanted;
        let mut uninteresting = 0;
        let taken = self.subscription.read(
            buffer,
            BATCH,
            |cookie| {
                let wanted = flows.remove(&cookie) || listeners.remove(&cookie);
                uninteresting += u64::from(!wanted);
                wanted
            },
            out,
        );
        self.uninteresting += uninteresting;
        taken.map_err(|error| if error.is_overrun() { GivenUp::Overrun } else { GivenUp::Failed(error) })?;
        self.check_rate(Instant::now())
    }

    /// Gives up if uninteresting notices come too fast.
    pub(super) fn check_rate(&mut self, now: Instant) -> Result<(), GivenUp> {
        let passed = now.saturating_duration_since(self.since);
        if passed < WINDOW {
            return Ok(());
        }
        let seconds = passed.as_secs();
        let count = std::mem::take(&mut self.uninteresting);
        self.since = now;
        if count > RATE.saturating_mul(seconds) { Err(GivenUp::Flood(count, seconds)) } else { Ok(()) }
    }
}
