//! What the kernel counted on one connection, asked for by its name.
//!
//! Counts come in an attribute (`INET_DIAG_INFO`) that brings others of any size along: a socket's MD5 keys, which
//! its process chooses. A reply about one socket has room for them; a list of sockets ends early at such a row
//! (net/ipv4/inet_diag.c). So lists are asked for without attributes, and counts are asked for one by one.

use std::io;

use netlink_packet_core::{NLM_F_REQUEST, NlasIterator};
use netlink_packet_sock_diag::constants::{INET_DIAG_INFO, IPPROTO_TCP, SOCK_DIAG_BY_FAMILY};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::counts::TcpCounts;
use super::row::{HEADER, SocketKey};

/// What is read of a reply: its header and the `tcp_info`, which stands before what may be long.
const BUFFER: usize = 4 * 1024;

/// Where `idiag_wqueue` stands in a `struct inet_diag_msg`.
const WRITE_QUEUE: usize = 60;

/// Length of a `struct nlmsghdr`.
const MESSAGE_HEADER: usize = 16;

/// Asks for the counts of single sockets of the network namespace it was opened in.
#[derive(Debug)]
pub(super) struct CountsQuery(Socket);

impl CountsQuery {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// The counts of a socket; `None` if it is gone, or the kernel does not say.
    pub(super) fn ask(&self, key: &SocketKey) -> Option<TcpCounts> {
        self.0.send(&question(key), 0).ok()?;
        // The kernel replies within the call that sends the question. What does not fit is cut off: keys of the socket.
        let mut buffer = [0; BUFFER];
        let len = self.0.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT).ok()?;
        read_counts(buffer.get(..len)?)
    }
}

/// A `struct inet_diag_req_v2` for this very socket.
fn question(key: &SocketKey) -> [u8; MESSAGE_HEADER + 56] {
    let mut message = [0; MESSAGE_HEADER + 56];
    let length = message.len() as u32;
    message[0..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    message[16..19].copy_from_slice(&[key.family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1)]);
    message[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    message[24..].copy_from_slice(&key.id);
    message
}

/// Reads the counts from a reply, which may be cut off behind them.
pub(super) fn read_counts(message: &[u8]) -> Option<TcpCounts> {
    let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    if kind != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let queue = u32::from_ne_bytes(*message.get(MESSAGE_HEADER + WRITE_QUEUE..)?.first_chunk()?);
    NlasIterator::new(message.get(MESSAGE_HEADER + HEADER..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == INET_DIAG_INFO)
        .and_then(|attribute| TcpCounts::parse(attribute.value(), queue))
}
