//! Counting: every occasion for a record ends as exactly one of emitted, filtered, grouped or dropped. Owners for which there
//! was no memory are counted too.

use core::arch::asm;
use core::ptr::NonNull;

use gdprport_common::{Hook, HookCounters};

use crate::maps::COUNTERS;

/// Adds atomically, modulo 2^64. Returns nothing: fetching the old value needs an instruction that Linux 5.10 lacks.
///
/// Per-CPU counters need this too: programs that run in network soft interrupts interrupt one that runs in a process's
/// context, and on preemptible kernels others do as well.
///
/// # Safety
/// `counter` points into a map value, aligned.
#[inline(always)]
pub(crate) unsafe fn add(counter: *mut u64, number: u64) {
    // SAFETY: guaranteed by the caller. `core` has no atomic addition for this target, which has no compare-and-swap
    // before Linux 5.12; the instruction is BPF_STX | BPF_XADD | BPF_DW, which every kernel has.
    unsafe {
        asm!("lock *(u64 *)({counter} + 0) += {number}", counter = in(reg) counter, number = in(reg) number,
            options(nostack, preserves_flags));
    }
}

/// Counts an owner that could not be stored. Returns the count on this CPU if it is a power of two: often enough to be
/// noticed, too rare to flood the log.
#[inline(always)]
pub(crate) fn owner_unkept() -> Option<u64> {
    let counters = COUNTERS.get_ptr_mut(0)?;
    // SAFETY: the map's value. The count may have grown when it is read; it is only shown to people.
    let so_far = unsafe {
        let counter = &raw mut (*counters).unkept;
        add(counter, 1);
        counter.read_volatile()
    };
    (so_far & so_far.wrapping_sub(1) == 0).then_some(so_far)
}

/// An occasion for a record that was counted as seen. Its result must be counted exactly once; the methods take it by
/// value so that it cannot be counted twice.
#[must_use = "an occasion that is not settled breaks the conservation of records"]
pub(crate) struct Occasion(NonNull<HookCounters>);

impl Occasion {
    /// Counts an occasion of `hook`. Returns `None` only if the map is missing.
    #[inline(always)]
    pub(crate) fn seen(hook: Hook) -> Option<Self> {
        let counters = COUNTERS.get_ptr_mut(0)?;
        // SAFETY: the map's value; `hook` is below the array's length by its type.
        unsafe {
            let hook = &raw mut (*counters).hooks[hook as usize];
            add(&raw mut (*hook).seen, 1);
            Some(Self(NonNull::new_unchecked(hook)))
        }
    }

    /// Another function of the same run settles it, which resumes it.
    #[inline(always)]
    pub(crate) fn postponed(self) {}

    /// One that was postponed.
    #[inline(always)]
    pub(crate) fn resumed(hook: Hook) -> Option<Self> {
        let counters = COUNTERS.get_ptr_mut(0)?;
        // SAFETY: as in `seen`.
        Some(Self(unsafe { NonNull::new_unchecked(&raw mut (*counters).hooks[hook as usize]) }))
    }

    /// There is nothing to report.
    #[inline(always)]
    pub(crate) fn filtered(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0.as_ptr()).filtered, 1) }
    }

    /// The record is in the ring buffer.
    #[inline(always)]
    pub(crate) fn emitted(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0.as_ptr()).emitted, 1) }
    }

    /// It was counted in a group of connections.
    #[inline(always)]
    pub(crate) fn grouped(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0.as_ptr()).grouped, 1) }
    }

    /// The ring buffer was full.
    #[inline(always)]
    pub(crate) fn dropped(self) {
        // SAFETY: as in `seen`.
        unsafe { add(&raw mut (*self.0.as_ptr()).dropped_ring_full, 1) }
    }
}
