//! One socket of another process, fetched so that its storage can be written.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use thiserror::Error;

/// Why another process's socket could not be fetched.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// The process or its descriptor is gone, or is another socket now.
    #[error("process {tgid} no longer holds the socket as descriptor {fd}")]
    Gone {
        tgid: u32,
        /// Descriptor in that process.
        fd: i32,
    },
    /// The kernel refused it.
    #[error("cannot fetch descriptor {fd} of process {tgid}: {source}; run gdprport with CAP_SYS_PTRACE")]
    Refused {
        tgid: u32,
        /// Descriptor in that process.
        fd: i32,
        source: io::Error,
    },
}

/// Fetches another process's socket, so that its storage can be written. The cookie proves that it is the intended
/// socket. Drop it at once: while it is open, the socket does not close.
///
/// # Errors
/// [`FetchError`].
pub(crate) fn fetch(tgid: u32, fd: i32, cookie: u64) -> Result<OwnedFd, FetchError> {
    let gone = FetchError::Gone { tgid, fd };
    let refused = |error: rustix::io::Errno| match error {
        rustix::io::Errno::SRCH | rustix::io::Errno::BADF => FetchError::Gone { tgid, fd },
        other => FetchError::Refused { tgid, fd, source: other.into() },
    };
    let Some(pid) = i32::try_from(tgid).ok().and_then(Pid::from_raw) else { return Err(gone) };
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(refused)?;
    let socket = pidfd_getfd(&process, fd, PidfdGetfdFlags::empty()).map_err(refused)?;
    match rustix::net::sockopt::socket_cookie(&socket) {
        Ok(found) if found == cookie => Ok(socket),
        _ => Err(gone),
    }
}
