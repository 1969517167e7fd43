//! What the daemon's loop tells the thread of the log beside the events.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gdprport_core::evidence::Sums;

/// Policies that may wait to be logged: each is one reload.
const POLICIES_MAX: usize = 16;

/// A policy that became active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyTexts {
    /// The digest that events name.
    pub(crate) digest: String,
    /// Paths and texts of its files.
    pub(crate) files: Vec<(String, Arc<str>)>,
}

#[derive(Debug, Default)]
struct Shared {
    sums: Sums,
    policies: VecDeque<PolicyTexts>,
}

/// Both ends of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidenceHandle(Arc<Mutex<Shared>>);

impl EvidenceHandle {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next checkpoint says of this run.
    pub(crate) fn set_sums(&self, sums: Sums) {
        self.lock().sums = sums;
    }

    /// A policy became active. Of more than can wait the oldest is left out: its digest is in its event still.
    pub(crate) fn policy(&self, policy: PolicyTexts) {
        let mut shared = self.lock();
        if shared.policies.len() == POLICIES_MAX {
            shared.policies.pop_front();
        }
        shared.policies.push_back(policy);
    }

    pub(super) fn sums(&self) -> Sums {
        self.lock().sums
    }

    pub(super) fn next_policy(&self) -> Option<PolicyTexts> {
        self.lock().policies.pop_front()
    }
}
