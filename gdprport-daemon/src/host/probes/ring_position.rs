//! How far the ring buffer was read and written: the positions that the kernel keeps with the map, so that they outlive
//! the reader.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::param::page_size;

/// The first two pages of the ring buffer's map, read-only. They begin with the positions of consumer and producer
/// (`struct bpf_ringbuf`, documented in Documentation/bpf/ringbuf.rst).
pub(super) struct RingPosition(NonNull<AtomicU64>);

// SAFETY: the memory is shared memory that is read atomically; it stays mapped until the value is dropped.
unsafe impl Send for RingPosition {}
// SAFETY: as above.
unsafe impl Sync for RingPosition {}

impl RingPosition {
    /// Maps the pages.
    ///
    /// # Errors
    /// The kernel's error.
    pub(super) fn of(ring: impl AsFd) -> std::io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory of this process.
        let page = unsafe {
            mmap(std::ptr::null_mut(), 2 * page_size(), ProtFlags::READ, MapFlags::SHARED, ring, 0)
        }?;
        NonNull::new(page.cast()).map(Self).ok_or_else(|| std::io::Error::other("no page was mapped"))
    }

    /// Bytes read since the ring was created.
    pub(super) fn read(&self) -> u64 {
        // SAFETY: mapped and aligned to a page; the position is a machine word, which is 64 bits where this runs.
        unsafe { self.0.as_ref() }.load(Ordering::Acquire)
    }

    /// Bytes that wait to be read, with the headers of their records (8 bytes each, rounded up to 8).
    pub(super) fn unread(&self) -> u64 {
        let read = self.read();
        // SAFETY: the second page is mapped too and begins with the producer's position, a machine word like the first.
        let written = unsafe { self.0.byte_add(page_size()).as_ref() }.load(Ordering::Acquire);
        written.saturating_sub(read)
    }
}

impl Drop for RingPosition {
    fn drop(&mut self) {
        // SAFETY: mapped by `of` with this size, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), 2 * page_size()) };
    }
}
