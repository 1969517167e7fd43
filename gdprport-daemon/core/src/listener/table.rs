//! The table of listeners.

use std::collections::HashMap;

use crate::departed::Departed;
use crate::model::{Endpoint, Process};
use crate::shared::Shared;
use crate::verdict::Verdict;

/// Listeners remembered at once; a host has a few hundred. One too many is reported as open, not remembered and counted.
const CAP: usize = 16_384;

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Socket cookie.
    pub cookie: u64,
    /// Where it is bound.
    pub local: Endpoint,
    /// Who opened it.
    pub process: Option<Shared<Process>>,
    /// The policy's verdict on it.
    pub verdict: Verdict,
    /// When it began to listen, boottime ns; `None` if that was not seen.
    pub opened_ns: Option<u64>,
    /// Network namespace cookie of the socket; 0 if not known.
    pub netns_cookie: u64,
    /// True if it predates the daemon, so that no record will report its end.
    pub found: bool,
    /// Whether the kernel would have denied its bind, did its port not have `mode = "warn"`.
    pub would_deny: bool,
}

impl Listener {
    /// Whether a socket with this end, in this network namespace, may have been accepted here.
    #[must_use]
    pub fn serves(&self, local: Endpoint, netns_cookie: u64) -> bool {
        let same_netns = self.netns_cookie == netns_cookie || self.netns_cookie == 0 || netns_cookie == 0;
        let ip = self.local.ip;
        self.local.port == local.port && (ip.is_unspecified() || ip == local.ip) && same_netns
    }
}

/// All listeners that are open, by cookie.
#[derive(Debug, Default)]
pub struct ListenerTable {
    open: HashMap<u64, Listener>,
    evicted: u64,
    departed: Departed,
}

impl ListenerTable {
    /// Remembers one that is not known yet, if there is room; returns it if there is none.
    pub fn insert(&mut self, listener: Listener) -> Option<Listener> {
        if self.open.len() < CAP {
            self.open.insert(listener.cookie, listener);
            None
        } else {
            self.evicted += 1;
            Some(listener)
        }
    }

    /// How many there was no room for, so that nothing more is reported about them.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Removes one whose end a record reports. While the host is being listed it counts as departed, known or not.
    pub fn ended(&mut self, cookie: u64) -> Option<Listener> {
        self.departed.mark(cookie);
        self.open.remove(&cookie)
    }

    /// Removes one whose end was learnt without a record.
    pub fn remove(&mut self, cookie: u64) -> Option<Listener> {
        self.open.remove(&cookie)
    }

    /// True if it is remembered.
    #[must_use]
    pub fn contains(&self, cookie: u64) -> bool {
        self.open.contains_key(&cookie)
    }

    /// All of them, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Listener> {
        self.open.values_mut()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.open.values()
    }

    /// Removes those that `keep` does not want; returns how many.
    pub fn retain(&mut self, keep: impl Fn(&Listener) -> bool) -> usize {
        let before = self.open.len();
        self.open.retain(|_, listener| keep(listener));
        before - self.open.len()
    }

    /// From now on remembers which listeners ended by a record, until [`Self::end_listing`].
    pub fn begin_listing(&mut self) {
        self.departed.begin();
    }

    /// True if a record of this socket's end came since the listing of the host began, so that the listing may be wrong
    /// to show it.
    #[must_use]
    pub fn departed(&self, cookie: u64) -> bool {
        self.departed.contains(cookie)
    }

    /// The listing was applied.
    pub fn end_listing(&mut self) {
        self.departed.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(cookie: u64) -> Listener {
        Listener {
            cookie,
            local: Endpoint::new([127, 0, 0, 1].into(), 5432),
            process: None,
            verdict: Verdict::Declared { rule: "listen".into() },
            opened_ns: None,
            netns_cookie: 0,
            found: false,
            would_deny: false,
        }
    }

    #[test]
    fn a_listener_serves_its_port_address_and_namespace() {
        let at = |text: &str, port| Endpoint::new(text.parse().expect("address"), port);
        let on = |text: &str| Listener { local: at(text, 5432), netns_cookie: 1, ..listener(1) };
        for (listener, local, netns, serves) in [
            ("10.0.0.1", at("10.0.0.1", 5432), 1, true),
            ("10.0.0.1", at("10.0.0.1", 5432), 0, true),
            ("10.0.0.1", at("10.0.0.1", 5432), 2, false),
            ("10.0.0.1", at("10.0.0.2", 5432), 1, false),
            ("10.0.0.1", at("10.0.0.1", 5433), 1, false),
            ("0.0.0.0", at("10.0.0.1", 5432), 1, true),
            // One that serves both families, as most do.
            ("::", at("10.0.0.1", 5432), 1, true),
            ("::", at("fd00::1", 5432), 1, true),
        ] {
            assert_eq!(on(listener).serves(local, netns), serves, "{listener} {local} {netns}");
        }
    }

    #[test]
    fn one_listener_too_many_is_counted_and_drives_out_no_other() {
        let mut listeners = ListenerTable::default();
        for cookie in 0..=CAP as u64 {
            listeners.insert(listener(cookie));
        }
        assert_eq!((listeners.iter().count(), listeners.evicted()), (CAP, 1));
        assert!(listeners.contains(0) && !listeners.contains(CAP as u64));
    }

    #[test]
    fn a_recorded_end_marks_even_an_unknown_listener_departed() {
        let mut listeners = ListenerTable::default();
        listeners.insert(listener(1));
        listeners.ended(2);
        assert!(!listeners.departed(2), "no listing runs");
        listeners.begin_listing();
        assert!(listeners.ended(1).is_some() && listeners.ended(3).is_none());
        listeners.insert(listener(4));
        listeners.remove(4);
        assert_eq!([1, 3, 4].map(|cookie| listeners.departed(cookie)), [true, true, false]);
        listeners.end_listing();
        assert!(!listeners.departed(1));
    }
}
