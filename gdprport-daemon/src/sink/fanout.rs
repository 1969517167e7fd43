//! All sinks together: what is published goes to each of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Batch, Sink, SinkStats};
use gdprport_core::event::{Encoder, Event, FlowEvent, FlowKind, Kind, Stamper};

/// A batch that has grown to this is handed to the sinks at once: as much as a pipe holds, and enough for a write to
/// cost little for each event.
const FULL: usize = 64 * 1024;

/// Room of a large batch: for the last line too.
const ROOM: usize = FULL + 4 * 1024;

/// A batch that has grown to this is handed over with its memory; a smaller one is copied into memory of its size, so
/// that events that wait in a queue hold at most half as much again as they need.
const LARGE: usize = FULL / 4 * 3;

/// Batches remembered after they were handed out, so that their memory is used again: one waiting in a queue, one
/// being written, one to spare.
const SPARE: usize = 3;

/// Owns the sinks.
#[derive(Debug)]
pub struct Fanout {
    sinks: Vec<Sink>,
    encoder: Encoder,
    /// What was published and not handed to the sinks yet.
    open: Batch,
    /// Batches handed out, oldest first.
    out: VecDeque<Arc<Batch>>,
    /// Whether a sink wants the events themselves.
    keep: bool,
    /// Events taken so far.
    published: u64,
}

impl Fanout {
    /// A fanout over these sinks.
    #[must_use]
    pub fn new(sinks: Vec<Sink>) -> Self {
        let keep = sinks.iter().any(Sink::wants_events);
        Self {
            sinks,
            encoder: Encoder::default(),
            open: Batch::with_room(ROOM),
            out: VecDeque::new(),
            keep,
            published: 0,
        }
    }

    /// Takes an event for every sink, and returns its line for whoever else wants it. It is handed to the sinks with
    /// the next [`deliver`](Self::deliver), or before, once there is much.
    pub fn publish(&mut self, event: Event) -> &[u8] {
        let tells_losses = event.body.kind() == Kind::Coverage;
        if tells_losses {
            // It goes alone, for it may find room where others do not.
            self.deliver();
        } else {
            self.make_room();
        }
        let begin = self.open.bytes();
        let encoder = &mut self.encoder;
        self.open.add(|lines| encoder.native(&event, lines));
        if tells_losses {
            self.open.mark();
        }
        if self.keep {
            self.open.keep(event);
        }
        self.published += 1;
        self.open.since(begin)
    }

    /// The same for what is known of a flow, without an [`Event`] made of it unless a sink wants that.
    pub fn publish_flow(
        &mut self,
        stamper: &mut Stamper,
        now: Timestamp,
        kind: FlowKind,
        flow: &FlowEvent,
    ) -> &[u8] {
        if self.keep {
            return self.publish(stamper.stamp(now, kind.body(flow.clone())));
        }
        self.make_room();
        let begin = self.open.bytes();
        let encoder = &mut self.encoder;
        self.open.add(|lines| encoder.flow(stamper.head(now), kind, flow, lines));
        self.published += 1;
        self.open.since(begin)
    }

    fn make_room(&mut self) {
        if self.open.bytes() >= FULL || self.open.tells_losses() {
            self.deliver();
        }
    }

    /// Hands what was published to every sink. Returns at once: a sink that has no room for an event counts it as
    /// lost. To be called when the loop has done all that there was to do.
    pub fn deliver(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let batch = if self.open.bytes() < LARGE {
            self.open.take_small()
        } else {
            let spare = self.spare();
            std::mem::replace(&mut self.open, spare)
        };
        let batch = Arc::new(batch);
        for sink in &self.sinks {
            sink.push(&batch);
        }
        if batch.bytes() >= LARGE {
            self.out.push_back(batch);
        }
    }

    /// An empty batch, with the memory of one that every sink is done with, if there is one.
    fn spare(&mut self) -> Batch {
        let oldest = if self.out.len() >= SPARE { self.out.pop_front() } else { None };
        let mut batch = oldest.and_then(Arc::into_inner).unwrap_or_else(|| Batch::with_room(ROOM));
        batch.clear();
        batch
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

    /// How many events were published: what every sink was given, or will be with the next
    /// [`deliver`](Self::deliver).
    #[must_use]
    pub const fn published(&self) -> u64 {
        self.published
    }

    /// Snapshots of all books.
    #[must_use]
    pub fn stats(&self) -> Vec<SinkStats> {
        self.sinks.iter().map(Sink::stats).collect()
    }

    /// Writes all that was published, for at most as long as `deadline`; what is not
    /// written by then is counted as lost. Returns the last books. Waits: not to be called from the daemon's
    /// loop while that has other things to do.
    #[must_use]
    pub fn shutdown(mut self, deadline: Duration) -> Vec<SinkStats> {
        self.deliver();
        let deadline = Instant::now() + deadline;
        for sink in &self.sinks {
            sink.drain();
        }
        self.sinks.into_iter().map(|sink| sink.finish(deadline)).collect()
    }
}

#[cfg(test)]
mod tests;
