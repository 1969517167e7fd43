//! How far the ring buffer was read: the position that the kernel keeps with the map, so that it outlives the
//! reader.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::param::page_size;

/// The first page of the ring buffer's map, read-only. It begins with the consumer's position
/// (`struct bpf_ringbuf`, documented in Documentation/bpf/ringbuf.rst).
pub(super) struct RingPosition(NonNull<AtomicU64>);

// SAFETY: the page is shared memory that is read atomically; it stays mapped until the value is dropped.
unsafe impl Send for RingPosition {}
// SAFETY: as above.
unsafe impl Sync for RingPosition {}

impl RingPosition {
    /// Maps the page.
    ///
    /// # Errors
    /// The kernel's error.
    pub(super) fn of(ring: impl AsFd) -> std::io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory of this process.
        let page =
            unsafe { mmap(std::ptr::null_mut(), page_size(), ProtFlags::READ, MapFlags::SHARED, ring, 0) }?;
        NonNull::new(page.cast()).map(Self).ok_or_else(|| std::io::Error::other("no page was mapped"))
    }

    /// Bytes read since the ring was created.
    pub(super) fn read(&self) -> u64 {
        // SAFETY: mapped and aligned to a page; the position is a machine word, which is 64 bits where this runs.
        unsafe { self.0.as_ref() }.load(Ordering::Acquire)
    }
}

impl Drop for RingPosition {
    fn drop(&mut self) {
        // SAFETY: mapped by `of` with this size, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), page_size()) };
    }
}
