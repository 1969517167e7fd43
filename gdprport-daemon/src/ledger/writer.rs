//! The ledger's thread: the one writer of the database.
//!
//! Belongs here: what is done when, and what an error does to that. A batch that cannot be stored goes back to the queue, so
//! that nothing is lost for as long as the tally has room.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gdprport_core::event::{Bound, Gap};
use gdprport_core::ledger::{Batch, Entry, Note, NoteKind};
use jiff::Timestamp;

use super::database::Database;
use super::failure::Failure;
use super::findings;
use super::place::Place;
use super::queue::{Queue, Work};
use super::reader::volumes;
use super::settings::{InUse, Settings};
use super::state::{LedgerSnapshot, LedgerState};
use super::wal::{Pressure, SELDOM};
use crate::host::lock::{Flock, Lock, LockError, flock};

/// How often the thread looks after the database.
const CARE: Duration = Duration::from_secs(1);
/// How often a ledger that cannot be written is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// How long in a second days are rolled up and removed at most: batches wait meanwhile.
const TIDYING: Duration = Duration::from_millis(200);

/// What tests put in the place of the usual.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    pub(super) retry: Duration,
    pub(super) flock: Flock,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { retry: RETRY, flock }
    }
}

/// The thread's state.
pub(super) struct Writer {
    settings: Settings,
    tuning: Tuning,
    queue: Arc<Queue>,
    shared: Arc<Mutex<LedgerSnapshot>>,
    lock: Option<Lock>,
    database: Database,
    /// No batch is stored before this time: something failed, or the log is too large.
    not_before: Instant,
    cared: Option<Instant>,
}

impl Writer {
    /// Opens the database.
    ///
    /// # Errors
    /// If another daemon writes it.
    pub(super) fn open(
        settings: Settings,
        tuning: Tuning,
        queue: Arc<Queue>,
        shared: Arc<Mutex<LedgerSnapshot>>,
    ) -> Result<Self, InUse> {
        let now = Instant::now();
        let database = Database::new(settings.clone());
        let mut writer =
            Self { settings, tuning, queue, shared, lock: None, database, not_before: now, cared: None };
        match writer.connect() {
            Err(Stopped::InUse(pid)) => Err(InUse { path: writer.settings.path, pid }),
            Err(Stopped::By(failure)) => {
                writer.failed(&failure);
                Ok(writer)
            }
            Ok(()) => Ok(writer),
        }
    }

    /// Stores what comes until nothing comes any more.
    pub(super) fn run(mut self) {
        loop {
            let hold = Instant::now() < self.not_before || self.database.pressure() == Pressure::Hold;
            match self.queue.next(CARE, hold) {
                Work::Batch(batch) => {
                    if !self.take(batch) && self.queue.is_finishing() {
                        return;
                    }
                }
                Work::Record(found, judged, reply) => {
                    let now = Timestamp::now();
                    let changes = self.database.write(|db| findings::record(db, &found, &judged, now));
                    reply(changes.map_err(|failure| format!("the ledger: {failure}")));
                }
                Work::Volumes(wanted, answer) => {
                    let known = self.database.write(|db| volumes(db, &wanted));
                    answer(known.map_err(|failure| format!("the ledger: {failure}")));
                }
                Work::Idle => {}
                Work::End => {
                    self.close();
                    return;
                }
            }
            self.care();
        }
    }

    /// Stores a batch; false: it waits again.
    fn take(&mut self, batch: Box<Batch>) -> bool {
        let stored = self.reconnect().and_then(|()| self.store(&batch));
        let Err(failure) = stored else { return true };
        self.queue.put_back(batch);
        self.failed(&failure);
        false
    }

    fn store(&mut self, batch: &Batch) -> Result<(), Failure> {
        let mut dropped = None;
        let mut stored = self.database.store(batch);
        if let Err(failure @ (Failure::Bad(_) | Failure::Newer(_))) = &stored {
            // Begun anew, so that the batch is not lost with what was there.
            self.database.begin_anew(failure)?;
            stored = self.database.store(batch);
        }
        if let Err(Failure::Refused(why)) = &stored {
            dropped = Some(self.last_resort(batch, why));
            stored = self.database.store(dropped.as_ref().unwrap_or(batch));
        }
        stored?;
        let batch = dropped.as_ref().unwrap_or(batch);
        let rows = batch.edges.len() as u64;
        self.update(|snapshot| {
            snapshot.batches += 1;
            snapshot.rows += rows;
            snapshot.stored_until = Some(batch.until);
            snapshot.state = LedgerState::Ok;
        });
        if self.database.pressure() == Pressure::Less {
            self.not_before = Instant::now() + SELDOM;
        }
        Ok(())
    }

    /// In place of a batch that can never be stored: that it was dropped. Everything else would wait behind it for ever.
    fn last_resort(&self, batch: &Batch, why: &str) -> Batch {
        let flows = batch.edges.iter().map(|edge| edge.counts.opened.saturating_add(edge.counts.failed));
        let lost = flows.fold(0_u64, u64::saturating_add);
        let from = self.snapshot().stored_until.unwrap_or(batch.until).min(batch.until);
        let gap = Gap {
            from,
            to: batch.until,
            lost,
            bound: Some(Bound::AtLeast),
            summed: None,
            reason: "ledger:dropped".into(),
        };
        let text = format!("a batch with {lost} flows and failed connects was dropped: {why}");
        tracing::warn!("the ledger: {text}");
        let note = Note { at: batch.until, kind: NoteKind::Dropped, text: text.into() };
        let kept =
            batch.entries.iter().filter(|entry| matches!(entry, Entry::Began { .. } | Entry::Ended { .. }));
        let entries = kept.cloned().chain([Entry::Gap(gap), Entry::Note(note)]).collect();
        Batch { until: batch.until, entries, ..Batch::default() }
    }

    /// Looks after the database, at most once a second.
    fn care(&mut self) {
        let now = Instant::now();
        if self.cared.is_some_and(|last| now.saturating_duration_since(last) < CARE) {
            return;
        }
        self.cared = Some(now);
        if self.database.is_open() || now >= self.not_before {
            let cared = self.reconnect().and_then(|()| self.tend(now));
            if let Err(failure) = cared {
                self.failed(&failure);
            }
        }
        self.measure();
    }

    fn tend(&mut self, now: Instant) -> Result<(), Failure> {
        let tended = self.database.tend(Timestamp::now(), now, TIDYING);
        if let Err(failure @ (Failure::Bad(_) | Failure::Newer(_))) = &tended {
            self.database.begin_anew(failure)?;
        } else {
            tended?;
        }
        if now >= self.not_before {
            self.update(|snapshot| snapshot.state = LedgerState::Ok);
        }
        Ok(())
    }

    /// Sees to it that lock and database are there, and are those that everybody else would open.
    fn reconnect(&mut self) -> Result<(), Failure> {
        if self.lock.as_ref().is_some_and(|lock| !lock.is_there()) {
            tracing::warn!(
                "the lock of the ledger {} was removed; it is taken anew",
                self.settings.path.display()
            );
            self.lock = None;
        }
        if self.lock.is_some() && self.database.is_current() {
            return Ok(());
        }
        self.connect().map_err(|stopped| match stopped {
            Stopped::InUse(pid) => {
                let in_use = InUse { path: self.settings.path.clone(), pid };
                Failure::Unavailable(in_use.to_string())
            }
            Stopped::By(failure) => failure,
        })
    }

    fn connect(&mut self) -> Result<(), Stopped> {
        let place =
            Place::prepare(&self.settings.path).map_err(|why| Stopped::By(Failure::Unavailable(why)))?;
        if self.lock.is_none() {
            // A database that another daemon may write by now is not touched any more.
            self.database.abandon();
            self.lock = Some(Lock::take(&place.lock(), 0o640, "ledger.path", self.tuning.flock).map_err(
                |error| match error {
                    LockError::Held(pid) => Stopped::InUse(pid),
                    LockError::Unavailable(why) => Stopped::By(Failure::Unavailable(why)),
                },
            )?);
        }
        self.database.open(place, Timestamp::now()).map_err(Stopped::By)?;
        let (begin, aside) = (self.database.begin(), self.database.aside());
        self.update(|snapshot| {
            snapshot.begin = begin;
            snapshot.set_aside = aside;
            snapshot.state = LedgerState::Ok;
        });
        Ok(())
    }

    fn failed(&mut self, failure: &Failure) {
        let why = failure.to_string();
        let known = self.snapshot().last_error.as_ref() == Some(&why);
        if !known {
            tracing::warn!("the ledger {} is not written: {why}", self.settings.path.display());
        }
        let (state, wait) = match failure {
            Failure::Busy(_) => (LedgerState::Late { why: why.clone() }, CARE),
            _ => {
                self.database.close();
                (LedgerState::Unavailable { why: why.clone() }, self.tuning.retry)
            }
        };
        self.not_before = Instant::now() + wait;
        self.update(|snapshot| {
            snapshot.last_error = Some(why);
            snapshot.state = state;
        });
    }

    fn measure(&self) {
        let (bytes, wal_bytes) = self.database.sizes();
        let pressure = self.database.pressure();
        let (begin, synced, aside) = (self.database.begin(), self.database.synced(), self.database.aside());
        let max = self.settings.max_wal;
        self.update(|snapshot| {
            (snapshot.bytes, snapshot.wal_bytes) = (bytes, wal_bytes);
            (snapshot.begin, snapshot.synced_until) = (begin, synced);
            snapshot.set_aside = aside.or(snapshot.set_aside.take());
            if pressure != Pressure::None && matches!(snapshot.state, LedgerState::Ok | LedgerState::Late { .. }) {
                let how = if pressure == Pressure::Hold { "nothing is stored" } else { "it is stored every 30 s" };
                let why = format!(
                    "a reader keeps its write-ahead log from being emptied ({wal_bytes} bytes, more than {max}), so that \
                     {how}; end that reader, `fuser` on the file names it"
                );
                snapshot.state = LedgerState::Late { why };
            }
        });
    }

    fn close(&mut self) {
        if let Err(failure) = self.database.finish() {
            self.failed(&failure);
        }
        self.measure();
    }

    fn snapshot(&self) -> LedgerSnapshot {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut LedgerSnapshot)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Why it is not written.
enum Stopped {
    /// Another process writes it.
    InUse(Option<u32>),
    /// Anything else.
    By(Failure),
}
