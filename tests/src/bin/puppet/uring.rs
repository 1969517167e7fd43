//! Accepting through io_uring.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use io_uring::{IoUring, opcode, types};

/// Accepts one connection through a ring, without asking for the peer's address.
pub(crate) fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let mut ring = IoUring::new(2)?;
    let entry =
        opcode::Accept::new(types::Fd(listener.as_raw_fd()), std::ptr::null_mut(), std::ptr::null_mut())
            .build();
    // SAFETY: the entry refers to no memory (both pointers are NULL), and the listener outlives the ring.
    unsafe { ring.submission().push(&entry) }.map_err(io::Error::other)?;
    ring.submit_and_wait(1)?;
    let entry = ring.completion().next().ok_or_else(|| io::Error::other("nothing was completed"))?;
    match entry.result() {
        // SAFETY: a non-negative result of an accept is a fresh descriptor without another owner.
        fd if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}
