//! Listening sockets on watched ports: remembered from listen to close.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::model::{Endpoint, Process};
use gdprport_core::verdict::Verdict;

/// Listeners remembered at once; a host has a few hundred. One too many is reported as open, forgotten and counted.
const CAP: usize = 16_384;

/// A listening socket.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Socket cookie.
    pub cookie: u64,
    /// Where it is bound.
    pub local: Endpoint,
    /// Who opened it.
    pub process: Option<Arc<Process>>,
    /// What the policy says of it.
    pub verdict: Verdict,
    /// When it began to listen, boottime ns; `None` if that was not seen.
    pub opened_ns: Option<u64>,
    /// Network namespace cookie of the socket; 0 if not known.
    pub netns_cookie: u64,
    /// True if it was there before the daemon looked, so that no record will tell of its end.
    pub found: bool,
}

/// All listeners that are open, by cookie.
#[derive(Debug, Default)]
pub struct Listeners {
    open: HashMap<u64, Listener>,
    forgotten: u64,
}

impl Listeners {
    /// Remembers one that is not known yet, if there is room.
    pub fn insert(&mut self, listener: Listener) {
        if self.open.len() < CAP {
            self.open.insert(listener.cookie, listener);
        } else {
            self.forgotten += 1;
        }
    }

    /// How many there was no room for, so that no more is told of them.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets one.
    pub fn remove(&mut self, cookie: u64) -> Option<Listener> {
        self.open.remove(&cookie)
    }

    /// True if it is remembered.
    #[must_use]
    pub fn contains(&self, cookie: u64) -> bool {
        self.open.contains_key(&cookie)
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Listener> {
        self.open.values_mut()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.open.values()
    }

    /// Forgets those that `keep` does not want; says how many.
    pub fn retain(&mut self, keep: impl Fn(&Listener) -> bool) -> usize {
        let before = self.open.len();
        self.open.retain(|_, listener| keep(listener));
        before - self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_listener_too_many_is_counted_and_drives_out_no_other() {
        let listener = |cookie| Listener {
            cookie,
            local: Endpoint::new([127, 0, 0, 1].into(), 5432),
            process: None,
            verdict: Verdict::Declared { rule: "listen".into() },
            opened_ns: None,
            netns_cookie: 0,
            found: false,
        };
        let mut listeners = Listeners::default();
        for cookie in 0..=CAP as u64 {
            listeners.insert(listener(cookie));
        }
        assert_eq!((listeners.iter().count(), listeners.forgotten()), (CAP, 1));
        assert!(listeners.contains(0) && !listeners.contains(CAP as u64));
    }
}
