//! The threads on which containers are looked up.
//!
//! Belongs here: when a look-up is tried again. Each lane has a thread of its own, never joined: the file system that it
//! reads may hang.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use gdprport_core::model::Names;
use tokio::sync::Notify;

use super::key::{Key, Lane};

/// Between the tries for a container that nothing names yet. Runtimes write its state before they make its cgroup, so the
/// first try succeeds; the others are for a disk that is slow, a file that is half written, and a runtime that does it the
/// other way round. After 4.25 s nothing more is coming.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// Longer than any pause.
const IDLE: Duration = Duration::from_secs(3600);

/// A container to be looked up.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: Key,
    /// Which look-up of it.
    pub(super) round: u64,
    /// Whether it is tried more than once.
    pub(super) insist: bool,
}

/// What became of a job.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) lane: Lane,
    pub(super) key: Key,
    pub(super) round: u64,
    pub(super) answer: Answer,
}

#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing so far; it is tried again.
    NotYet,
    /// Nothing.
    Nothing,
    Found(Arc<Names>),
}

/// Looks up what is asked until nobody asks any more.
pub(super) fn work(
    lane: &Lane,
    mut look: impl FnMut(&Key) -> Option<Names>,
    jobs: &Receiver<Job>,
    to: &Sender<Report>,
    wake: &Notify,
) {
    let mut waiting: BinaryHeap<Reverse<Retry>> = BinaryHeap::new();
    let mut announced = Some(Instant::now());
    loop {
        let due = waiting.peek().map(|Reverse(retry)| retry.due.saturating_duration_since(Instant::now()));
        let next = match due {
            Some(Duration::ZERO) => None,
            _ => match jobs.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    // What the loop does with replies it does for all of them at once.
                    if announced.is_none() {
                        wake.notify_one();
                    }
                    announced = Some(Instant::now());
                    match jobs.recv_timeout(due.unwrap_or(IDLE)) {
                        Ok(job) => Some(job),
                        Err(RecvTimeoutError::Timeout) => None,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            },
        };
        let (job, tries) = match next {
            Some(job) => (job, 0),
            None => match waiting.pop() {
                Some(Reverse(retry)) => (retry.job, retry.tries),
                None => continue,
            },
        };
        let answer = match look(&job.key) {
            Some(names) => Answer::Found(Arc::new(names)),
            None if job.insist && tries < PAUSES.len() => Answer::NotYet,
            None => Answer::Nothing,
        };
        let again = matches!(answer, Answer::NotYet);
        // Of the tries in between only the first is news.
        if !again || tries == 0 {
            let report = Report { lane: lane.clone(), key: job.key.clone(), round: job.round, answer };
            if to.send(report).is_err() {
                return;
            }
            wake.notify_one();
        }
        if again {
            waiting.push(Reverse(Retry { due: Instant::now() + PAUSES[tries], tries: tries + 1, job }));
        }
    }
}

struct Retry {
    due: Instant,
    tries: usize,
    job: Job,
}

impl PartialEq for Retry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Retry {}

impl PartialOrd for Retry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Retry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}
