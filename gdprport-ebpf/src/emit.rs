//! Handing records to the daemon, waking it only when it has said that it sleeps.
//!
//! A wake-up per record would be most of the cost of a connection, so records are submitted without one.
//! The daemon polls while there is work; before it blocks it sets `READER` to 1 and looks at the ring
//! once more. Here the flag is read after the record is visible: either the daemon's last look sees
//! the record, or we see the flag. Committing is an atomic exchange in the kernel, hence a full barrier.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::maps::ring_buf::RingBufEntry;
use core::ptr::{read_volatile, write_volatile};

use crate::count::Occasion;
use crate::maps::{EVENTS, READER};

/// Puts the record that `make` returns into the ring. If the ring is full, counts the occasion as dropped and does not
/// call `make`. A caller whose `make` moves its captures does so because that compiles to fewer instructions there.
#[inline(always)]
pub fn emit<T: 'static>(occasion: Occasion, make: impl FnOnce() -> T) {
    let Some((mut entry, occasion)) = reserve::<T>(occasion) else { return };
    entry.write(make());
    submit(entry, occasion);
}

/// Room for a record of type `T`, or the occasion is counted as dropped.
#[inline(always)]
pub fn reserve<T: 'static>(occasion: Occasion) -> Option<(RingBufEntry<T>, Occasion)> {
    match EVENTS.reserve::<T>(0) {
        Some(entry) => Some((entry, occasion)),
        None => {
            occasion.dropped();
            None
        }
    }
}

/// Makes the record visible and wakes the daemon if it sleeps.
#[inline(always)]
pub fn submit<T: 'static>(entry: RingBufEntry<T>, occasion: Occasion) {
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    occasion.emitted();
    wake_if_sleeping();
}

/// Gives the room back: there is nothing to report after all.
#[inline(always)]
pub fn discard<T: 'static>(entry: RingBufEntry<T>, occasion: Occasion) {
    entry.discard(u64::from(BPF_RB_NO_WAKEUP));
    occasion.filtered();
}

/// Wakes the daemon if it sleeps. An empty entry is discarded for it, as only the end of an entry can wake;
/// were the ring full, the daemon would have seen records at its last look and not sleep.
#[inline(always)]
pub fn wake_if_sleeping() {
    let Some(sleeping) = READER.get_ptr_mut(0) else { return };
    // SAFETY: a map value; a race with another CPU only wakes twice.
    if unsafe { read_volatile(sleeping) } == 0 {
        return;
    }
    // SAFETY: as above.
    unsafe { write_volatile(sleeping, 0) };
    if let Some(nothing) = EVENTS.reserve::<u64>(0) {
        nothing.discard(u64::from(BPF_RB_FORCE_WAKEUP));
    }
}
