//! All sinks together: what is published goes to each of them.
//!
//! Belongs here: batches and who gets them. Does not belong here: what a line says (`gdprport_core::encode`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gdprport_core::event::{Body, Event, FlowKind, Kind};
use jiff::Timestamp;

use super::batch::Batch;
use super::destination::Sink;
use super::stats::SinkStats;

/// A kind of sink that comes and goes while the daemon runs: it has its own queue and counts its own losses.
pub trait Follower: Send {
    /// Offers one line with its line feed. Never waits. Returns whether the follower is still there.
    fn offer(&mut self, line: &Bytes) -> bool;
    /// Whether it has left.
    fn is_gone(&self) -> bool;
}

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

/// Owns the sinks and the followers.
pub struct Fanout {
    sinks: Vec<Sink>,
    followers: Vec<Box<dyn Follower>>,
    /// What was published and not handed to the sinks yet.
    open: Batch,
    /// Batches handed out, oldest first.
    out: VecDeque<Arc<Batch>>,
    /// Whether a sink wants the events themselves.
    keep: bool,
    /// Events taken so far, by kind.
    published: [u64; Kind::ALL.len()],
}

impl Fanout {
    /// A fanout over these sinks.
    #[must_use]
    pub fn new(sinks: Vec<Sink>) -> Self {
        let keep = sinks.iter().any(Sink::wants_events);
        Self {
            sinks,
            followers: Vec::new(),
            open: Batch::with_room(ROOM),
            out: VecDeque::new(),
            keep,
            published: [0; Kind::ALL.len()],
        }
    }

    /// From now on this follower gets every event.
    pub fn follow(&mut self, follower: Box<dyn Follower>) {
        self.followers.push(follower);
    }

    /// Ends the streams of all followers.
    pub fn drop_followers(&mut self) {
        self.followers.clear();
    }

    /// Drops followers that left while nothing was published.
    pub fn drop_gone_followers(&mut self) {
        self.followers.retain(|follower| !follower.is_gone());
    }

    /// Whether a sink needs the events themselves, so that [`Self::publish_line`] is not enough.
    #[must_use]
    pub const fn wants_events(&self) -> bool {
        self.keep
    }

    /// Takes an event whose line `write` appends, for every sink. It is handed to the sinks with the next
    /// [`deliver`](Self::deliver), or before, once there is much.
    pub fn publish(&mut self, event: Event, write: impl FnOnce(&Event, &mut Vec<u8>)) {
        let kind = event.body.kind();
        let reports_losses = kind == Kind::Coverage;
        if reports_losses {
            // It goes alone, for it may find room where others do not.
            self.deliver();
        } else {
            self.make_room();
        }
        self.append(kind, |line| write(&event, line));
        if reports_losses {
            self.open.mark();
        }
        if self.keep {
            self.open.keep(event);
        }
    }

    /// Takes an event as the line that `write` appends, without an [`Event`] made of it; not for `coverage`, and only
    /// while no sink [wants events](Self::wants_events).
    pub fn publish_line(&mut self, kind: FlowKind, write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(!self.keep, "a sink would miss the event");
        self.make_room();
        self.append(kind.kind(), write);
    }

    fn append(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.open.bytes();
        self.open.add(write);
        self.published[kind as usize] += 1;
        if !self.followers.is_empty() {
            let line = Bytes::copy_from_slice(self.open.since(begin));
            self.followers.retain_mut(|follower| follower.offer(&line));
        }
    }

    fn make_room(&mut self) {
        if self.open.bytes() >= FULL || self.open.reports_losses() {
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

    /// The sums of what each sink has lost that it is to be sent now, by its number: once it works again, or because the daemon is
    /// `ending`. Each is taken once, for [`publish_to`](Self::publish_to), and there is room for it.
    pub fn lost(&mut self, now: Timestamp, ending: bool) -> Vec<(usize, Vec<Body>)> {
        // Or what was published would take that room.
        self.deliver();
        let lost = self.sinks.iter().map(|sink| sink.lost(now, ending)).enumerate();
        lost.filter(|(_, bodies)| !bodies.is_empty()).collect()
    }

    /// Hands events to one sink; no other sink and no follower gets them, and they do not count as
    /// published.
    pub fn publish_to(
        &self,
        sink: usize,
        events: impl IntoIterator<Item = Event>,
        mut write: impl FnMut(&Event, &mut Vec<u8>),
    ) {
        let Some(sink) = self.sinks.get(sink) else { return };
        let mut batch = Batch::default();
        for event in events {
            batch.add(|line| write(&event, line));
            if sink.wants_events() {
                batch.keep(event);
            }
        }
        batch.mark();
        sink.push(&Arc::new(batch));
    }

    /// Asks every sink to reopen its destination (SIGHUP), and returns at once. What cannot be opened is logged and
    /// stands in the sink's counters.
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
    pub fn published(&self) -> u64 {
        self.published.iter().sum()
    }

    /// The same by kind, in the order of [`Kind::ALL`].
    #[must_use]
    pub const fn published_by_kind(&self) -> [u64; Kind::ALL.len()] {
        self.published
    }

    /// Snapshots of all counters.
    #[must_use]
    pub fn stats(&self) -> Vec<SinkStats> {
        self.sinks.iter().map(Sink::stats).collect()
    }

    /// Writes all that was published, for at most as long as `deadline`; what is not
    /// written by then is counted as lost. Returns the last counters. Waits: not to be called from the
    /// daemon's loop while that has other things to do.
    #[must_use]
    pub fn shutdown(mut self, deadline: Duration) -> Vec<SinkStats> {
        self.deliver();
        let begin = Instant::now();
        let mut stats: Vec<Option<SinkStats>> = self.sinks.iter().map(|_| None).collect();
        let (first, others): (Vec<_>, Vec<_>) =
            self.sinks.into_iter().enumerate().partition(|(_, sink)| sink.ends_first());
        // A sink that writes into another one has half of the time, so that the other still has some.
        for (at, sink) in first {
            stats[at] = Some(sink.finish(begin + deadline / 2));
        }
        for (_, sink) in &others {
            sink.drain();
        }
        for (at, sink) in others {
            stats[at] = Some(sink.finish(begin + deadline));
        }
        stats.into_iter().flatten().collect()
    }
}

impl std::fmt::Debug for Fanout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fanout").field("sinks", &self.sinks).field("published", &self.published).finish()
    }
}

#[cfg(test)]
mod tests;
