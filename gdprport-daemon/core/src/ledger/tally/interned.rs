//! Values of which each is kept once, so that equal ones are found by their address.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Values found by value.
#[derive(Debug)]
pub(super) struct Interned<T: ?Sized> {
    known: HashSet<Arc<T>, RandomState>,
    /// What they take, bytes.
    bytes: usize,
    most: usize,
}

impl<T: ?Sized + Eq + Hash> Interned<T> {
    /// Keeps values of this size together, in bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { known: HashSet::default(), bytes: 0, most }
    }

    /// The one that is equal; `None` if it is new and there is no room. `bytes`: what it takes.
    pub(super) fn intern<V>(&mut self, value: V, bytes: usize) -> Option<Arc<T>>
    where
        V: Borrow<T> + Into<Arc<T>>,
    {
        if let Some(known) = self.known.get(value.borrow()) {
            return Some(Arc::clone(known));
        }
        if self.bytes.saturating_add(bytes) > self.most {
            return None;
        }
        self.bytes += bytes;
        let value = value.into();
        self.known.insert(Arc::clone(&value));
        Some(value)
    }

    /// Whether it is so full that it should be emptied.
    pub(super) const fn is_half_full(&self) -> bool {
        self.bytes > self.most / 2
    }

    /// Forgets all. Equal values get another address from then on.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }
}
