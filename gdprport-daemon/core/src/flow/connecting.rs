//! Connects that were under way when the sockets of the host were listed: no flows yet, and no failures.
//!
//! Belongs here: holding them until a record or their socket's end shows what became of them. The kernel side reports
//! one only once it is answered, and then without its owner.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::types::Flow;

/// The most that are held: a connect ends within two minutes unless the host is set otherwise, and what is beyond is
/// counted. Each costs about 400 bytes.
const CAP: usize = 4_096;

/// Connects that wait for their outcome, by cookie.
#[derive(Debug, Default)]
pub(super) struct Connecting {
    waiting: HashMap<u64, Flow, RandomState>,
}

impl Connecting {
    /// Holds one; false if there is no room.
    pub(super) fn insert(&mut self, flow: Flow) -> bool {
        let fits = self.waiting.len() < CAP;
        if fits {
            self.waiting.insert(flow.cookie, flow);
        }
        fits
    }

    /// Removes the one of this socket. Costs nothing while there is none, as is nearly always.
    pub(super) fn take(&mut self, cookie: u64) -> Option<Flow> {
        if self.waiting.is_empty() { None } else { self.waiting.remove(&cookie) }
    }

    /// True if this socket's connect is held.
    pub(super) fn contains(&self, cookie: u64) -> bool {
        self.waiting.contains_key(&cookie)
    }

    /// Cookies of all.
    pub(super) fn cookies(&self) -> impl Iterator<Item = u64> {
        self.waiting.keys().copied()
    }

    /// Removes those that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&Flow) -> bool) {
        self.waiting.retain(|_, flow| keep(flow));
    }
}
