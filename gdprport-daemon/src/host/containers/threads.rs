//! The threads of all lanes: which there are, what they have to do, and whether they still answer.
//!
//! Belongs here: their bounds. What a thread does is `lane`'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use gdprport_core::model::Names;
use tokio::sync::Notify;

use super::key::{Key, Lane};
use super::lane::{Answer, Job, Report, work};
use crate::host::confine::{self, Role};

/// Containers that may wait in root's lane and in those of the configuration: as many as are surely kept.
pub(super) const WAITING_MAX: usize = 8_192;

/// Containers of one user that may wait.
pub(super) const CLAIMED_WAITING_MAX: usize = 256;

/// Users whose state is read at the same time, or hangs.
pub(super) const USERS_MAX: usize = 32;

/// A lane from which nothing came for so long, though it has something to do, is stuck: between its tries are at most 3 s.
pub(super) const STUCK_NS: u64 = 10_000_000_000;

/// A user's thread that has nothing to do ends after this.
pub(super) const IDLE_NS: u64 = 60_000_000_000;

pub(super) type Look = Box<dyn FnMut(&Key) -> Option<Names>>;
pub(super) type LookIn = Arc<dyn Fn(Lane) -> Look + Send + Sync>;

/// One thread.
#[derive(Debug)]
struct Handle {
    jobs: Sender<Job>,
    outstanding: usize,
    /// When it was last heard of, or given something to do.
    heard_ns: u64,
}

/// All threads.
pub(super) struct Threads {
    look_in: LookIn,
    lanes: HashMap<Lane, Handle>,
    to: Sender<Report>,
    reports: Receiver<Report>,
    wake: Arc<Notify>,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

impl Threads {
    pub(super) fn new(look_in: LookIn, wake: Arc<Notify>) -> Self {
        let (to, reports) = channel();
        Self { look_in, lanes: HashMap::new(), to, reports, wake }
    }

    /// Gives a lane something to do; `false` if there is no room.
    pub(super) fn send(&mut self, lane: &Lane, job: Job, now_ns: u64) -> bool {
        let of_user = matches!(lane, Lane::User(_));
        if !self.lanes.contains_key(lane) {
            let users = self.lanes.keys().filter(|lane| matches!(lane, Lane::User(_))).count();
            if of_user && users >= USERS_MAX {
                return false;
            }
            let Some(jobs) = self.spawn(lane) else { return false };
            self.lanes.insert(lane.clone(), Handle { jobs, outstanding: 0, heard_ns: now_ns });
        }
        let most = if of_user { CLAIMED_WAITING_MAX } else { WAITING_MAX };
        let Some(handle) = self.lanes.get_mut(lane) else { return false };
        if handle.outstanding >= most || handle.jobs.send(job).is_err() {
            return false;
        }
        if handle.outstanding == 0 {
            handle.heard_ns = now_ns;
        }
        handle.outstanding += 1;
        true
    }

    fn spawn(&self, lane: &Lane) -> Option<Sender<Job>> {
        let look_in = Arc::clone(&self.look_in);
        let (jobs, asked) = channel();
        let (lane, to, wake) = (lane.clone(), self.to.clone(), Arc::clone(&self.wake));
        let run = move || {
            confine::enter(Role::HostReader);
            work(&lane, look_in(lane.clone()), &asked, &to, &wake);
        };
        // Never joined: it may be stuck, and ends with the process.
        let spawned = std::thread::Builder::new().name("containers".to_owned()).spawn(run);
        if let Err(error) = &spawned {
            tracing::warn!(%error, "containers stay without names: a thread cannot be started");
        }
        spawned.is_ok().then_some(jobs)
    }

    /// The next reply, if one has come by `now_ns`.
    pub(super) fn next_report(&mut self, now_ns: u64) -> Option<Report> {
        let report = self.reports.try_recv().ok()?;
        if let Some(handle) = self.lanes.get_mut(&report.lane) {
            handle.heard_ns = now_ns;
            handle.outstanding -= usize::from(!matches!(report.answer, Answer::NotYet));
        }
        Some(report)
    }

    /// Ends threads of users that have nothing to do.
    pub(super) fn end_idle(&mut self, now_ns: u64) {
        let idle =
            |handle: &Handle| handle.outstanding == 0 && now_ns.saturating_sub(handle.heard_ns) >= IDLE_NS;
        self.lanes.retain(|lane, handle| !matches!(lane, Lane::User(_)) || !idle(handle));
    }

    /// How many have something to do and do not reply.
    pub(super) fn stuck(&self, now_ns: u64) -> usize {
        let stuck =
            |handle: &&Handle| handle.outstanding > 0 && now_ns.saturating_sub(handle.heard_ns) >= STUCK_NS;
        self.lanes.values().filter(stuck).count()
    }

    /// How many there are, and how much they have to do.
    #[cfg(test)]
    pub(super) fn load(&self) -> (usize, usize) {
        (self.lanes.len(), self.lanes.values().map(|handle| handle.outstanding).sum())
    }
}
