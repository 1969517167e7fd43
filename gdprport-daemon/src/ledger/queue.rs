//! What the loop hands the ledger's thread, behind one lock that nobody holds for long.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gdprport_core::audit::{Finding, FindingChange, Judged};
use gdprport_core::ledger::Batch;
use gdprport_core::volume::{Known, Wanted};
use jiff::Timestamp;

/// Batches that may wait. What comes meanwhile is added up in the tally, where it takes less room than here.
pub(super) const BATCHES: usize = 2;
/// Audits that may wait: they are minutes apart.
const RECORDS: usize = 4;

/// What is called with the changes that an audit brings, or with why it could not be stored.
pub(super) type Reply = Box<dyn FnOnce(Result<Vec<FindingChange>, String>) + Send>;

/// What is called with what rules have moved and since when the ledger has something to say, or with why that is not known.
pub(super) type Answer = Box<dyn FnOnce(Result<(Vec<Known>, Option<Timestamp>), String>) + Send>;

/// What the thread is to do next.
pub(super) enum Work {
    Batch(Box<Batch>),
    /// The findings of an audit, and what was judged.
    Record(Vec<Finding>, Judged, Reply),
    /// What rules have moved is asked.
    Volumes(Vec<Wanted>, Answer),
    /// Nothing came for a while.
    Idle,
    /// Nothing waits, and nothing comes any more.
    End,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    work: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Box<Batch>>,
    records: VecDeque<(Vec<Finding>, Judged, Reply)>,
    /// What rules have moved is asked: to be answered after so many batches, of all that were ever offered, and before the next.
    /// One at a time.
    asked: Option<(u64, Vec<Wanted>, Answer)>,
    /// Batches that were ever offered.
    offered: u64,
    /// Whether one was taken, and is not stored yet.
    storing: bool,
    returned: u64,
    finish: bool,
    ended: bool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.lock();
        let (batches, records) = (waiting.batches.len(), waiting.records.len());
        f.debug_struct("Queue").field("batches", &batches).field("records", &records).finish_non_exhaustive()
    }
}

impl Queue {
    /// Takes a batch, or gives it back while there is no room.
    pub(super) fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let mut waiting = self.lock();
        if waiting.batches.len() >= BATCHES || waiting.finish || waiting.ended {
            waiting.returned += 1;
            return Err(Box::new(batch));
        }
        waiting.batches.push_back(Box::new(batch));
        waiting.offered += 1;
        drop(waiting);
        self.work.notify_one();
        Ok(())
    }

    /// Takes an audit; what there is no room for is answered at once.
    pub(super) fn record(&self, findings: Vec<Finding>, judged: Judged, reply: Reply) {
        let mut waiting = self.lock();
        if waiting.records.len() >= RECORDS || waiting.finish || waiting.ended {
            drop(waiting);
            return reply(Err("the ledger does not keep up".to_owned()));
        }
        waiting.records.push_back((findings, judged, reply));
        drop(waiting);
        self.work.notify_one();
    }

    /// Takes a question what rules have moved: the answer has what stands in the batches that were offered before, and nothing of
    /// those that come. What there is no room for is answered at once.
    pub(super) fn ask(&self, wanted: Vec<Wanted>, answer: Answer) {
        let mut waiting = self.lock();
        if waiting.asked.is_some() || waiting.finish || waiting.ended {
            drop(waiting);
            return answer(Err("the ledger does not keep up".to_owned()));
        }
        waiting.asked = Some((waiting.offered, wanted, answer));
        drop(waiting);
        self.work.notify_one();
    }

    /// What is to be done next, at the latest after `patience`. While `hold`, batches wait unless nothing comes any more.
    pub(super) fn next(&self, patience: Duration, hold: bool) -> Work {
        let until = Instant::now() + patience;
        let mut waiting = self.lock();
        waiting.storing = false;
        loop {
            let before = waiting.offered - waiting.batches.len() as u64;
            if waiting.asked.as_ref().is_some_and(|(after, ..)| *after <= before)
                && let Some((_, wanted, answer)) = waiting.asked.take()
            {
                return Work::Volumes(wanted, answer);
            }
            if !hold && let Some(batch) = waiting.batches.pop_front() {
                waiting.storing = true;
                return Work::Batch(batch);
            }
            if let Some((findings, judged, reply)) = waiting.records.pop_front() {
                return Work::Record(findings, judged, reply);
            }
            if waiting.finish {
                let last = waiting.batches.pop_front();
                waiting.storing = last.is_some();
                return last.map_or(Work::End, Work::Batch);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Work::Idle;
            }
            waiting = self.work.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Puts a batch back to where it was taken from.
    pub(super) fn put_back(&self, batch: Box<Batch>) {
        let mut waiting = self.lock();
        waiting.batches.push_front(batch);
        waiting.storing = false;
    }

    /// Batches that are not stored yet, and how many were given back so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        let waiting = self.lock();
        (waiting.batches.len() as u64 + u64::from(waiting.storing), waiting.returned)
    }

    /// Whether nothing comes any more.
    pub(super) fn is_finishing(&self) -> bool {
        self.lock().finish
    }

    /// Nothing comes any more.
    pub(super) fn finish(&self) {
        self.lock().finish = true;
        self.work.notify_one();
    }

    /// Waits until the thread has ended; false if it had not by the deadline.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = self.ended.wait_timeout_while(self.lock(), left, |waiting| !waiting.ended);
        ended.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// The thread has ended: whoever waits for an answer gets one.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        let (records, asked) = (std::mem::take(&mut waiting.records), waiting.asked.take());
        drop(waiting);
        self.ended.notify_all();
        for (_, _, reply) in records {
            reply(Err("the ledger was closed".to_owned()));
        }
        if let Some((_, _, answer)) = asked {
            answer(Err("the ledger was closed".to_owned()));
        }
    }

    /// Whether the thread has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
