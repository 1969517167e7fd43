//! What a sink has lost, kept as sums until it works again.
//!
//! Belongs here: which losses are added up, and when the sums are due. What they say is `gdprport_core::suppress`'s.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gdprport_core::event::Body;
use gdprport_core::suppress::Lost;
use jiff::{SignedDuration, Timestamp};

use super::Batch;
use super::stats::DropReason;

/// A sink that loses without a break and takes some events all the same gets sums this often.
const AT_LEAST_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The sums of one sink. Losses are added by whoever loses: the publisher, whose queue is full, or the sink's thread.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    queue_full: Option<Box<Lost>>,
    io_error: Option<Box<Lost>>,
    /// Taken out of the sums and not sent yet, for want of room.
    ready: VecDeque<Body>,
    /// Whether something was added since it was last looked at.
    fresh: bool,
    /// When it was first looked at since there is something.
    since: Option<Timestamp>,
}

impl Losses {
    /// Adds events of a batch that `sink` lost, by their places in it.
    pub(super) fn add(
        &self,
        sink: &str,
        reason: DropReason,
        batch: &Batch,
        lost: impl IntoIterator<Item = usize>,
    ) {
        for index in lost {
            // Locked for one at a time: the loop, which looks whether sums are due, waits for no batch.
            let mut state = self.lock();
            let State { queue_full, io_error, fresh, .. } = &mut *state;
            let lost = match reason {
                DropReason::QueueFull => queue_full,
                DropReason::IoError => io_error,
                // Nothing is ever written again.
                DropReason::Closed | DropReason::Deadline => return,
            };
            *fresh = true;
            let lost = lost.get_or_insert_with(|| Box::new(Lost::new(kind_of(sink), reason.as_str())));
            match batch.events().get(index) {
                Some(event) => lost.event(event),
                None => lost.line(batch.line(index)),
            }
        }
    }

    /// Takes at most as many bodies as there is room for; none while something is being lost, unless that lasts for long or the
    /// daemon ends.
    pub(super) fn take(&self, room: usize, now: Timestamp, ending: bool) -> Vec<Body> {
        let mut state = self.lock();
        let State { queue_full, io_error, ready, fresh, since } = &mut *state;
        if ready.is_empty() && queue_full.is_none() && io_error.is_none() {
            return Vec::new();
        }
        let since_when = *since.get_or_insert(now);
        // Wherever the clock was set meanwhile.
        let is_long = now.duration_since(since_when).abs() >= AT_LEAST_EVERY;
        if std::mem::take(fresh) && !is_long && !ending {
            return Vec::new();
        }
        if ready.is_empty() {
            *since = None;
            let lost = [queue_full.take(), io_error.take()].into_iter().flatten();
            ready.extend(lost.flat_map(|mut lost| lost.take(now)));
        }
        let most = room.min(ready.len());
        ready.drain(..most).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is added and taken is whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind of a sink, by which gaps name it: there is one of each, and a path makes no identifier.
pub(crate) fn kind_of(sink: &str) -> &str {
    sink.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
