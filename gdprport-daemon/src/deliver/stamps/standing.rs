//! What is known of timestamps, shared by the task that gets them and the control socket.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::control::api::{FailureStanding, LastStamp, StampsStanding};

/// The task's end and the reader's. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct StampsKnown(Arc<Mutex<StampsStanding>>);

impl StampsKnown {
    /// Nothing yet, of the authority at this place.
    pub(super) fn new(place: String, directory: String, every: Duration) -> Self {
        Self(Arc::new(Mutex::new(StampsStanding {
            place,
            directory,
            every_s: every.as_secs(),
            kept: 0,
            last: None,
            stamped: 0,
            failed_attempts: 0,
            failure: None,
        })))
    }

    /// As the control socket shows it.
    pub(in crate::deliver) fn shown(&self) -> StampsStanding {
        self.lock().clone()
    }

    /// What is on the disk.
    pub(super) fn found(&self, kept: usize, last: Option<LastStamp>) {
        let mut standing = self.lock();
        (standing.kept, standing.last) = (kept as u64, last);
    }

    /// One was got and kept.
    pub(super) fn stamped(&self, kept: usize, last: LastStamp) {
        self.works();
        tracing::info!(sequence = last.sequence, entries = last.entries, time = %last.time, "a checkpoint was stamped");
        let mut standing = self.lock();
        standing.stamped += 1;
        (standing.kept, standing.last) = (kept as u64, Some(last));
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.lock().failure.is_some()
    }

    /// Nothing is wrong any more.
    pub(super) fn works(&self) {
        if let Some(failure) = self.lock().failure.take() {
            tracing::info!(after = failure.attempts, "checkpoints are stamped again");
        }
    }

    /// An attempt failed; logged when it is new.
    pub(super) fn failed(&self, why: String, now: Timestamp, next: Duration) {
        let next = now.checked_add(next).ok();
        let mut standing = self.lock();
        standing.failed_attempts += 1;
        if standing.failure.as_ref().is_none_or(|failure| failure.why != why) {
            tracing::warn!(error = %why, "no timestamp of the newest checkpoint; it is tried again, and no sink waits for it");
        }
        match &mut standing.failure {
            Some(failure) => {
                (failure.why, failure.next) = (why, next);
                failure.attempts += 1;
            }
            None => standing.failure = Some(FailureStanding { why, since: now, attempts: 1, next }),
        }
    }

    /// Nothing panics while it is held, and every fact stands for itself.
    fn lock(&self) -> MutexGuard<'_, StampsStanding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
