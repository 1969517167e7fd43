//! How far a look at the host has come, for whoever shows it.

use std::sync::atomic::{AtomicU8, Ordering};

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
}

impl Step {
    const ALL: [Self; 3] = [Self::Sockets, Self::Holders, Self::Names];

    /// It in a few words, for people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Sockets => "listing sockets",
            Self::Holders => "finding the processes that hold them",
            Self::Names => "finding out who they are",
        }
    }
}

/// The step that a look has come to. It is written by the look and read by another thread.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU8);

impl Progress {
    /// How many steps there are.
    pub(crate) const STEPS: u64 = Step::ALL.len() as u64;

    pub(super) fn begin(&self, step: Step) {
        self.0.store(step as u8, Ordering::Relaxed);
    }

    /// The step, and how many are done.
    pub(crate) fn now(&self) -> (Step, u64) {
        let step = self.0.load(Ordering::Relaxed);
        (Step::ALL[usize::from(step) % Step::ALL.len()], u64::from(step))
    }
}
