//! TCP sockets as the kernel lists them (`sock_diag`, sock_diag(7)) in the caller's network namespace, and
//! one socket of another process, fetched.
//!
//! Belongs here: requests and reading the replies. Does not belong here: namespaces (`netns`), owners (`listing`).

use std::io;
use std::os::fd::OwnedFd;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NlasIterator, Parseable,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, INET_DIAG_INFO, IPPROTO_TCP, SOCK_DIAG_BY_FAMILY, TCP_LISTEN,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use thiserror::Error;

use gdprport_core::flow::Progress;
use gdprport_core::model::{Direction, Endpoint};

/// Receive buffer: the kernel fills at most 32 KiB per reply of a dump (net/netlink/af_netlink.c).
const BUFFER: usize = 64 * 1024;

/// Number of TCP ports.
const PORTS: usize = 65_536;

/// A set of TCP ports with constant-time membership.
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet(Box<[u64; PORTS / 64]>);

impl PortSet {
    /// True if the port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0[usize::from(port) / 64] >> (port % 64) & 1 == 1
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut bits = Box::new([0; PORTS / 64]);
        for port in ports {
            bits[usize::from(port) / 64] |= 1 << (port % 64);
        }
        Self(bits)
    }
}

/// What the kernel counted on a connection (`struct tcp_info`, include/uapi/linux/tcp.h).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpCounts {
    /// Payload that the peer acknowledged, plus one each for an acknowledged SYN and FIN.
    pub bytes_acked: u64,
    /// Payload received in order, plus one for the peer's FIN if it arrived.
    pub bytes_received: u64,
    /// Smoothed round-trip time in microseconds, 0 if none was measured.
    pub rtt_us: u32,
    /// Retransmitted segments over the whole life.
    pub retransmits: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Segments sent.
    pub segs_out: u32,
}

impl TcpCounts {
    /// As application bytes of an open connection: its SYN is not counted, if this end sent it.
    #[must_use]
    pub fn progress(&self, direction: Direction) -> Progress {
        let syn = u64::from(direction == Direction::Out);
        Progress {
            bytes_sent: Some(self.bytes_acked.saturating_sub(syn)),
            bytes_received: Some(self.bytes_received),
            rtt_us: (self.rtt_us != 0).then_some(self.rtt_us),
            retransmits: Some(self.retransmits),
        }
    }

    /// Reads a `tcp_info` of at least the fields of Linux 4.2; later kernels only append.
    fn parse(info: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            rtt_us: word(68)?,
            retransmits: word(100)?,
            bytes_acked: long(120)?,
            bytes_received: long(128)?,
            segs_out: word(136)?,
            segs_in: word(140)?,
        })
    }
}

/// A TCP socket of the caller's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// Socket cookie, the same as in records of the kernel side.
    pub cookie: u64,
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
    /// What the kernel counted.
    pub counts: TcpCounts,
}

/// Why sockets could not be listed.
#[derive(Debug, Error)]
pub enum DumpError {
    /// The netlink socket failed.
    #[error("cannot list TCP sockets: {0}; the kernel needs CONFIG_INET_DIAG (module tcp_diag)")]
    Netlink(#[from] io::Error),
    /// The reply is malformed.
    #[error("cannot list TCP sockets: the kernel's answer cannot be read ({0})")]
    Reply(String),
}

/// Lists the TCP sockets (IPv4 and IPv6) of the caller's network namespace that listen on one of the ports
/// or are connected from or to one; each once. Connections without a process that only wait for old segments
/// (`TIME_WAIT`) are left out, and so are those whose handshake is not complete on the accepting side.
///
/// Sockets opened or closed meanwhile may be missing.
///
/// # Errors
/// [`DumpError`].
pub(crate) fn list(ports: &PortSet) -> Result<Vec<TcpSocket>, DumpError> {
    let states = connected() | StateFlags::LISTEN;
    let wanted = |local, peer, state| ports.contains(local) || (state != TCP_LISTEN && ports.contains(peer));
    let mut found = dump(&states, wanted, |_| true)?;
    found.sort_unstable_by_key(|socket| socket.cookie);
    found.dedup_by_key(|socket| socket.cookie);
    Ok(found)
}

/// Lists those of the connected TCP sockets of the caller's network namespace whose cookie is wanted. The
/// connection of a cookie that is missing in the result is gone.
///
/// # Errors
/// [`DumpError`].
pub(super) fn list_cookies(wanted: impl Fn(u64) -> bool) -> Result<Vec<TcpSocket>, DumpError> {
    dump(&(connected() | StateFlags::LISTEN), |_, _, _| true, wanted)
}

fn connected() -> StateFlags {
    StateFlags::ESTABLISHED
        | StateFlags::SYN_SENT
        | StateFlags::FIN_WAIT1
        | StateFlags::FIN_WAIT2
        | StateFlags::CLOSE_WAIT
        | StateFlags::LAST_ACK
        | StateFlags::CLOSING
}

fn dump(
    states: &StateFlags,
    ports: impl Fn(u16, u16, u8) -> bool,
    cookies: impl Fn(u64) -> bool,
) -> Result<Vec<TcpSocket>, DumpError> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut out = Vec::new();
    let mut buffer = vec![0; BUFFER];
    for (seq, family) in [(1, AF_INET), (2, AF_INET6)] {
        request(&socket, seq, family, states.clone())?;
        while read_replies(receive(&socket, &mut buffer)?, &ports, &cookies, &mut out)? {}
    }
    Ok(out)
}

fn request(socket: &Socket, seq: u32, family: u8, states: StateFlags) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = seq;
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states,
        socket_id: if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() },
    };
    let mut message =
        NetlinkMessage::new(header, NetlinkPayload::from(SockDiagMessage::InetRequest(request)));
    message.finalize();
    let mut bytes = vec![0; message.header.length as usize];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).map(|_| ())
}

fn receive<'a>(socket: &Socket, buffer: &'a mut [u8]) -> Result<&'a [u8], DumpError> {
    let len = match socket.recv(&mut &mut buffer[..], 0) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
        len => len?,
    };
    buffer.get(..len).ok_or_else(|| DumpError::Reply("too long".to_owned()))
}

/// Reads a datagram of a list of sockets: those with wanted ports (local, peer's, TCP state) and cookies. Returns false
/// for the last one.
///
/// # Errors
/// The datagram is malformed, or carries an error of the kernel.
pub fn read_replies(
    datagram: &[u8],
    ports: impl Fn(u16, u16, u8) -> bool,
    cookies: impl Fn(u64) -> bool,
    out: &mut Vec<TcpSocket>,
) -> Result<bool, DumpError> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(|e| DumpError::Reply(e.to_string()))?;
        match message.message_type() {
            SOCK_DIAG_BY_FAMILY => out.extend(read_socket(message.payload(), &ports, &cookies)?),
            NLMSG_DONE => return Ok(false),
            NLMSG_ERROR => return Err(errno(message.payload()).into()),
            _ => {}
        }
        let step = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(step..).unwrap_or_default();
    }
    Ok(true)
}

fn errno(payload: &[u8]) -> io::Error {
    let code = payload.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    io::Error::from_raw_os_error(code.saturating_neg())
}

/// Reads one reply (`struct inet_diag_msg`, include/uapi/linux/inet_diag.h) if it is wanted. The ports are
/// checked first: on most hosts that rules out nearly all sockets.
pub(super) fn read_socket(
    payload: &[u8],
    ports: impl Fn(u16, u16, u8) -> bool,
    cookies: impl Fn(u64) -> bool,
) -> Result<Option<TcpSocket>, DumpError> {
    const HEADER: usize = 72;
    let unreadable = |what: String| DumpError::Reply(what);
    let (Some(&[_, state, _, _, l0, l1, p0, p1]), Some(attributes)) =
        (payload.first_chunk::<8>(), payload.get(HEADER..))
    else {
        return Err(unreadable(format!("{} bytes for a socket", payload.len())));
    };
    if !ports(u16::from_be_bytes([l0, l1]), u16::from_be_bytes([p0, p1]), state) {
        return Ok(None);
    }
    let header = InetResponseHeader::parse(payload).map_err(|e| unreadable(e.to_string()))?;
    let id = header.socket_id;
    // Two words, the lower one first; the kernel programs exist for little-endian hosts only.
    let cookie = u64::from_le_bytes(id.cookie);
    if !cookies(cookie) {
        return Ok(None);
    }
    let info = NlasIterator::new(attributes)
        .flatten()
        .find(|attribute| attribute.kind() == INET_DIAG_INFO)
        .and_then(|attribute| TcpCounts::parse(attribute.value()));
    // What remains of a connection after its socket (a `FIN_WAIT2` without a process) has no tcp_info.
    let Some(counts) = info else { return Ok(None) };
    Ok(Some(TcpSocket {
        cookie,
        inode: header.inode,
        local: Endpoint::new(id.source_address, id.source_port),
        peer: (state != TCP_LISTEN).then(|| Endpoint::new(id.destination_address, id.destination_port)),
        state,
        uid: header.uid,
        counts,
    }))
}

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

#[cfg(test)]
mod tests;
