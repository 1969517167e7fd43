//! Counting: every occasion for a record ends in exactly one of emitted, filtered or dropped.

use gdprport_common::{Hook, HookCounters};

use crate::maps::COUNTERS;

/// An occasion for a record that was counted as seen. What becomes of it must be said exactly once;
/// the methods take it by value so that it cannot be said twice.
#[must_use = "an occasion that is not settled breaks the conservation of records"]
pub struct Occasion(*mut HookCounters);

impl Occasion {
    /// Counts an occasion of `hook`; `None` only if the map were missing.
    #[inline(always)]
    pub fn seen(hook: Hook) -> Option<Self> {
        let counters = COUNTERS.get_ptr_mut(0)?;
        // SAFETY: the map's value is this CPU's own, and a program is not preempted by one that writes
        // the same hook's counters; `hook` is below the array's length by its type.
        unsafe {
            let hook = &raw mut (*counters).hooks[hook as usize];
            (*hook).seen += 1;
            Some(Self(hook))
        }
    }

    /// Nothing to report.
    #[inline(always)]
    pub fn filtered(self) {
        // SAFETY: as in `seen`.
        unsafe { (*self.0).filtered += 1 }
    }

    /// The record is in the ring buffer.
    #[inline(always)]
    pub fn emitted(self) {
        // SAFETY: as in `seen`.
        unsafe { (*self.0).emitted += 1 }
    }

    /// The ring buffer was full.
    #[inline(always)]
    pub fn dropped(self) {
        // SAFETY: as in `seen`.
        unsafe { (*self.0).dropped_ring_full += 1 }
    }
}
