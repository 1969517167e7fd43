//! The loop's handle of the ledger.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use gdprport_core::audit::{Finding, FindingChange, Judged};
use gdprport_core::ledger::Batch;
use gdprport_core::volume::{Known, Wanted};
use jiff::Timestamp;

use super::queue::{BATCHES, Queue};
use super::settings::{InUse, Settings};
use super::state::{LedgerSnapshot, LedgerState};
use super::writer::{Tuning, Writer};
use crate::host::confine::{self, Role};

/// The ledger, as the loop sees it. Its thread owns the database; nothing in here waits for it.
#[derive(Debug)]
pub(crate) struct Ledger {
    queue: Arc<Queue>,
    shared: Arc<Mutex<LedgerSnapshot>>,
}

impl Ledger {
    /// Opens the ledger, and makes it if there is none. What keeps it from being written is no error: the state says it, and
    /// it is tried again.
    ///
    /// # Errors
    /// If another daemon writes it.
    pub(crate) fn open(settings: Settings) -> Result<Self, InUse> {
        Self::open_with(settings, Tuning::default())
    }

    /// The same, with what tests put in the place of the usual.
    pub(super) fn open_with(settings: Settings, tuning: Tuning) -> Result<Self, InUse> {
        let queue = Arc::new(Queue::default());
        let shared =
            Arc::new(Mutex::new(LedgerSnapshot { path: settings.path.clone(), ..LedgerSnapshot::default() }));
        let path = settings.path.clone();
        let writer = Writer::open(settings, tuning, Arc::clone(&queue), Arc::clone(&shared))?;
        let ends = Arc::clone(&queue);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // Also if it panics: nobody waits for a thread that is gone.
            struct End(Arc<Queue>);
            impl Drop for End {
                fn drop(&mut self) {
                    self.0.end();
                }
            }
            let end = End(ends);
            confine::enter(Role::Writer(&[path]));
            writer.run();
            drop(end);
        });
        let ledger = Self { queue, shared };
        if let Err(error) = thread {
            ledger.queue.end();
            ledger.lock().last_error = Some(format!("its thread cannot be started: {error}"));
        }
        Ok(ledger)
    }

    /// Hands a batch over, without waiting.
    ///
    /// # Errors
    /// The batch, while there is no room.
    pub(crate) fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.queue.offer(batch)
    }

    /// How the ledger is.
    pub(crate) fn snapshot(&self) -> LedgerSnapshot {
        let (waiting, returned) = self.queue.counts();
        let mut snapshot = self.lock().clone();
        let is_full = waiting > BATCHES as u64;
        (snapshot.waiting, snapshot.returned) = (waiting, returned);
        if self.queue.has_ended() && !self.queue.is_finishing() {
            let why = snapshot.last_error.as_deref().unwrap_or("its thread ended unexpectedly");
            snapshot.state = LedgerState::Unavailable { why: format!("{why}; restart the daemon") };
        } else if snapshot.state == LedgerState::Ok && is_full {
            let why =
                "the disk is slower than what is to be stored; put the ledger on another one (`ledger.path`)";
            snapshot.state = LedgerState::Late { why: why.to_owned() };
        }
        snapshot
    }

    /// Compares the findings of an audit with those that are stored, and stores them. Of what was not
    /// `judged` nothing is settled. `reply` is called by the ledger's
    /// thread with what changed, or with why that is not known.
    pub(crate) fn record(
        &self,
        findings: Vec<Finding>,
        judged: Judged,
        reply: impl FnOnce(Result<Vec<FindingChange>, String>) + Send + 'static,
    ) {
        self.queue.record(findings, judged, Box::new(reply));
    }

    /// Asks what rules have moved, as far as it stands in the batches that were offered before. `answer` is called by the ledger's
    /// thread.
    pub(crate) fn ask_volumes(
        &self,
        wanted: Vec<Wanted>,
        answer: impl FnOnce(Result<(Vec<Known>, Option<Timestamp>), String>) + Send + 'static,
    ) {
        self.queue.ask(wanted, Box::new(answer));
    }

    /// Stores what waits and closes the database. What was not stored by the deadline is lost; the snapshot says how many
    /// batches wait.
    pub(crate) fn finish(self, deadline: Instant) -> LedgerSnapshot {
        self.queue.finish();
        self.queue.wait_for_end(deadline);
        self.snapshot()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LedgerSnapshot> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.queue.finish();
    }
}
