//! Passing records to the daemon, and waking it only while it sleeps.
//!
//! A wake-up per record would be most of the cost of a connection, so records are submitted without one.
//! The daemon polls while there is work; before it blocks it sets `READER` to 1 and checks the ring once
//! more. Here the flag is read after the record is visible: either the daemon's last check sees the
//! record, or we see the flag. Committing is an atomic exchange in the kernel and so a full barrier.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::bpf_ringbuf_output;
use aya_ebpf::maps::ring_buf::RingBufEntry;
use core::ptr::{self, read_volatile, write_volatile};

use crate::count::Occasion;
use crate::maps::{EVENTS, READER};

/// Puts the record that `make` returns into the ring. If the ring is full, counts the occasion as dropped and does not
/// call `make`. A caller whose `make` moves its captures does so because that compiles to fewer instructions there.
#[inline(always)]
pub(crate) fn emit<T: 'static>(occasion: Occasion, make: impl FnOnce() -> T) {
    let Some((mut entry, occasion)) = reserve::<T>(occasion) else { return };
    entry.write(make());
    submit(entry, occasion);
}

/// Reserves room for a record of type `T`; `None` if the ring is full.
#[inline(always)]
pub(crate) fn room<T: 'static>() -> Option<RingBufEntry<T>> {
    EVENTS.reserve::<T>(0)
}

/// Reserves room for a record of type `T`, or counts the occasion as dropped.
#[inline(always)]
pub(crate) fn reserve<T: 'static>(occasion: Occasion) -> Option<(RingBufEntry<T>, Occasion)> {
    match room::<T>() {
        Some(entry) => Some((entry, occasion)),
        None => {
            occasion.dropped();
            None
        }
    }
}

/// Submits the record and wakes the daemon if it sleeps.
#[inline(always)]
pub(crate) fn submit<T: 'static>(entry: RingBufEntry<T>, occasion: Occasion) {
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    occasion.emitted();
    wake_if_sleeping();
}

/// Puts a record of `len` bytes into the ring, as a copy: its length need not be known to the compiler.
///
/// # Safety
/// `record` points to `len` bytes of a map value.
#[inline(always)]
pub(crate) unsafe fn copy(record: *const u8, len: u32, occasion: Occasion) {
    let ring = ptr::from_ref(&EVENTS).cast_mut().cast();
    // SAFETY: guaranteed by the caller; `ring` is the map.
    let failed = unsafe {
        bpf_ringbuf_output(ring, record.cast_mut().cast(), u64::from(len), u64::from(BPF_RB_NO_WAKEUP))
    };
    if failed != 0 {
        return occasion.dropped();
    }
    occasion.emitted();
    wake_if_sleeping();
}

/// Releases the room: there is nothing to report after all.
#[inline(always)]
pub(crate) fn discard<T: 'static>(entry: RingBufEntry<T>, occasion: Occasion) {
    entry.discard(u64::from(BPF_RB_NO_WAKEUP));
    occasion.filtered();
}

/// Wakes the daemon if it sleeps. Only submitting or discarding an entry can wake, so this discards an empty one. If
/// the ring were full, the daemon would have seen records at its last check and would not sleep.
#[inline(always)]
fn wake_if_sleeping() {
    let Some(sleeping) = READER.get_ptr_mut(0) else { return };
    // SAFETY: a map value; a race with another CPU only wakes the daemon twice.
    if unsafe { read_volatile(sleeping) } == 0 {
        return;
    }
    // SAFETY: as above.
    unsafe { write_volatile(sleeping, 0) };
    if let Some(entry) = EVENTS.reserve::<u64>(0) {
        entry.discard(u64::from(BPF_RB_FORCE_WAKEUP));
    }
}
