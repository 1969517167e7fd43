//! What a daemon saves for its successor beside the pinned maps: the value of the map `HANDOVER`.

use crate::abi::ABI_VERSION;
use crate::counters::Counters;

/// What [`Checkpoint::magic`] is.
pub const CHECKPOINT_MAGIC: u32 = 0x6770_6431;

/// Size of a [`Checkpoint`] in every version, in bytes.
const SIZE: usize = 1024;

/// 64-bit words after the counters, so that the size stays the same when counters are added.
const REST: usize = (SIZE - 72 - size_of::<Counters>()) / 8;

/// The state of one daemon, saved every second and when it ends. No kernel program reads or writes it.
///
/// Size and the fields before `counters` are the same in every version, so that each version can read when any other
/// was last alive.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// [`CHECKPOINT_MAGIC`].
    pub magic: u32,
    /// The [`ABI_VERSION`] of the pinned maps.
    pub abi: u32,
    /// 1 once everything that belongs together is pinned.
    pub complete: u32,
    /// Always 0.
    pub reserved: u32,
    /// When this was saved; nanoseconds of `CLOCK_BOOTTIME`.
    pub saved_ns: u64,
    /// Position in the ring buffer up to which every sink has written the events, in bytes since the ring was created.
    pub durable_position: u64,
    /// Version of the daemon that saved this, NUL-padded.
    pub version: [u8; 32],
    /// The kernel side's counters at `saved_ns`, summed over CPUs: what they count was reported.
    pub counters: Counters,
    /// Occasions in groups that were collected and reported, of all that `grouped` of the hooks counts.
    pub collected: u64,
    /// Always 0.
    pub rest: [u64; REST],
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self {
            magic: CHECKPOINT_MAGIC,
            abi: ABI_VERSION,
            complete: 0,
            reserved: 0,
            saved_ns: 0,
            durable_position: 0,
            version: [0; 32],
            counters: Counters::default(),
            collected: 0,
            rest: [0; REST],
        }
    }
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) of integers without padding (its size is asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::Checkpoint {}
}

const _: () = assert!(size_of::<Checkpoint>() == SIZE);
