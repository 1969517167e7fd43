//! Passing sockets to other processes.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

use crate::data;
use crate::state::{Puppet, Reply};

impl Puppet {
    /// Takes a stream that another puppet gives at `path`.
    pub(crate) fn take(&mut self, path: &str) -> Reply {
        let stream = TcpStream::from(receive(path)?);
        let local = stream.local_addr()?;
        Ok(self.keep(stream, local))
    }

    /// Takes a listener that another puppet gives at `path`.
    pub(crate) fn take_listener(&mut self, path: &str) -> Reply {
        self.listener = Some(receive(path)?);
        Ok(String::new())
    }

    /// Lets a forked child send `n` bytes over a stream and exit; replies with the child's pid.
    pub(crate) fn fork_send(&mut self, id: u32, n: u64) -> Reply {
        let stream = self.stream(id)?;
        // SAFETY: only the main thread runs in this program when commands fork, so no other thread holds a lock.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let code = i32::from(data::send(stream, n).is_err());
                // SAFETY: ends the child without running the parent's exit handlers.
                unsafe { libc::_exit(code) }
            }
            child => {
                let mut status = 0;
                // SAFETY: waits for our own child; the pointer is to a live int.
                unsafe { libc::waitpid(child, &mut status, 0) };
                if status == 0 {
                    Ok(child.to_string())
                } else {
                    Err(io::Error::other("the child could not send"))
                }
            }
        }
    }
}

/// Gives a descriptor to the process that takes it at `path` (the taker listens there).
pub(crate) fn give(path: &str, what: &impl AsFd) -> Reply {
    let to = connect(path)?;
    let fds = [what.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("the control buffer is too small"));
    }
    rustix::net::sendmsg(&to, &[IoSlice::new(b"!")], &mut control, SendFlags::empty())?;
    Ok(String::new())
}

/// The path exists from bind on, and accepts connections from listen on, a moment later.
fn connect(path: &str) -> io::Result<UnixStream> {
    for _ in 0..500 {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            other => return other,
        }
    }
    UnixStream::connect(path)
}

/// Receives one descriptor at `path`.
fn receive(path: &str) -> io::Result<OwnedFd> {
    let (from, _) = UnixListener::bind(path)?.accept()?;
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(&from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        })
        .ok_or_else(|| io::Error::other("no descriptor came"))
}
