//! A bounded map that forgets what was not used.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// A map in two generations: when the young one is full it becomes the old one, and the old one is
/// forgotten. An old entry that is used becomes young again. Every operation is O(1) (amortised), and
/// between `cap / 2` and `cap` of the entries last used are kept.
#[derive(Debug)]
pub(super) struct Generations<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    half: usize,
    forgotten: u64,
}

impl<K: Hash + Eq, V> Generations<K, V> {
    /// A map that never holds more than `cap` entries.
    pub(super) fn new(cap: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), half: (cap / 2).max(1), forgotten: 0 }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Every key.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.young.keys().chain(self.old.keys())
    }

    /// Every entry.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }

    /// How many entries were forgotten because the map was full.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let mut map = Generations::new(100);
        map.insert(0, "kept");
        for key in 1..10_000 {
            map.insert(key, "passing");
            assert_eq!(map.get(&0).copied(), Some("kept"), "forgotten after {key} others");
            assert!(map.young.len() + map.old.len() <= 100);
        }
        assert!(map.get(&1).is_none());
        assert!(map.forgotten() > 9_000);
    }
}
