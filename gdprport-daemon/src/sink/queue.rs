//! The bounded queue between the publisher and a sink's thread, and the sink's counters.
//!
//! Belongs here: waiting, waking and counting, all behind one lock, so that the counters add up in every snapshot.

use std::borrow::Cow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gdprport_core::event::Body;
use jiff::Timestamp;

use super::Batch;
use super::lost::Losses;
use super::report::{Failure, Report};
use super::stats::{Counters, DropReason, Exposed, SinkStats, Spooled};

/// How long a thread that was woken lets more events come before it writes: one wake-up and one write for all
/// of them, instead of one each. Short enough that nobody who watches a terminal notices.
const LINGER: Duration = Duration::from_millis(5);

/// Places that a full queue has for `coverage` events alone: there is one a second while something is lost.
const COVERAGE_RESERVE: u64 = 16;

/// What a sink's thread is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Write the events that were taken.
    Events,
    /// Reopen the destination.
    Reopen,
    /// What the target wanted to do by now.
    Due,
    End,
}

#[derive(Debug)]
pub(super) struct Queue {
    name: Cow<'static, str>,
    capacity: u64,
    state: Mutex<State>,
    /// What was lost, as sums. Locked apart, for it takes longer; never inside of `state`.
    losses: Losses,
    /// For the thread: there is work.
    work: Condvar,
    /// For shutdown: the thread has ended.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    /// Batches, and how many events of each were taken in.
    waiting: Vec<(Arc<Batch>, usize)>,
    /// The events in there.
    events: u64,
    /// Those that the thread has taken and not settled yet.
    writing: u64,
    counters: Counters,
    phase: Phase,
    thread: Thread,
    reopen: bool,
    /// Whether the last log line about the queue was that it is full.
    full: bool,
    /// Whether the last log line about the destination was that it fails.
    failing: bool,
    /// How many had been delivered when something was last lost.
    delivered_at_loss: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is queued is still written; nothing new is taken.
    Draining,
    /// Nothing is written any more.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    Busy,
    Idle,
    Lingering,
}

impl Queue {
    pub(super) fn new(name: Cow<'static, str>, capacity: usize) -> Self {
        Self {
            name,
            capacity: capacity as u64,
            state: Mutex::new(State {
                waiting: Vec::new(),
                events: 0,
                writing: 0,
                counters: Counters::default(),
                phase: Phase::Open,
                thread: Thread::Busy,
                reopen: false,
                full: false,
                failing: false,
                delivered_at_loss: 0,
            }),
            losses: Losses::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Accepts events or counts why not. Never waits for the destination.
    ///
    /// The bound holds for what waits and what is being written together. Those that report losses have a few
    /// places of their own, so that a loss is reported where events are missing.
    pub(super) fn push(&self, batch: &Arc<Batch>) {
        let offered = batch.len() as u64;
        let reports_losses = batch.reports_losses();
        let reserve = if reports_losses { COVERAGE_RESERVE } else { 0 };
        let mut state = self.lock();
        let room = (self.capacity + reserve).saturating_sub(state.queued());
        state.counters.received += offered;
        if state.phase != Phase::Open {
            state.lose(DropReason::Closed, offered, reports_losses);
            return;
        }
        let taken = offered.min(room);
        let mut first = false;
        if taken < offered {
            state.lose(DropReason::QueueFull, offered - taken, reports_losses);
            first = !std::mem::replace(&mut state.full, true);
        }
        let mut wake = false;
        if taken > 0 {
            state.waiting.push((Arc::clone(batch), to_index(taken)));
            state.events += taken;
            wake = match state.thread {
                Thread::Busy => false,
                Thread::Idle => true,
                Thread::Lingering => state.events > self.capacity / 2,
            };
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
        if taken < offered {
            self.losses.add(&self.name, DropReason::QueueFull, batch, to_index(taken)..batch.len());
        }
        if first {
            tracing::warn!(sink = %self.name, "events are lost: the queue is full, the destination is too slow");
        }
    }

    /// Waits for work, at most until `due`. With [`Work::Events`], `work` (which must be empty) holds all that was waiting.
    pub(super) fn take(&self, work: &mut Vec<(Arc<Batch>, usize)>, due: Option<Instant>) -> Work {
        let mut state = self.lock();
        let mut since: Option<Instant> = None;
        let next = loop {
            if state.phase == Phase::Ended {
                break Work::End;
            }
            if std::mem::take(&mut state.reopen) {
                break Work::Reopen;
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                break Work::Due;
            }
            if state.waiting.is_empty() {
                if state.phase == Phase::Draining {
                    break Work::End;
                }
                state.thread = Thread::Idle;
                state = match due {
                    Some(due) => {
                        let left = due.saturating_duration_since(Instant::now());
                        self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
                continue;
            }
            let left = LINGER.saturating_sub(since.get_or_insert_with(Instant::now).elapsed());
            let enough = state.events > self.capacity / 2;
            if left.is_zero() || enough || state.phase == Phase::Draining {
                std::mem::swap(&mut state.waiting, work);
                state.writing += std::mem::take(&mut state.events);
                break Work::Events;
            }
            state.thread = Thread::Lingering;
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.thread = Thread::Busy;
        next
    }

    /// Counts what became of the first `offered` events of a batch. Returns whether to go on.
    pub(super) fn settle(&self, batch: &Batch, offered: usize, report: Report) -> bool {
        let closed = matches!(report.failure, Some(Failure::Closed(_)));
        let reason = if closed { DropReason::Closed } else { DropReason::IoError };
        // Before they are counted: whoever sees the count finds the sums.
        if report.skipped.is_empty() {
            self.losses.add(&self.name, reason, batch, report.delivered..offered);
        } else {
            self.losses.add(&self.name, reason, batch, report.skipped);
        }
        let mut state = self.lock();
        if state.phase == Phase::Ended {
            return false;
        }
        state.writing = state.writing.saturating_sub(offered as u64);
        state.counters.delivered += report.delivered as u64;
        state.counters.bytes += report.bytes as u64;
        let lost = (offered - report.delivered) as u64;
        state.lose(reason, lost, batch.reports_losses());
        if state.queued() == 0 {
            state.full = false;
        }
        if closed {
            end(&mut state, DropReason::Closed);
        }
        let notice = note(&mut state, report.failure);
        drop(state);
        self.log(notice);
        !closed
    }

    /// Asks the thread to reopen the destination.
    pub(super) fn request_reopen(&self) {
        self.lock().reopen = true;
        self.work.notify_one();
    }

    /// Notes that reopening failed.
    pub(super) fn reopen_failed(&self, error: String) {
        tracing::warn!(sink = %self.name, %error, "the destination could not be reopened");
        self.lock().counters.last_error = Some(error);
    }

    /// Notes that what was due failed: it may concern events that count as delivered.
    pub(super) fn tend_failed(&self, error: String) {
        let notice = note(&mut self.lock(), Some(Failure::Io(error)));
        self.log(notice);
    }

    /// Notes that it was reopened: an earlier failure to do so is over.
    pub(super) fn reopened(&self) {
        let mut state = self.lock();
        if !state.failing {
            state.counters.last_error = None;
        }
    }

    /// Notes what a spool holds.
    pub(super) fn note_spooled(&self, spooled: Option<Spooled>) {
        if spooled.is_some() {
            self.lock().counters.spooled = spooled;
        }
    }

    /// Notes who may read or change what is written and should not; logged when it is new.
    pub(super) fn note_exposed(&self, exposed: Option<&Exposed>) {
        let mut state = self.lock();
        if state.counters.exposed.as_ref() == exposed {
            return;
        }
        state.counters.exposed = exposed.cloned();
        drop(state);
        if let Some(exposed) = exposed {
            tracing::warn!("{exposed}");
        }
    }

    /// Takes nothing new in; what is queued is still written.
    pub(super) fn drain(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Draining;
        }
        drop(state);
        self.work.notify_one();
    }

    /// Called by the thread when it ends, for whatever reason.
    pub(super) fn thread_ended(&self) {
        end(&mut self.lock(), DropReason::Closed);
        self.ended.notify_all();
    }

    /// Waits until the thread has written all and ended. At the deadline it counts the rest as lost and returns
    /// `false`: then the thread is still in the middle of a write that may never return.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.phase != Phase::Ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                end(&mut state, DropReason::Deadline);
                return false;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Whether half of it is free. A sink that has ended wants nothing and holds nobody up.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        state.phase != Phase::Open || state.queued() * 2 <= self.capacity
    }

    /// The sums of what was lost that are to be sent now, as many as there is room for: once the sink works again.
    /// `ending`: whether or not.
    pub(super) fn lost(&self, now: Timestamp, ending: bool) -> Vec<Body> {
        let state = self.lock();
        let works =
            !state.failing && (state.queued() == 0 || state.counters.delivered > state.delivered_at_loss);
        if state.phase != Phase::Open || !(works || ending) {
            return Vec::new();
        }
        // Nobody else takes of it meanwhile: only who publishes adds to the queue, and what another sink adds has its reserve.
        let room = to_index(self.capacity.saturating_sub(state.queued()));
        drop(state);
        self.losses.take(room, now, ending)
    }

    pub(super) fn stats(&self) -> SinkStats {
        let state = self.lock();
        state.counters.snapshot(self.name.clone(), state.queued(), state.phase == Phase::Ended)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and the counts are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, notice: Option<Notice>) {
        match notice {
            Some(Notice::Lost(error)) => tracing::warn!(sink = %self.name, %error, "events are lost"),
            Some(Notice::Works) => tracing::info!(sink = %self.name, "events are delivered again"),
            None => {}
        }
    }
}

impl State {
    /// What was accepted and not settled yet.
    const fn queued(&self) -> u64 {
        self.events + self.writing
    }

    const fn lose(&mut self, reason: DropReason, events: u64, reports_losses: bool) {
        self.counters.drop(reason, events);
        if events > 0 {
            self.delivered_at_loss = self.counters.delivered;
        }
        if reports_losses {
            self.counters.coverage_dropped += events;
        }
    }
}

/// A count of events of a batch, as an index.
fn to_index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

enum Notice {
    Lost(String),
    Works,
}

/// Remembers a failure; returns only what is new, so that a full disk does not fill the log too.
fn note(state: &mut State, failure: Option<Failure>) -> Option<Notice> {
    match failure {
        Some(Failure::Io(error) | Failure::Closed(error)) => {
            let notice = (!state.failing).then(|| Notice::Lost(error.clone()));
            state.failing = true;
            state.counters.last_error = Some(error);
            notice
        }
        None => std::mem::replace(&mut state.failing, false).then(|| {
            state.counters.last_error = None;
            Notice::Works
        }),
    }
}

fn end(state: &mut State, reason: DropReason) {
    state.phase = Phase::Ended;
    let queued = state.queued();
    state.counters.drop(reason, queued);
    state.waiting = Vec::new();
    (state.events, state.writing) = (0, 0);
}
