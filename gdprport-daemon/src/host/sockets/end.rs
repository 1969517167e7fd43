//! Ending one connection of another process (`SOCK_DESTROY`, sock_diag(7)): its process gets `ECONNABORTED`, its peer a reset.
//!
//! The kernel needs `CONFIG_INET_DIAG_DESTROY`, which distributions have, and the caller `CAP_NET_ADMIN` in the socket's network
//! namespace.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use gdprport_core::model::Endpoint;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR};
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use thiserror::Error;

use super::error::DumpError;
use super::look::look;
use super::row::SocketKey;

/// `SOCK_DESTROY` (include/uapi/linux/sock_diag.h).
const SOCK_DESTROY: u16 = 21;

/// Length of a `struct nlmsghdr`.
const MESSAGE_HEADER: usize = 16;

/// A reply is a `struct nlmsgerr` with the question.
const REPLY: usize = 512;

/// Why a connection was not ended.
#[derive(Debug, Error)]
pub enum EndError {
    /// The kernel does not offer it.
    #[error(
        "this kernel cannot end connections of other processes: it was built without CONFIG_INET_DIAG_DESTROY"
    )]
    Unsupported,
    /// The caller may not.
    #[error("not allowed to end connections of other processes: run gdprport with CAP_NET_ADMIN")]
    NotAllowed,
    /// It may be in a network namespace that could not be looked at.
    #[error(
        "not every network namespace could be looked at: run gdprport with CAP_SYS_ADMIN and CAP_SYS_PTRACE"
    )]
    NotLooked,
    /// The kernel could not be asked.
    #[error("{0}")]
    Closed(String),
    /// Something else failed.
    #[error("cannot end a connection: {0}")]
    Failed(#[from] io::Error),
    /// It was not found by its addresses, and the sockets could not be listed.
    #[error(transparent)]
    Listing(#[from] DumpError),
}

/// A connection, as the kernel finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The socket's cookie: nothing else is ended, whatever has its addresses.
    pub(crate) cookie: u64,
    /// The end on this host.
    pub(crate) local: Endpoint,
    /// The other end.
    pub(crate) peer: Endpoint,
}

/// Ends connections of the network namespace it was opened in.
#[derive(Debug)]
pub(crate) struct Ender(Socket);

impl Ender {
    /// # Errors
    /// If the kernel has no `sock_diag`.
    pub(crate) fn open() -> Result<Self, EndError> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        // From now on nobody but the kernel can send to it.
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Ends a connection. False: it is not in this namespace, or not any more.
    ///
    /// # Errors
    /// [`EndError`].
    pub(crate) fn end(&self, target: &Target) -> Result<bool, EndError> {
        if self.ask(&key(target))? {
            return self.is_gone(&key(target));
        }
        // One that is bound to a device is found with its number only, which a list tells.
        let wanted = |cookie: u64| cookie == target.cookie;
        let listed = look(|head| wanted(head.cookie), |_| false)?;
        let found = listed.sockets.iter().find(|socket| wanted(socket.cookie) && socket.peer.is_some());
        match found {
            Some(socket) if self.ask(&socket.key)? => self.is_gone(&socket.key),
            _ => Ok(false),
        }
    }

    /// Whether the kernel has done what it was asked for: before Linux 6.12 it replies so too of a socket that its process has
    /// closed and that waits for the other end, and leaves it alone.
    fn is_gone(&self, key: &SocketKey) -> Result<bool, EndError> {
        Ok(!self.ask(key)?)
    }

    fn ask(&self, key: &SocketKey) -> Result<bool, EndError> {
        self.0.send(&question(key), 0)?;
        let mut buffer = [0; REPLY];
        // The kernel replies within the call that sends the question.
        let length = self.0.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT)?;
        match buffer.get(..length).and_then(read_status) {
            Some(0) => Ok(true),
            Some(libc::ENOENT) => Ok(false),
            Some(libc::EOPNOTSUPP) => Err(EndError::Unsupported),
            Some(libc::EPERM | libc::EACCES) => Err(EndError::NotAllowed),
            Some(code) => Err(io::Error::from_raw_os_error(code).into()),
            None => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer cannot be read").into())
            }
        }
    }
}

/// Whether connections of this network namespace can be ended. That the caller may is not known before one is.
///
/// # Errors
/// Why they cannot.
pub(crate) fn can_end() -> Result<(), EndError> {
    let nobody = Endpoint::new(Ipv4Addr::LOCALHOST.into(), 0);
    // No socket has this cookie, nor is connected to port 0.
    let target = Target { cookie: u64::MAX - 1, local: nobody, peer: nobody };
    Ender::open()?.ask(&key(&target)).map(drop)
}

/// `struct inet_diag_sockid` of a connection that is bound to no device: ports and addresses in network byte order.
fn key(target: &Target) -> SocketKey {
    let Target { cookie, local, peer } = target;
    let mut id = [0; 48];
    id[0..2].copy_from_slice(&local.port.to_be_bytes());
    id[2..4].copy_from_slice(&peer.port.to_be_bytes());
    let family = match (local.ip, peer.ip) {
        (IpAddr::V4(local), IpAddr::V4(peer)) => {
            id[4..8].copy_from_slice(&local.octets());
            id[20..24].copy_from_slice(&peer.octets());
            AF_INET
        }
        (local, peer) => {
            let of = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            id[4..20].copy_from_slice(&of(local));
            id[20..36].copy_from_slice(&of(peer));
            AF_INET6
        }
    };
    // Two words, the lower one first; the kernel programs exist for little-endian hosts only.
    id[40..48].copy_from_slice(&cookie.to_le_bytes());
    SocketKey { family, id }
}

/// A `struct inet_diag_req_v2` for this very socket, in any state.
fn question(key: &SocketKey) -> [u8; MESSAGE_HEADER + 56] {
    let mut message = [0; MESSAGE_HEADER + 56];
    let length = message.len() as u32;
    message[0..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DESTROY.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message[16..18].copy_from_slice(&[key.family, IPPROTO_TCP]);
    message[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    message[24..].copy_from_slice(&key.id);
    message
}

/// The error number of a reply; 0: it was done.
pub(super) fn read_status(message: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let code = i32::from_ne_bytes(*message.get(MESSAGE_HEADER..)?.first_chunk()?);
    (kind == NLMSG_ERROR).then(|| code.saturating_neg())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;

    use super::*;
    use crate::host::testing::{connection, cookie};

    fn target(stream: &TcpStream) -> Target {
        let plain =
            |address: std::net::SocketAddr| Endpoint::new(address.ip().to_canonical(), address.port());
        Target {
            cookie: cookie(stream),
            local: plain(stream.local_addr().expect("connected")),
            peer: plain(stream.peer_addr().expect("connected")),
        }
    }

    fn ender() -> Ender {
        Ender::open().expect("root may")
    }

    /// Its process is stopped from sending, its peer from receiving.
    fn is_ended(mut ended: TcpStream, mut other: TcpStream) {
        let write = ended.write(b"x").expect_err("it has ended").kind();
        assert!([io::ErrorKind::ConnectionAborted, io::ErrorKind::BrokenPipe].contains(&write), "{write}");
        assert_eq!(other.read(&mut [0]).expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_connection_is_ended_at_both_ends_and_no_other_is() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).expect("binds");
            let (client, server) = connection(&listener);
            let (mut kept, mut other) = connection(&listener);
            assert!(ender().end(&target(&client)).expect("root may"), "{address}");
            is_ended(client, server);
            kept.write_all(b"y").expect("it goes on");
            assert_eq!(other.read(&mut [0]).expect("it goes on"), 1);
        }
    }

    #[test]
    fn whether_connections_can_be_ended_is_found_out_without_one() {
        can_end().expect("this kernel can");
    }

    #[test]
    fn the_accepted_end_can_be_ended_too() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let (client, server) = connection(&listener);
        assert!(ender().end(&target(&server)).expect("root may"));
        is_ended(server, client);
    }

    #[test]
    fn a_mapped_address_is_found_by_the_one_of_ipv4() {
        let listener = TcpListener::bind("[::]:0").expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        let server = listener.accept().expect("accepts").0;
        assert!(server.local_addr().expect("connected").is_ipv6());
        assert!(ender().end(&target(&server)).expect("root may"));
        is_ended(server, client);
    }

    #[test]
    fn a_connection_that_is_bound_to_a_device_is_found_in_the_list() {
        use rustix::net::{AddressFamily, SocketAddrV4, SocketType, connect, socket};
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        // SAFETY: the kernel reads the name, which lives until it returns, and no more than its length.
        let bound = unsafe {
            libc::setsockopt(
                client.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_BINDTODEVICE,
                c"lo".as_ptr().cast(),
                3,
            )
        };
        assert_eq!(bound, 0, "root may");
        let std::net::SocketAddr::V4(to) = listener.local_addr().expect("bound") else { unreachable!() };
        connect(&client, &SocketAddrV4::new(*to.ip(), to.port())).expect("connects");
        let (client, server) = (TcpStream::from(client), listener.accept().expect("accepts").0);
        assert!(ender().end(&target(&client)).expect("root may"));
        is_ended(client, server);
    }

    /// Ports and addresses come back, cookies do not.
    #[test]
    fn what_has_the_addresses_and_another_cookie_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let (mut client, mut server) = connection(&listener);
        let another = Target { cookie: cookie(&server), ..target(&client) };
        assert!(!ender().end(&Target { cookie: u64::MAX - 1, ..another }).expect("root may"));
        client.write_all(b"y").expect("it goes on");
        assert_eq!(server.read(&mut [0]).expect("it goes on"), 1);
    }

    #[test]
    fn no_bytes_of_a_reply_are_taken_for_what_they_are_not() {
        for length in 0..40 {
            let _ = read_status(&vec![0xff; length]);
        }
        assert_eq!(read_status(&[0; 36]), None);
    }
}
