//! Who is at the other end of a Unix socket, as the kernel reports it.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The credentials of the other end: of a client when it connected, of a server when it began to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Process id in this process's pid namespace; `None` if it is not visible in it.
    pub pid: Option<u32>,
    /// Effective user id in this process's user namespace.
    pub uid: u32,
}

impl Credentials {
    /// Asks the kernel (`SO_PEERCRED`, unix(7)).
    ///
    /// # Errors
    /// If the file is not a connected Unix socket.
    pub(crate) fn of(socket: &impl AsFd) -> io::Result<Self> {
        let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).expect("12 fits");
        // SAFETY: the descriptor is borrowed and open; the kernel writes at most `length` bytes to
        // `credentials`, a plain struct of that size for which every bit pattern is valid. (rustix's own call
        // types the pid as never zero, which it is for a peer in a foreign pid namespace.)
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut credentials).cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { pid: u32::try_from(credentials.pid).ok().filter(|pid| *pid != 0), uid: credentials.uid })
    }
}

/// Who sends the requests of a connection, and whether it has become a stream of events.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Credentials,
    pub(super) following: Arc<AtomicBool>,
}
