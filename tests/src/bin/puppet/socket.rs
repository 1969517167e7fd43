//! Making, accepting and ending connections.

use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::state::{Puppet, Reply};
use crate::uring;

/// Fits every accept queue that the tests fill; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

impl Puppet {
    /// Listens at an address, replacing the listener if there was one.
    pub(crate) fn listen(&mut self, at: &str, shared: bool) -> Reply {
        let address = parse(at)?;
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if shared {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        self.listener = Some(socket);
        Ok(address.to_string())
    }

    /// Closes the listener.
    pub(crate) fn unlisten(&mut self) -> Reply {
        self.listener.take().map(|_| String::new()).ok_or_else(|| io::Error::other("nothing listens"))
    }

    /// Connects; replies with the stream's number and the local address.
    pub(crate) fn connect(&mut self, to: &str) -> Reply {
        let stream = TcpStream::connect(parse(to)?)?;
        let local = stream.local_addr()?;
        Ok(self.keep(stream, local))
    }

    /// Connects from an address and port of its own choice; replies as [`Self::connect`].
    pub(crate) fn connect_from(&mut self, from: &str, to: &str) -> Reply {
        let socket = stream_socket(parse(to)?)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &parse(from)?)?;
        rustix::net::connect(&socket, &parse(to)?)?;
        let stream = TcpStream::from(socket);
        let local = stream.local_addr()?;
        Ok(self.keep(stream, local))
    }

    /// `accept4` with room for the peer's address.
    pub(crate) fn accept(&mut self) -> Reply {
        let (socket, _) = rustix::net::acceptfrom_with(self.listener()?, SocketFlags::CLOEXEC)?;
        self.accepted(socket)
    }

    /// `accept4(fd, NULL, NULL)`: the address is not asked for.
    pub(crate) fn accept_null(&mut self) -> Reply {
        let socket = rustix::net::accept_with(self.listener()?, SocketFlags::CLOEXEC)?;
        self.accepted(socket)
    }

    /// The same, without asking later either; replies with a meaningless address.
    pub(crate) fn accept_blind(&mut self) -> Reply {
        let socket = rustix::net::accept_with(self.listener()?, SocketFlags::CLOEXEC)?;
        Ok(self.keep(TcpStream::from(socket), SocketAddr::from(([0, 0, 0, 0], 0))))
    }

    /// An accept through io_uring, without the address.
    pub(crate) fn accept_uring(&mut self) -> Reply {
        let socket = uring::accept(self.listener()?)?;
        self.accepted(socket)
    }

    fn accepted(&mut self, socket: OwnedFd) -> Reply {
        let stream = TcpStream::from(socket);
        let peer = stream.peer_addr()?;
        Ok(self.keep(stream, peer))
    }

    /// Ends a stream by a reset: no linger time means RST instead of FIN.
    pub(crate) fn reset(&mut self, id: u32) -> Reply {
        let stream = self.drop_stream(id)?;
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        Ok(String::new())
    }

    /// Ends our direction; the other one stays open.
    pub(crate) fn shutdown(&mut self, id: u32) -> Reply {
        self.stream(id)?.shutdown(std::net::Shutdown::Write).map(|()| String::new())
    }
}

/// Binds a socket of UDP, which takes the number of no TCP port.
pub(crate) fn bind_udp(at: &str) -> Reply {
    UdpSocket::bind(parse(at)?).map(|_| String::new())
}

/// Connects where that must fail; replies with the kind of error.
pub(crate) fn connect_fail(to: &str) -> Reply {
    match TcpStream::connect(parse(to)?) {
        Ok(_) => Err(io::Error::other("the connection was made")),
        Err(failure) => Ok(format!("{:?}", failure.kind())),
    }
}

/// Connects where the kernel must refuse it with a code of its own; replies with the code.
pub(crate) fn connect_denied(to: &str) -> Reply {
    match TcpStream::connect(parse(to)?) {
        Ok(_) => Err(io::Error::other("the connection was made")),
        Err(failure) => Ok(format!("{}", failure.raw_os_error().unwrap_or_default())),
    }
}

/// Connects by a Fast Open that waits for the first bytes (`TCP_FASTOPEN_CONNECT`), and sends none.
pub(crate) fn connect_unsent(to: &str) -> Reply {
    let socket = stream_socket(parse(to)?)?;
    set(&socket, libc::TCP_FASTOPEN_CONNECT, 1)?;
    rustix::net::connect(&socket, &parse(to)?)?;
    Ok(String::new())
}

/// Has the kernel give a silent peer up: by `user-timeout` after half a second with unanswered bytes, by `keepalive`
/// after two seconds without any.
pub(crate) fn impatient(stream: &TcpStream, how: &str) -> Reply {
    match how {
        "user-timeout" => set(stream, libc::TCP_USER_TIMEOUT, 500)?,
        "keepalive" => {
            for (option, value) in [(libc::TCP_KEEPIDLE, 1), (libc::TCP_KEEPINTVL, 1), (libc::TCP_KEEPCNT, 1)]
            {
                set(stream, option, value)?;
            }
            sockopt::set_socket_keepalive(stream, true)?;
        }
        _ => return Err(io::Error::other(format!("no such impatience: {how}"))),
    }
    Ok(String::new())
}

/// Sets an option of TCP.
fn set(socket: &impl AsRawFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the kernel reads the given size from the pointer, which is to a live value of that size.
    let done = unsafe {
        let (value, size) = ((&raw const value).cast(), size_of_val(&value) as libc::socklen_t);
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, value, size)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn stream_socket(to: SocketAddr) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Begins to connect where nothing replies and gives up at once.
pub(crate) fn connect_abandon(to: &str) -> Reply {
    let address = parse(to)?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Err(rustix::io::Errno::INPROGRESS) => Ok(String::new()),
        Ok(()) => Err(io::Error::other("the connection was made at once")),
        Err(other) => Err(other.into()),
    }
}

/// Reads an address and port.
pub(crate) fn parse(text: &str) -> io::Result<SocketAddr> {
    text.parse().map_err(|_| io::Error::other(format!("not an address and port: {text}")))
}
