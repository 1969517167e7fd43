//! Parts of lines that many events share, remembered as bytes.

use std::sync::Arc;

use serde::Serialize;

/// Remembers the JSON of shared values by their identity. A value that is remembered is kept alive, so that no other
/// one can take its place in memory; a slot that two values want is the last one's.
#[derive(Debug)]
pub(super) struct Memo<T> {
    slots: Box<[Option<(Arc<T>, Box<[u8]>)>]>,
}

impl<T: Serialize> Memo<T> {
    /// Room for as many values; a power of two.
    pub(super) fn new(slots: usize) -> Self {
        assert!(slots.is_power_of_two(), "so that the hash fits");
        Self { slots: (0..slots).map(|_| None).collect() }
    }

    /// The JSON of a value.
    pub(super) fn json(&mut self, value: &Arc<T>) -> &[u8] {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) of the address.
        let hash = (Arc::as_ptr(value).addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (hash >> 32) as usize & (self.slots.len() - 1);
        let slot = &mut self.slots[slot];
        if !slot.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, value)) {
            *slot = None;
        }
        let (_, json) = slot.get_or_insert_with(|| (Arc::clone(value), json(&**value)));
        json
    }
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Box<[u8]> {
    serde_json::to_vec(value).expect("every key is a string").into()
}
