//! Sockets that did not become what they are in the usual way.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, ipproto};

use crate::socket::parse;
use crate::state::{Puppet, Reply};
use crate::uring;

/// More keys than fit any option memory in use; each takes some 200 bytes.
const KEYS: u32 = 9_000;

/// `struct tcp_md5sig` (include/uapi/linux/tcp.h).
#[repr(C)]
struct Md5Key {
    family: u16,
    port: u16,
    address: [u8; 4],
    rest: [u8; 120],
    flags: u8,
    prefix: u8,
    key_len: u16,
    interface: u32,
    key: [u8; 80],
}

impl Puppet {
    /// Connects with a socket whose option memory is full.
    pub(crate) fn connect_filled(&mut self, to: &str) -> Reply {
        let stream = filled_stream(to)?;
        let local = stream.local_addr()?;
        Ok(self.keep(stream, local))
    }

    /// The same `n` times, held without numbers.
    pub(crate) fn connect_many_filled(&mut self, to: &str, n: u32) -> Reply {
        for _ in 0..n {
            self.crowd.push(filled_stream(to)?.into());
        }
        Ok(n.to_string())
    }

    /// Listens with a socket whose option memory is full.
    pub(crate) fn listen_filled(&mut self, at: &str) -> Reply {
        let socket = stream_socket(None)?;
        fill(&socket)?;
        rustix::net::bind(&socket, &parse(at)?)?;
        rustix::net::listen(&socket, 64)?;
        self.listener = Some(socket);
        Ok(String::new())
    }

    /// Binds and does not listen yet.
    pub(crate) fn bind(&mut self, at: &str) -> Reply {
        let socket = stream_socket(None)?;
        rustix::net::bind(&socket, &parse(at)?)?;
        self.listener = Some(socket);
        Ok(String::new())
    }

    /// Listens without naming a port, by `bind` to port 0 of an address or without a `bind`; replies with where.
    pub(crate) fn listen_anywhere(&mut self, at: Option<&str>) -> Reply {
        let socket = stream_socket(None)?;
        if let Some(at) = at {
            rustix::net::bind(&socket, &parse(at)?)?;
        }
        rustix::net::listen(&socket, 64)?;
        let at = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
        self.listener = Some(socket);
        Ok(at.to_string())
    }

    /// Dissolves the connection of a stream and listens with its socket.
    pub(crate) fn dissolve_and_listen(&mut self, id: u32) -> Reply {
        let socket = OwnedFd::from(self.drop_stream(id)?);
        let unspecified = [0_u8; 16];
        // SAFETY: the address is as long as the call is told, of the family AF_UNSPEC, 0.
        let done = unsafe { libc::connect(socket.as_raw_fd(), unspecified.as_ptr().cast(), 16) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        rustix::net::listen(&socket, 64)?;
        self.listener = Some(socket);
        Ok(String::new())
    }

    /// Connects by a worker of io_uring.
    pub(crate) fn connect_uring(&mut self, to: &str) -> Reply {
        let socket = stream_socket(None)?;
        uring::connect(&socket, parse(to)?)?;
        let stream = TcpStream::from(socket);
        let local = stream.local_addr()?;
        Ok(self.keep(stream, local))
    }

    /// Connects with MPTCP.
    pub(crate) fn connect_mptcp(&mut self, to: &str) -> Reply {
        let socket = stream_socket(Some(ipproto::MPTCP))?;
        rustix::net::connect(&socket, &parse(to)?)?;
        let stream = TcpStream::from(socket);
        let local = stream.local_addr()?;
        Ok(self.keep(stream, local))
    }

    /// Listens with MPTCP.
    pub(crate) fn listen_mptcp(&mut self, at: &str) -> Reply {
        let socket = stream_socket(Some(ipproto::MPTCP))?;
        rustix::net::bind(&socket, &parse(at)?)?;
        rustix::net::listen(&socket, 64)?;
        self.listener = Some(socket);
        Ok(String::new())
    }
}

fn stream_socket(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, protocol)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

fn filled_stream(to: &str) -> io::Result<TcpStream> {
    let socket = stream_socket(None)?;
    fill(&socket)?;
    rustix::net::connect(&socket, &parse(to)?)?;
    Ok(TcpStream::from(socket))
}

/// Fills the socket's option memory with keys for hosts that nobody talks to, as any user may.
fn fill(socket: &OwnedFd) -> io::Result<()> {
    for number in 1..KEYS {
        let [.., high, low] = number.to_be_bytes();
        let mut key = Md5Key {
            family: libc::AF_INET as u16,
            port: 0,
            address: [11, 0, high, low],
            rest: [0; 120],
            flags: 0,
            prefix: 0,
            key_len: 4,
            interface: 0,
            key: [0; 80],
        };
        key.key[..4].copy_from_slice(b"abcd");
        let (value, size) = ((&raw const key).cast(), size_of::<Md5Key>() as u32);
        // SAFETY: the value is as long as the call is told and lives until it returns.
        let done =
            unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_MD5SIG, value, size) };
        if done != 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ENOMEM) { Ok(()) } else { Err(error) };
        }
    }
    Err(io::Error::other("the option memory has no end"))
}
