//! Accepting and connecting through io_uring.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use io_uring::{IoUring, opcode, squeue, types};

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

/// Connects a socket through a ring, by a worker and not by the caller.
pub(crate) fn connect(socket: &OwnedFd, to: SocketAddr) -> io::Result<()> {
    let mut ring = IoUring::new(2)?;
    let SocketAddr::V4(to) = to else { return Err(io::Error::other("not an IPv4 address")) };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    };
    let size = size_of::<libc::sockaddr_in>() as u32;
    let entry = opcode::Connect::new(types::Fd(socket.as_raw_fd()), (&raw const address).cast(), size)
        .build()
        .flags(squeue::Flags::ASYNC);
    // SAFETY: the address and the socket outlive the ring, whose only entry is completed below.
    unsafe { ring.submission().push(&entry) }.map_err(io::Error::other)?;
    ring.submit_and_wait(1)?;
    let entry = ring.completion().next().ok_or_else(|| io::Error::other("nothing was completed"))?;
    match entry.result() {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}
