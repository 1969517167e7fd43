//! All sinks together: what is published goes to each of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Published, Sink, SinkStats, Tap};
use crate::core::event::Event;

/// Owns the sinks and the tap.
#[derive(Debug)]
pub struct Fanout {
    sinks: Vec<Sink>,
    tap: Tap,
}

impl Fanout {
    /// A fanout over these sinks and the clients of this tap.
    #[must_use]
    pub const fn new(sinks: Vec<Sink>, tap: Tap) -> Self {
        Self { sinks, tap }
    }

    /// Hands an event to every sink and client. Returns at once: who has no room for it counts it as lost.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(Published::new(event));
        self.tap.push(&event);
        for sink in &self.sinks {
            sink.push(Arc::clone(&event));
        }
    }

    /// Asks every sink to open its destination anew (SIGHUP), and returns at once. What cannot be opened is
    /// logged and stands in the books.
    pub fn reopen(&self) {
        for sink in &self.sinks {
            sink.reopen();
        }
    }

    /// Snapshots of all books, the tap's last.
    #[must_use]
    pub fn stats(&self) -> Vec<SinkStats> {
        self.sinks.iter().map(Sink::stats).chain([self.tap.stats()]).collect()
    }

    /// Ends the clients' streams and writes all that is queued, for at most as long as `deadline`; what is not
    /// written by then is counted as lost. Returns the last books. Waits: not to be called from the daemon's
    /// loop while that has other things to do.
    #[must_use]
    pub fn shutdown(self, deadline: Duration) -> Vec<SinkStats> {
        let deadline = Instant::now() + deadline;
        self.tap.close();
        for sink in &self.sinks {
            sink.drain();
        }
        let stats: Vec<SinkStats> = self.sinks.into_iter().map(|sink| sink.finish(deadline)).collect();
        stats.into_iter().chain([self.tap.stats()]).collect()
    }
}

#[cfg(test)]
mod tests;
