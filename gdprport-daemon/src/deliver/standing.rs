//! What is known of a running sink, shared by its worker, which writes it, and the control socket, which reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gdprport_core::delivery::Sink;
use gdprport_core::event::Event;
use jiff::Timestamp;

use super::cursor::{Kept, Place, Unread};
use super::lost::Loss;
use crate::control::api::{
    FailureStanding, LagStanding, LostStanding, RefusedStanding, SinkStanding, SinkState, SinkTotals,
};

/// Refusals and losses are logged once in so long; each is counted.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// The worker's end and the reader's. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Standing(Arc<Mutex<Facts>>);

/// What a worker knows of its sink.
#[derive(Debug)]
pub(super) struct Facts {
    name: Arc<str>,
    pub(super) state: SinkState,
    pub(super) began: String,
    /// Everything before it is done.
    pub(super) place: Place,
    /// What is known to lie before it in the spool.
    pub(super) unread: Option<Unread>,
    pub(super) totals: SinkTotals,
    delivered_at: Option<Timestamp>,
    failed_attempts: u64,
    failure: Option<FailureStanding>,
    refused: Option<RefusedStanding>,
    lost: Option<LostStanding>,
    refusals: Throttle,
    losses: Throttle,
    unwritten: Throttle,
    /// Writes of the cursor, counted: over all workers of the sink.
    writes: u64,
}

/// At most one line of log in a while, with the number of those before it.
#[derive(Debug, Default)]
struct Throttle {
    at: Option<Instant>,
    held: u64,
}

impl Throttle {
    /// How many to report now; `None`: not yet.
    fn add(&mut self, count: u64) -> Option<u64> {
        self.held += count;
        if self.at.is_some_and(|at| at.elapsed() < LOGGED_EVERY) {
            return None;
        }
        self.at = Some(Instant::now());
        Some(std::mem::take(&mut self.held))
    }
}

impl Standing {
    pub(super) fn new(name: &Arc<str>, began: String, kept: Kept) -> Self {
        let Kept { place, totals, unread } = kept;
        Self(Arc::new(Mutex::new(Facts {
            name: Arc::clone(name),
            state: SinkState::Starting,
            began,
            place,
            unread,
            totals,
            delivered_at: None,
            failed_attempts: 0,
            failure: None,
            refused: None,
            lost: None,
            refusals: Throttle::default(),
            losses: Throttle::default(),
            unwritten: Throttle::default(),
            writes: 0,
        })))
    }

    /// Nothing panics while it is held, and every fact stands for itself.
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As the control socket shows it.
    pub(super) fn shown(&self, sink: &Sink, lag: LagStanding, problems: Option<String>) -> SinkStanding {
        let facts = self.facts();
        SinkStanding {
            name: sink.name.to_string(),
            transport: sink.target.kind().to_string(),
            place: sink.target.place(),
            encoding: sink.encoding.as_str().to_owned(),
            state: facts.state,
            problems,
            began: facts.began.clone(),
            lag,
            totals: facts.totals,
            delivered_at: facts.delivered_at,
            failed_attempts: facts.failed_attempts,
            failure: facts.failure.clone(),
            refused: facts.refused.clone(),
            lost: facts.lost.clone(),
        }
    }
}

impl Facts {
    /// A receiver confirmed events.
    pub(super) fn delivered(&mut self, events: u64, bytes: u64, now: Timestamp) {
        if events == 0 {
            return;
        }
        self.totals.delivered += events;
        self.totals.bytes += bytes;
        self.delivered_at = Some(now);
    }

    /// It works, or works again.
    pub(super) fn works(&mut self) {
        if let Some(failure) = self.failure.take() {
            tracing::info!(sink = %self.name, after = failure.attempts, "events are delivered again");
        }
    }

    /// An attempt failed; logged when it is new.
    pub(super) fn failed(&mut self, why: String, state: SinkState, now: Timestamp, next: Duration) {
        let next = now.checked_add(next).ok();
        self.state = state;
        self.failed_attempts += 1;
        match &mut self.failure {
            Some(failure) => {
                if failure.why != why {
                    tracing::warn!(sink = %self.name, error = %why, "events still wait");
                }
                (failure.why, failure.next) = (why, next);
                failure.attempts += 1;
            }
            None => {
                tracing::warn!(sink = %self.name, error = %why, "events wait in the spool");
                self.failure = Some(FailureStanding { why, since: now, attempts: 1, next });
            }
        }
    }

    /// The receiver will never take this one.
    pub(super) fn refused(&mut self, event: &Event, why: &str, now: Timestamp) {
        self.totals.refused += 1;
        if let Some(count) = self.refusals.add(1) {
            tracing::warn!(sink = %self.name, count, id = %event.id, kind = %event.body.kind(), %why, "the receiver refuses events");
        }
        let kind = event.body.kind().to_string();
        self.refused = Some(RefusedStanding { id: event.id, kind, why: why.to_owned(), at: now });
    }

    /// What its cursor says.
    pub(super) const fn kept(&self) -> Kept {
        Kept { place: self.place, totals: self.totals, unread: self.unread }
    }

    /// The same sink went before, with the same cursor: writes of it that are under way are older than its own.
    pub(super) const fn goes_on(&mut self, before: &Self) {
        self.writes = before.writes;
    }

    /// The number of the next write of the cursor.
    pub(super) const fn number(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }

    /// The cursor cannot be written.
    pub(super) fn unwritten(&mut self, error: &std::io::Error) {
        if let Some(count) = self.unwritten.add(1) {
            tracing::warn!(sink = %self.name, count, %error, "the cursor cannot be written: events may come twice");
        }
    }

    /// Events that the sink does not get. They are in the totals once its receiver has been given the report of them: the
    /// totals go with the place.
    pub(super) fn lost(&mut self, loss: &Loss) {
        let Loss { events, at_least, since, until, reason, .. } = *loss;
        if let Some(count) = self.losses.add(events) {
            let what = if at_least {
                "events are lost, and perhaps more: they are not in the spool any more"
            } else {
                "events are lost: they are not in the spool any more"
            };
            tracing::warn!(sink = %self.name, count, %since, %until, reason, "{what}");
        }
        self.lost =
            Some(LostStanding { events, bound: loss.bound(), since, until, reason: reason.to_owned() });
    }
}
