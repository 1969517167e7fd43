//! What the daemon's loop tells the thread of the log beside the events.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gdprport_core::evidence::{Facts, Sums};

use super::order::{Order, Orderer, Waiting};

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

/// Orders that may wait: each is somebody's command.
const ORDERS_MAX: usize = 8;

/// How the log is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// The public key that signs it; absent until it was opened once.
    pub(crate) key: Option<String>,
    /// Entries that its last checkpoint covers.
    pub(crate) size: u64,
    /// When and why that was made.
    pub(crate) facts: Option<Facts>,
    /// Why nothing can be written now.
    pub(crate) problem: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    sums: Sums,
    policies: VecDeque<PolicyTexts>,
    orders: VecDeque<Waiting>,
    standing: Standing,
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

    /// Asks for something that only who writes the log can do; `to` is called with what came of it.
    pub(crate) fn order(&self, order: Order, to: Orderer) {
        let mut shared = self.lock();
        if shared.orders.len() == ORDERS_MAX {
            drop(shared);
            return to.reply(Err("too many orders wait for the evidence log: try again".to_owned()));
        }
        shared.orders.push_back(Waiting { order, to });
    }

    /// How the log is now.
    pub(crate) fn standing(&self) -> Standing {
        self.lock().standing.clone()
    }

    pub(super) fn stands(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.lock().standing);
    }

    pub(super) fn next_order(&self) -> Option<Waiting> {
        self.lock().orders.pop_front()
    }

    pub(super) fn sums(&self) -> Sums {
        self.lock().sums
    }

    pub(super) fn next_policy(&self) -> Option<PolicyTexts> {
        self.lock().policies.pop_front()
    }
}
