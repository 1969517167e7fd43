//! One row of a list of sockets, read.

use netlink_packet_core::{NlasIterator, Parseable};
use netlink_packet_sock_diag::constants::{INET_DIAG_SHUTDOWN, TCP_LISTEN, TCP_SYN_RECV};
use netlink_packet_sock_diag::inet::InetResponseHeader;

use super::counts::TcpCounts;
use super::error::DumpError;
use super::ports::PortSet;
use gdprport_core::model::Endpoint;

/// Length of a `struct inet_diag_msg` (include/uapi/linux/inet_diag.h), and where its socket id stands.
pub(super) const HEADER: usize = 72;
const ID: usize = 4;

/// By which the kernel finds one socket: family and `struct inet_diag_sockid`, cookie included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketKey {
    pub(super) family: u8,
    pub(super) id: [u8; 48],
}

/// A TCP socket of the caller's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// Socket cookie, the same as in records of the kernel side.
    pub cookie: u64,
    /// By which it is asked for again.
    pub key: SocketKey,
    /// Inode number, 0 if no process holds the socket any more.
    pub inode: u32,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end; `None` for a listener.
    pub peer: Option<Endpoint>,
    /// TCP state (include/net/tcp_states.h).
    pub state: u8,
    /// User that created the socket.
    pub uid: u32,
    /// What the kernel counted; `None` if that was not asked for, or the socket ended before.
    pub counts: Option<TcpCounts>,
}

/// What decides whether a row is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Socket cookie.
    pub cookie: u64,
    /// Port on this host.
    pub local_port: u16,
    /// Port of the other end; means nothing for a listener.
    pub peer_port: u16,
    /// TCP state (include/net/tcp_states.h).
    pub state: u8,
}

impl Head {
    /// True if it listens on one of these ports, or is connected from or to one. A connection whose handshake is not
    /// complete on the accepting side is none yet.
    #[must_use]
    pub fn is_on(&self, ports: &PortSet) -> bool {
        self.state != TCP_SYN_RECV
            && (ports.contains(self.local_port)
                || (self.state != TCP_LISTEN && ports.contains(self.peer_port)))
    }
}

/// What a list has shown.
#[derive(Debug, Default)]
pub struct Rows {
    /// Those that are wanted.
    pub sockets: Vec<TcpSocket>,
    /// Cookies of all sockets, wanted or not.
    pub seen: Vec<u64>,
}

/// Reads one row (`struct inet_diag_msg`), and adds it if it is wanted. That is checked first: on most hosts it rules out
/// nearly all sockets.
///
/// What is no socket is left out: the remains of a connection (a `TIME_WAIT`, or a `FIN_WAIT2` without a process), and a
/// request whose handshake is not complete. Of a socket the kernel always shows which directions are shut down, of those
/// never.
pub(super) fn read_row(
    payload: &[u8],
    mut wanted: impl FnMut(&Head) -> bool,
    rows: &mut Rows,
) -> Result<(), DumpError> {
    let unreadable = |what: String| DumpError::Reply(what);
    let (Some(&[family, state, _, _, l0, l1, p0, p1]), Some(attributes)) =
        (payload.first_chunk::<8>(), payload.get(HEADER..))
    else {
        return Err(unreadable(format!("{} bytes for a socket", payload.len())));
    };
    let is_socket = NlasIterator::new(attributes)
        .map_while(Result::ok)
        .any(|attribute| attribute.kind() == INET_DIAG_SHUTDOWN);
    let (Some(id), true) = (payload.get(ID..).and_then(|rest| rest.first_chunk::<48>()), is_socket) else {
        return Ok(());
    };
    // Two words, the lower one first; the kernel programs exist for little-endian hosts only.
    let Some(cookie) = id.last_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else { return Ok(()) };
    rows.seen.push(cookie);
    let [local_port, peer_port] = [[l0, l1], [p0, p1]].map(u16::from_be_bytes);
    if !wanted(&Head { cookie, local_port, peer_port, state }) {
        return Ok(());
    }
    let header = InetResponseHeader::parse(payload).map_err(|e| unreadable(e.to_string()))?;
    let addresses = header.socket_id;
    rows.sockets.push(TcpSocket {
        cookie,
        key: SocketKey { family, id: *id },
        inode: header.inode,
        local: Endpoint::new(addresses.source_address, addresses.source_port),
        peer: (state != TCP_LISTEN)
            .then(|| Endpoint::new(addresses.destination_address, addresses.destination_port)),
        state,
        uid: header.uid,
        counts: None,
    });
    Ok(())
}

#[cfg(test)]
impl TcpSocket {
    /// A socket of a test.
    pub(crate) fn sample(cookie: u64, local: Endpoint) -> Self {
        let key = SocketKey { family: 2, id: [0; 48] };
        Self { cookie, key, inode: 1, local, peer: None, state: TCP_LISTEN, uid: 0, counts: None }
    }
}
