//! The control socket's own counters: the server and the followers write them, the loop reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::api::ControlStatus;
use super::limits::MAX_CONNECTIONS;

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    /// Connections to the address of `[metrics]`.
    pub(super) scrapers: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) busy: AtomicU64,
    pub(super) forbidden: AtomicU64,
    /// Lists of flows on their way; bounds memory, of no interest outside.
    pub(super) lists: AtomicU64,
    pub(super) followers: AtomicU64,
    pub(super) follower_lost: AtomicU64,
}

impl Counters {
    pub(super) fn snapshot(&self) -> ControlStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ControlStatus {
            connections: read(&self.connections),
            metrics_connections: read(&self.scrapers),
            connections_cap: MAX_CONNECTIONS as u64,
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            broken: read(&self.broken),
            busy: read(&self.busy),
            forbidden: read(&self.forbidden),
            followers: read(&self.followers),
            follower_lost: read(&self.follower_lost),
        }
    }
}

/// Counts one up now and down when dropped.
#[derive(Debug)]
pub(super) struct Gauge {
    counters: Arc<Counters>,
    which: fn(&Counters) -> &AtomicU64,
}

impl Gauge {
    /// Takes a place if fewer than `cap` are taken.
    pub(super) fn take(
        counters: &Arc<Counters>,
        which: fn(&Counters) -> &AtomicU64,
        cap: u64,
    ) -> Option<Self> {
        which(counters)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < cap).then_some(taken + 1))
            .ok()?;
        Some(Self { counters: Arc::clone(counters), which })
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        (self.which)(&self.counters).fetch_sub(1, Ordering::Relaxed);
    }
}
