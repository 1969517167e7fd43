//! Sums of rows, found by where the values of a row are in memory: rows of a ledger share them, and to compare two texts takes longer
//! than all else that is done to a row.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map for what is looked up for each row.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Sums `S` of what has the key `K` in common. Rows with the same addresses `A` have; others may.
///
/// Whoever makes one borrows what has the addresses for as long as it is there: none is used twice. Nothing but cost depends on what
/// is shared.
#[derive(Debug)]
pub(crate) struct Found<A, K, S> {
    by_address: Map<A, usize>,
    by_value: BTreeMap<K, usize>,
    sums: Vec<S>,
}

impl<A: Eq + Hash, K: Ord, S: Default> Found<A, K, S> {
    pub(crate) fn new() -> Self {
        Self { by_address: Map::default(), by_value: BTreeMap::new(), sums: Vec::new() }
    }

    /// The sum of a key whose parts have no address of their own.
    pub(crate) fn of(&mut self, key: K) -> &mut S {
        let at = place(&mut self.by_value, &mut self.sums, key);
        &mut self.sums[at]
    }

    /// The sum of what is at these addresses; its key is made where they are new.
    pub(crate) fn at(&mut self, address: A, key: impl FnOnce() -> K) -> &mut S {
        let Self { by_address, by_value, sums } = self;
        let at = *by_address.entry(address).or_insert_with(|| place(by_value, sums, key()));
        &mut sums[at]
    }

    /// Each with its key, ascending.
    pub(crate) fn in_order(self) -> impl Iterator<Item = (K, S)> {
        let mut sums = self.sums;
        self.by_value.into_iter().map(move |(key, at)| (key, std::mem::take(&mut sums[at])))
    }
}

fn place<K: Ord, S: Default>(by_value: &mut BTreeMap<K, usize>, sums: &mut Vec<S>, key: K) -> usize {
    *by_value.entry(key).or_insert_with(|| {
        sums.push(S::default());
        sums.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Whether values are shared changes nothing but how often they are compared.
    #[test]
    fn equal_values_have_one_sum_wherever_they_are() {
        let texts: Vec<Arc<str>> = ["b", "a", "b", "a"].map(Arc::from).to_vec();
        let (mut found, mut made) = (Found::<*const str, Arc<str>, u64>::new(), 0);
        for _ in 0..10 {
            for text in &texts {
                *found.at(Arc::as_ptr(text), || {
                    made += 1;
                    Arc::clone(text)
                }) += 1;
            }
        }
        *found.of("c".into()) += 1;
        assert_eq!(made, texts.len(), "each address is looked at once");
        let sums: Vec<(Arc<str>, u64)> = found.in_order().collect();
        assert_eq!(sums, [("a".into(), 20), ("b".into(), 20), ("c".into(), 1)]);
    }
}
