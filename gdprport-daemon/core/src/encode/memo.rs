//! Parts of lines that many events share, remembered as bytes.

use crate::shared::Shared;

/// Remembers the JSON of shared values by their identity; a slot that two values want is the last one's.
#[derive(Debug)]
pub(super) struct Memo<T> {
    slots: Box<[Slot<T>]>,
    write: fn(&T, &mut Vec<u8>),
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<Shared<T>>,
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
    pub(super) fn json(&mut self, value: &Shared<T>) -> &[u8] {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) of the address.
        let hash = (value.address() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (hash >> 32) as usize & (self.slots.len() - 1);
        let slot = &mut self.slots[slot];
        if !slot.value.as_ref().is_some_and(|known| known.same(value)) {
            slot.json.clear();
            (self.write)(value, &mut slot.json);
            slot.value = Some(Shared::clone(value));
        }
        &slot.json
    }
}
