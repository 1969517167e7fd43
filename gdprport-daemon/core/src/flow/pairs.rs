//! Finding the other end of a flow on the same host by its addresses.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

use crate::model::Endpoint;

/// A connection as one of its ends names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    local: Endpoint,
    peer: Endpoint,
    /// Loopback addresses mean another machine in every network namespace; other addresses meet across
    /// them (veth), so there the namespace is left out (0).
    netns: u64,
}

impl Key {
    fn new(local: Endpoint, peer: Endpoint, netns: u64) -> Self {
        let netns = if local.ip.is_loopback() { netns } else { 0 };
        Self { local, peer, netns }
    }

    const fn reversed(self) -> Self {
        Self { local: self.peer, peer: self.local, netns: self.netns }
    }
}

/// Whose end a pair of addresses is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    One(u64),
    /// Two namespaces use the same addresses: which end meets which cannot be decided.
    Ambiguous(u32),
}

/// Cookies by addresses.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Seeded at random, so that a peer cannot choose addresses that meet in one place.
    ends: HashMap<Key, End, RandomState>,
}

impl Pairs {
    /// Remembers the end of the flow `cookie`.
    pub(super) fn insert(&mut self, local: Endpoint, peer: Endpoint, netns: u64, cookie: u64) {
        match self.ends.entry(Key::new(local, peer, netns)) {
            Entry::Vacant(entry) => {
                entry.insert(End::One(cookie));
            }
            Entry::Occupied(mut entry) => match *entry.get() {
                End::One(other) if other == cookie => {}
                End::One(_) => *entry.get_mut() = End::Ambiguous(2),
                End::Ambiguous(count) => *entry.get_mut() = End::Ambiguous(count + 1),
            },
        }
    }

    /// Forgets the end of the flow `cookie`.
    pub(super) fn remove(&mut self, local: Endpoint, peer: Endpoint, netns: u64, cookie: u64) {
        let key = Key::new(local, peer, netns);
        match self.ends.get_mut(&key) {
            Some(End::One(other)) if *other == cookie => {
                self.ends.remove(&key);
            }
            Some(End::Ambiguous(count)) if *count > 1 => *count -= 1,
            Some(End::Ambiguous(_)) => {
                self.ends.remove(&key);
            }
            Some(End::One(_)) | None => {}
        }
    }

    /// The cookie of the other end, if exactly one flow of this host can be it.
    #[inline]
    pub(super) fn other_end(&self, local: Endpoint, peer: Endpoint, netns: u64) -> Option<u64> {
        match self.ends.get(&Key::new(local, peer, netns).reversed()) {
            Some(End::One(cookie)) => Some(*cookie),
            Some(End::Ambiguous(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str, port: u16) -> Endpoint {
        Endpoint::new(text.parse().expect("address"), port)
    }

    #[test]
    fn loopback_ends_meet_only_within_their_namespace() {
        let (client, server) = (endpoint("127.0.0.1", 40_000), endpoint("127.0.0.1", 5432));
        let mut pairs = Pairs::default();
        pairs.insert(client, server, 1, 10);
        assert_eq!(pairs.other_end(server, client, 1), Some(10));
        assert_eq!(pairs.other_end(server, client, 2), None);
    }

    #[test]
    fn ends_in_two_namespaces_meet_by_their_addresses() {
        let (client, server) = (endpoint("10.9.0.1", 40_000), endpoint("10.9.0.2", 5432));
        let mut pairs = Pairs::default();
        pairs.insert(client, server, 1, 10);
        assert_eq!(pairs.other_end(server, client, 2), Some(10));
    }

    #[test]
    fn addresses_used_twice_name_nobody_until_one_is_gone() {
        let (client, server) = (endpoint("10.9.0.1", 40_000), endpoint("10.9.0.2", 5432));
        let mut pairs = Pairs::default();
        pairs.insert(client, server, 1, 10);
        pairs.insert(client, server, 2, 11);
        assert_eq!(pairs.other_end(server, client, 3), None);
        pairs.remove(client, server, 1, 10);
        pairs.remove(client, server, 2, 11);
        pairs.insert(client, server, 3, 12);
        assert_eq!(pairs.other_end(server, client, 3), Some(12));
    }
}
