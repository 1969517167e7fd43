//! What a daemon leaves for its successor beside the pinned maps: value of the map `HANDOVER`.

use crate::abi::ABI_VERSION;
use crate::counters::Counters;

/// What [`Handover::magic`] is.
pub const HANDOVER_MAGIC: u32 = 0x6770_6431;

/// Size of a [`Handover`] in every version, in bytes.
pub const HANDOVER_SIZE: usize = 1024;

/// Words after the counters, so that the size stays the same when counters are added.
const REST: usize = (HANDOVER_SIZE - 64 - size_of::<Counters>()) / 8;

/// The state of one daemon, noted every second and at its end. No kernel program reads or writes it.
///
/// Size and the fields before `counters` are the same in every version, so that each version can tell when
/// any other one was last alive.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// [`HANDOVER_MAGIC`].
    pub magic: u32,
    /// The [`ABI_VERSION`] of the pinned maps.
    pub abi: u32,
    /// 1 once everything that belongs together is pinned.
    pub whole: u32,
    /// Always 0.
    pub reserved: u32,
    /// When this was noted; nanoseconds of `CLOCK_BOOTTIME`.
    pub noted_ns: u64,
    /// Position in the ring buffer up to which everything that was read had been written out, in bytes since
    /// the ring was made.
    pub written: u64,
    /// Version of the daemon that noted this, NUL-padded.
    pub version: [u8; 32],
    /// The kernel side's books at `noted_ns`, summed over CPUs: what they say was told.
    pub counters: Counters,
    /// Always 0.
    pub rest: [u64; REST],
}

impl Default for Handover {
    fn default() -> Self {
        Self {
            magic: HANDOVER_MAGIC,
            abi: ABI_VERSION,
            whole: 0,
            reserved: 0,
            noted_ns: 0,
            written: 0,
            version: [0; 32],
            counters: Counters::default(),
            rest: [0; REST],
        }
    }
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) of integers without padding (its size is asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::Handover {}
}

const _: () = assert!(size_of::<Handover>() == HANDOVER_SIZE);
