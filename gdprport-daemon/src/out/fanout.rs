//! All sinks together: what is published goes to each of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Published, Sink, SinkStats};
use crate::core::event::Event;

/// Owns the sinks.
#[derive(Debug)]
pub struct Fanout {
    sinks: Vec<Sink>,
}

impl Fanout {
    /// A fanout over these sinks.
    #[must_use]
    pub const fn new(sinks: Vec<Sink>) -> Self {
        Self { sinks }
    }

    /// Hands an event to every sink, and back for whoever else wants it. Returns at once: a sink that has no
    /// room for it counts it as lost.
    pub fn publish(&self, event: Event) -> Arc<Published> {
        let event = Arc::new(Published::new(event));
        for sink in &self.sinks {
            sink.push(Arc::clone(&event));
        }
        event
    }

    /// Asks every sink to open its destination anew (SIGHUP), and returns at once. What cannot be opened is
    /// logged and stands in the books.
    pub fn reopen(&self) {
        for sink in &self.sinks {
            sink.reopen();
        }
    }

    /// Whether every sink has half of its queue free, so that a portion of events that can wait fits in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.sinks.iter().all(Sink::has_room)
    }

    /// Snapshots of all books.
    #[must_use]
    pub fn stats(&self) -> Vec<SinkStats> {
        self.sinks.iter().map(Sink::stats).collect()
    }

    /// Writes all that is queued, for at most as long as `deadline`; what is not
    /// written by then is counted as lost. Returns the last books. Waits: not to be called from the daemon's
    /// loop while that has other things to do.
    #[must_use]
    pub fn shutdown(self, deadline: Duration) -> Vec<SinkStats> {
        let deadline = Instant::now() + deadline;
        for sink in &self.sinks {
            sink.drain();
        }
        self.sinks.into_iter().map(|sink| sink.finish(deadline)).collect()
    }
}

#[cfg(test)]
mod tests;
