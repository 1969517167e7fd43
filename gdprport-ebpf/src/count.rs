//! Counting: every occasion for a record ends in exactly one of emitted, filtered or dropped; and what the
//! kernel had no memory for.

use core::arch::asm;

use gdprport_common::{Hook, HookCounters};

use crate::maps::COUNTERS;

/// Adds, modulo 2^64, and returns nothing: what was there before would take an instruction that 5.10 does not have.
///
/// Counters of one CPU need it too: a program in a process's context is interrupted by those that the network's soft
/// interrupts run, and on kernels that preempt, by others.
///
/// # Safety
/// `counter` points into a map value, aligned.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, number: u64) {
    // SAFETY: the caller's promise. `core` offers no atomic addition for this target, as it has no compare and
    // swap before 5.12; the instruction is BPF_STX | BPF_XADD | BPF_DW, which every kernel has.
    unsafe {
        asm!("lock *(u64 *)({counter} + 0) += {number}", counter = in(reg) counter, number = in(reg) number,
            options(nostack, preserves_flags));
    }
}

/// Counts an owner that could not be kept, and says whether it is the first on this CPU, or the number so
/// far a power of two: often enough to be noticed, too seldom to flood anything.
#[inline(always)]
pub fn unkept() -> Option<u64> {
    let counters = COUNTERS.get_ptr_mut(0)?;
    // SAFETY: the map's value. A number read a moment later may have grown; it is only for people to read.
    let so_far = unsafe {
        let counter = &raw mut (*counters).unkept;
        add(counter, 1);
        counter.read_volatile()
    };
    (so_far & so_far.wrapping_sub(1) == 0).then_some(so_far)
}

/// An occasion for a record that was counted as seen. What becomes of it must be said exactly once;
/// the methods take it by value so that it cannot be said twice.
#[must_use = "an occasion that is not settled breaks the conservation of records"]
pub struct Occasion(*mut HookCounters);

impl Occasion {
    /// Counts an occasion of `hook`; `None` only if the map were missing.
    #[inline(always)]
    pub fn seen(hook: Hook) -> Option<Self> {
        let counters = COUNTERS.get_ptr_mut(0)?;
        // SAFETY: the map's value; `hook` is below the array's length by its type.
        unsafe {
            let hook = &raw mut (*counters).hooks[hook as usize];
            add(&raw mut (*hook).seen, 1);
            Some(Self(hook))
        }
    }

    /// Nothing to report.
    #[inline(always)]
    pub fn filtered(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0).filtered, 1) }
    }

    /// The record is in the ring buffer.
    #[inline(always)]
    pub fn emitted(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0).emitted, 1) }
    }

    /// The ring buffer was full.
    #[inline(always)]
    pub fn dropped(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0).dropped_ring_full, 1) }
    }
}
