//! One destination: a queue and the thread that empties it.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use gdprport_core::event::Body;
use jiff::Timestamp;

use super::queue::{Queue, Work};
use super::report::Report;
use super::{Batch, Exposed, SinkError, SinkStats, Spooled};
use crate::host::confine::{self, Role};

/// Events a sink holds while its destination does not take them: a burst of 8,000 connections with both ends
/// on this host. At 1.1 to 1.6 KB each, in batches that all sinks share, stuck sinks cost 52 MB, at
/// most 75 MB; where the memory is limited the queue is shorter (`app::config`).
pub const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(32_768).expect("not zero");

/// A place where events are written to. Called only on the sink's own thread: it may block.
pub(super) trait Target: Send + 'static {
    /// Writes the first `count` events of a batch, in order.
    fn write(&mut self, batch: &Batch, count: usize) -> Report;

    /// Whether it writes from the events themselves and not from their lines.
    fn wants_events(&self) -> bool {
        false
    }

    /// The files that it writes, or any in a directory whose files it writes; empty: it writes none.
    fn places(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Who may read or change what is written and should not, where that can be known.
    fn exposed(&self) -> Option<&Exposed> {
        None
    }

    /// What it holds, if it is a spool.
    fn spooled(&self) -> Option<Spooled> {
        None
    }

    /// When [`tend`](Self::tend) is to be called although there is nothing to write; `None`: it need not be.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does what is due. On an error, which is shown, it goes on.
    fn tend(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Reopens the destination, where that means something. On an error the old one stays in use.
    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// One destination of events, with a bounded queue and a thread of its own.
#[derive(Debug)]
pub struct Sink {
    queue: Arc<Queue>,
    wants_events: bool,
    ends_first: bool,
    thread: Option<JoinHandle<()>>,
}

/// A way into a sink for what another one makes.
#[derive(Debug)]
pub(super) struct Inlet(Arc<Queue>);

impl Inlet {
    /// As [`Sink::push`].
    pub(super) fn push(&self, batch: &Arc<Batch>) {
        self.0.push(batch);
    }
}

impl Sink {
    /// Starts the thread of a sink.
    pub(super) fn spawn(
        name: impl Into<Cow<'static, str>>,
        capacity: NonZeroUsize,
        target: impl Target,
    ) -> Result<Self, SinkError> {
        let queue = Arc::new(Queue::new(name.into(), capacity.get()));
        let of_thread = Arc::clone(&queue);
        let wants_events = target.wants_events();
        let thread = thread::Builder::new()
            .name("sink".to_owned())
            .spawn(move || {
                let places = target.places();
                confine::enter(if places.is_empty() { Role::Closed } else { Role::Writer(&places) });
                drop(places);
                run(&of_thread, target);
            })
            .map_err(|source| SinkError::Thread { name: queue.name().to_owned(), source })?;
        Ok(Self { queue, wants_events, ends_first: false, thread: Some(thread) })
    }

    /// Hands events over. Returns at once; those that there is no room for are counted as lost.
    pub(super) fn push(&self, batch: &Arc<Batch>) {
        self.queue.push(batch);
    }

    /// Whether it needs the events themselves in a batch.
    pub(super) const fn wants_events(&self) -> bool {
        self.wants_events
    }

    /// Asks the thread to reopen its destination, and returns at once.
    pub(super) fn reopen(&self) {
        self.queue.request_reopen();
    }

    /// The sums of what it lost that it is to be sent now.
    pub(super) fn lost(&self, now: Timestamp, ending: bool) -> Vec<Body> {
        self.queue.lost(now, ending)
    }

    /// Whether half of the queue is free.
    pub(super) fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    /// A snapshot of the counters.
    pub(super) fn stats(&self) -> SinkStats {
        self.queue.stats()
    }

    /// Takes nothing more in; what is queued is still written.
    pub(super) fn drain(&self) {
        self.queue.drain();
    }

    /// A way in for another sink, which ends before this one.
    pub(super) fn inlet(&self) -> Inlet {
        Inlet(Arc::clone(&self.queue))
    }

    /// This sink writes into another one: it has to end first.
    pub(super) fn into_another(mut self) -> Self {
        self.ends_first = true;
        self
    }

    /// Whether it has to end before the others.
    pub(super) const fn ends_first(&self) -> bool {
        self.ends_first
    }

    /// Waits until all that is queued is written, at most until the deadline. After it the rest is counted as
    /// lost, and the thread, which is stuck in a write, is left to the end of the process.
    pub(super) fn finish(mut self, deadline: Instant) -> SinkStats {
        self.queue.drain();
        if self.queue.wait_for_end(deadline)
            && let Some(thread) = self.thread.take()
        {
            // A thread that panicked has counted what it left behind; there is nothing to add here.
            let _ = thread.join();
        }
        self.queue.stats()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.queue.drain();
    }
}

/// Notifies the queue that its thread is gone, even if the target panicked: later events are then counted as lost
/// instead of waiting for ever.
struct ThreadGuard<'a>(&'a Queue);

impl Drop for ThreadGuard<'_> {
    fn drop(&mut self) {
        self.0.thread_ended();
    }
}

fn run(queue: &Queue, target: impl Target) {
    let _guard = ThreadGuard(queue);
    // Dropped before the guard: what a target still writes when it ends is waited for as the rest is.
    let mut target = target;
    let mut work = Vec::new();
    loop {
        queue.note_exposed(target.exposed());
        queue.note_spooled(target.spooled());
        match queue.take(&mut work, target.due()) {
            Work::Due => {
                if let Err(error) = target.tend() {
                    queue.tend_failed(error);
                }
            }
            Work::Events => {
                for (batch, count) in work.drain(..) {
                    if !queue.settle(&batch, count, target.write(&batch, count)) {
                        return;
                    }
                }
            }
            Work::Reopen => match target.reopen() {
                Ok(()) => queue.reopened(),
                Err(error) => queue.reopen_failed(error.to_string()),
            },
            Work::End => return,
        }
    }
}
