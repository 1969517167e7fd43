//! Parts of lines that many events share, remembered as bytes.

use std::sync::Arc;

use serde::Serialize;

/// Remembers the JSON of shared values by their identity. A value that is remembered is kept alive, so that no other
/// one can take its place in memory; a slot that two values want is the last one's.
#[derive(Debug)]
pub(super) struct Memo<T> {
    slots: Box<[Slot<T>]>,
    write: fn(&T, &mut Vec<u8>),
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<Arc<T>>,
    /// Its memory is used again for the next value.
    json: Vec<u8>,
}

impl<T> Memo<T> {
    /// Room for as many values, a power of two, written by `write`.
    pub(super) fn new(slots: usize, write: fn(&T, &mut Vec<u8>)) -> Self {
        assert!(slots.is_power_of_two(), "so that the hash fits");
        Self { slots: (0..slots).map(|_| Slot { value: None, json: Vec::new() }).collect(), write }
    }

    /// The JSON of a value.
    pub(super) fn json(&mut self, value: &Arc<T>) -> &[u8] {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) of the address.
        let hash = (Arc::as_ptr(value).addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (hash >> 32) as usize & (self.slots.len() - 1);
        let slot = &mut self.slots[slot];
        if !slot.value.as_ref().is_some_and(|known| Arc::ptr_eq(known, value)) {
            slot.json.clear();
            (self.write)(value, &mut slot.json);
            slot.value = Some(Arc::clone(value));
        }
        &slot.json
    }
}

/// Appends any value as serde writes it.
pub(super) fn json(value: &(impl Serialize + ?Sized), to: &mut Vec<u8>) {
    serde_json::to_writer(to, value).expect("writing to memory cannot fail and every key is a string");
}
