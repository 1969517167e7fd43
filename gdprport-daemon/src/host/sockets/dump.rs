//! One list of the TCP sockets of the caller's network namespace (`sock_diag`, sock_diag(7)).
//!
//! A list is asked for without any attribute, so that each row has a bound: the kernel ends a list early and without an
//! error at a row that is larger than its buffer (`netlink_dump`, net/netlink/af_netlink.c), and what some attributes
//! hold is for the process to choose.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN, NetlinkBuffer,
    NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, SOCK_DIAG_BY_FAMILY};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use super::error::DumpError;
use super::row::{Head, Rows, TcpSocket, read_row};

/// Receive buffer: the kernel fills at most 32 KiB per reply of a dump (net/netlink/af_netlink.c).
const BUFFER: usize = 64 * 1024;

/// A list of sockets of both families.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// Those that are wanted, each once.
    pub(super) sockets: Vec<TcpSocket>,
    /// How many sockets there were, wanted or not: IPv4, IPv6.
    pub(super) counted: [u64; 2],
    /// How many were wanted beyond those that may be kept.
    pub(super) over: u64,
}

/// Lists the sockets in these states, of which those that are wanted are kept, at most so many.
pub(super) fn dump(
    states: &StateFlags,
    most: usize,
    mut wanted: impl FnMut(&Head) -> bool,
) -> Result<Dump, DumpError> {
    let (mut left, mut over) = (most, 0);
    let mut wanted = |head: &Head| {
        let is_wanted = wanted(head);
        let kept = is_wanted && left > 0;
        left -= usize::from(kept);
        over += u64::from(is_wanted && !kept);
        kept
    };
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    // From now on nobody but the kernel can send to it.
    socket.connect(&SocketAddr::new(0, 0))?;
    let (mut rows, mut counted) = (Rows::default(), [0; 2]);
    let mut buffer = vec![0; BUFFER];
    for (count, family) in counted.iter_mut().zip([AF_INET, AF_INET6]) {
        request(&socket, family, states.clone())?;
        while read_replies(receive(&socket, &mut buffer)?, &mut wanted, &mut rows)? {}
        // One that moves within its hash chain meanwhile may be listed twice.
        rows.seen.sort_unstable();
        rows.seen.dedup();
        *count = rows.seen.len() as u64;
        rows.seen.clear();
    }
    let mut sockets = rows.sockets;
    sockets.sort_unstable_by_key(|socket| socket.cookie);
    sockets.dedup_by_key(|socket| socket.cookie);
    Ok(Dump { sockets, counted, over })
}

fn request(socket: &Socket, family: u8, states: StateFlags) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
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
    // With this flag the length is that of the message, also where it did not fit.
    let len = match socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
        len => len?,
    };
    buffer.get(..len).ok_or_else(|| DumpError::Reply(format!("{len} bytes at once")))
}

/// Reads a datagram of a list of sockets. Returns false for the last one.
///
/// # Errors
/// The datagram is malformed, carries an error of the kernel, or says that the list is not consistent.
pub fn read_replies(
    datagram: &[u8],
    mut wanted: impl FnMut(&Head) -> bool,
    rows: &mut Rows,
) -> Result<bool, DumpError> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(|e| DumpError::Reply(e.to_string()))?;
        if message.flags() & NLM_F_DUMP_INTR != 0 {
            return Err(DumpError::Inconsistent);
        }
        match message.message_type() {
            SOCK_DIAG_BY_FAMILY => read_row(message.payload(), &mut wanted, rows)?,
            // The end carries the error that ended the list; 0 if none did.
            NLMSG_DONE => match errno(message.payload()) {
                Some(0) => return Ok(false),
                Some(code) => return Err(io::Error::from_raw_os_error(code).into()),
                None => return Err(DumpError::Reply("an end without its status".to_owned())),
            },
            NLMSG_ERROR => {
                return Err(io::Error::from_raw_os_error(errno(message.payload()).unwrap_or(0)).into());
            }
            NLMSG_OVERRUN => return Err(DumpError::Inconsistent),
            _ => {}
        }
        let step = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(step..).unwrap_or_default();
    }
    Ok(true)
}

fn errno(payload: &[u8]) -> Option<i32> {
    payload.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes).saturating_neg())
}
