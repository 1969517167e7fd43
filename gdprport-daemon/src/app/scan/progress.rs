//! How far a look at the host has come, for whoever shows it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    /// Sockets are listed.
    Sockets = 0,
    /// The descriptors of all processes are searched for them.
    Holders = 1,
    /// It is found out who the holders are, and how their containers are called.
    Names = 2,
    /// The kernel programs are loaded.
    Loading = 3,
    /// Connections are watched.
    Watching = 4,
}

impl Step {
    const ALL: [Self; 5] = [Self::Sockets, Self::Holders, Self::Names, Self::Loading, Self::Watching];

    /// It in a few words, for people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Sockets => "listing sockets",
            Self::Holders => "finding the processes that hold them",
            Self::Names => "finding out who they are",
            Self::Loading => "loading the kernel programs",
            Self::Watching => "watching connections",
        }
    }
}

/// The step that a look has come to. It is written by the look and read by another thread.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    step: AtomicU8,
    until: Mutex<Option<Instant>>,
}

impl Progress {
    /// How many steps a look has.
    pub(crate) const STEPS: u64 = 3;

    pub(super) fn begin(&self, step: Step) {
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// From now on connections are watched, until then.
    pub(super) fn watch_until(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.begin(Step::Watching);
    }

    /// The step, and its number from 0.
    pub(crate) fn now(&self) -> (Step, u64) {
        let step = self.step.load(Ordering::Relaxed);
        (Step::ALL[usize::from(step) % Step::ALL.len()], u64::from(step))
    }

    /// How long connections are still watched; `None`: they are not.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let watching = self.now().0 == Step::Watching;
        until.filter(|_| watching).map(|until| until.saturating_duration_since(Instant::now()))
    }
}
