//! From the bytes of a ring-buffer record to a value, or an error that is counted. Total: no bytes panic.
//!
//! Belongs here: checks of layout and range, address canonicalisation, the arithmetic that turns the
//! kernel's byte counters into application bytes. Does not belong here: what a record means for a flow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gdprport_common::{
    CgroupRecord, ExecHeader, FILE_CAP, FLAG_IO_WORKER, FLAG_OPTMEM_FULL, FileState, FlowRecord, MountOwner,
    PATH_CAP, PAYLOAD_LONG, PayloadHeader, RecordKind, SOCKET_WOULD_DENY, SocketRole,
};
use zerocopy::FromBytes as _;

use super::executed::{Executable, FileReading};
use super::identity::OwnerRef;
use super::model::{Endpoint, Withheld};
pub use ending::ConnectionEnd;
use ending::{ending, failure};

/// Why a record could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes, or a first byte that names no kind.
    #[error("record of unknown kind {0}")]
    Kind(u8),
    /// The length does not fit the kind.
    #[error("record of kind {kind:?} has {len} bytes")]
    Length {
        /// The kind that the first byte names.
        kind: RecordKind,
        /// How long it is.
        len: usize,
    },
    /// A field holds a value that it cannot have.
    #[error("record of kind {kind:?} has an impossible {field}")]
    Field {
        /// The kind that the first byte names.
        kind: RecordKind,
        /// The field.
        field: &'static str,
    },
}

/// What all records about a socket have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketEvent {
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// Socket cookie.
    pub cookie: u64,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end; unspecified with port 0 for a listener.
    pub peer: Endpoint,
    /// Who owns this end.
    pub owner: OwnerRef,
    /// Whether the kernel would have denied the connect or bind, did its port not have `mode = "warn"`.
    pub would_deny: bool,
}

/// A decoded record, by who applies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// For the table of flows.
    Connection(ConnectionRecord<'a>),
    /// For the table of listeners.
    Listener(ListenerRecord),
    /// For the resolver of owners.
    Identity(IdentityRecord<'a>),
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionRecord<'a> {
    /// A connect from here was completed.
    Connected(SocketEvent),
    /// A connect from elsewhere was completed; the owner is the listener's.
    Arrived(SocketEvent),
    /// The acceptor of an earlier arrival.
    Accepted(SocketEvent),
    /// The same from a hook that sees the socket and none of its addresses.
    Acceptor {
        /// Socket cookie of the arrival.
        cookie: u64,
        /// Who accepted it.
        owner: OwnerRef,
    },
    /// A connection ended.
    Ended(SocketEvent, ConnectionEnd),
    /// A connect failed.
    Failed(SocketEvent, ConnectionEnd),
    /// The policy denied a SYN that reached a listener, whose are cookie and owner.
    Refused(SocketEvent, ConnectionEnd),
    /// The beginning of a payload segment of a flow.
    Payload {
        /// Socket cookie of the flow.
        cookie: u64,
        /// True if this end sent it.
        sent: bool,
        /// Where in the stream of this direction it begins, modulo 2^32.
        offset: u32,
        /// Its first bytes. None: what came before of this direction may not be what TCP took.
        bytes: &'a [u8],
    },
}

/// What happened to a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerRecord {
    /// A socket began to listen.
    Opened(SocketEvent),
    /// A listening socket was closed.
    Closed(SocketEvent),
    /// A socket was not bound, because the policy denied it.
    Denied(SocketEvent),
}

/// What owners are resolved with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityRecord<'a> {
    /// An executable.
    Exec(Executable<'a>),
    /// A cgroup directory was made.
    Cgroup {
        /// Its hierarchy; 0 is cgroup2.
        hierarchy: u32,
        /// Its id in there.
        cgroup_id: u64,
        /// Its path below the root; `None` if it could not be read or was cut.
        path: Option<&'a [u8]>,
    },
}

impl Record<'_> {
    /// When it was made, nanoseconds of `CLOCK_BOOTTIME`; `None` for records that carry no time.
    #[must_use]
    pub const fn time_ns(&self) -> Option<u64> {
        match self {
            Self::Connection(record) => record.time_ns(),
            Self::Listener(
                ListenerRecord::Opened(event) | ListenerRecord::Closed(event) | ListenerRecord::Denied(event),
            ) => Some(event.time_ns),
            Self::Identity(_) => None,
        }
    }
}

impl ConnectionRecord<'_> {
    const fn time_ns(&self) -> Option<u64> {
        match self {
            Self::Connected(event)
            | Self::Arrived(event)
            | Self::Accepted(event)
            | Self::Ended(event, _)
            | Self::Failed(event, _)
            | Self::Refused(event, _) => Some(event.time_ns),
            Self::Acceptor { owner, .. } => Some(owner.time_ns),
            Self::Payload { .. } => None,
        }
    }
}

/// Reads one record of the ring buffer.
///
/// # Errors
/// What does not fit; the caller counts it and goes on with the next record.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let raw = bytes.first().copied().unwrap_or(0);
    let kind = RecordKind::from_raw(raw).ok_or(DecodeError::Kind(raw))?;
    let length = DecodeError::Length { kind, len: bytes.len() };
    match kind {
        RecordKind::Exec => {
            let (header, rest) = ExecHeader::ref_from_prefix(bytes).map_err(|_| length)?;
            let name = path(kind, &header.name, u16::from(header.name_len))?;
            let field = |field| DecodeError::Field { kind, field };
            let used = rest
                .get(..usize::from(header.file_len))
                .filter(|used| used.len() < FILE_CAP)
                .ok_or(field("file length"))?;
            let state = FileState::from_raw(header.file_state).ok_or(field("file state"))?;
            let mounts = MountOwner::from_raw(header.file_mounts).ok_or(field("owner of mounts"))?;
            Ok(Record::Identity(IdentityRecord::Exec(Executable {
                exec_id: header.exec_id,
                tgid: header.tgid,
                previous: header.previous,
                name,
                in_user_ns: header.in_user_ns != 0,
                file: FileReading {
                    device: header.file_dev,
                    inode: header.file_ino,
                    mounts,
                    state,
                    components: used,
                },
            })))
        }
        RecordKind::Cgroup => {
            let record = CgroupRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            Ok(Record::Identity(IdentityRecord::Cgroup {
                hierarchy: record.hierarchy,
                cgroup_id: record.cgroup_id,
                path: path(kind, &record.path, record.path_len)?,
            }))
        }
        RecordKind::Payload => {
            let (header, rest) = PayloadHeader::ref_from_prefix(bytes).map_err(|_| length)?;
            let bytes = rest
                .get(..usize::from(header.len))
                .filter(|bytes| bytes.len() <= PAYLOAD_LONG)
                .ok_or(DecodeError::Field { kind, field: "payload length" })?;
            let (cookie, sent, offset) = (header.cookie, header.sent != 0, header.offset);
            Ok(Record::Connection(ConnectionRecord::Payload { cookie, sent, offset, bytes }))
        }
        RecordKind::ActiveEstablished => {
            Ok(Record::Connection(ConnectionRecord::Connected(living(kind, bytes, length)?)))
        }
        RecordKind::PassiveEstablished => {
            Ok(Record::Connection(ConnectionRecord::Arrived(living(kind, bytes, length)?)))
        }
        RecordKind::Accepted => Ok(Record::Connection(accepted(kind, bytes, length)?)),
        RecordKind::Listening => Ok(Record::Listener(ListenerRecord::Opened(living(kind, bytes, length)?))),
        RecordKind::BindDenied => Ok(Record::Listener(ListenerRecord::Denied(living(kind, bytes, length)?))),
        RecordKind::Failed | RecordKind::Denied | RecordKind::Refused => {
            let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            let mut event = socket(kind, record)?;
            let tail = record.tail.as_fail();
            born(&mut event.owner, tail.comm, tail.start_ns, tail.parent_tgid);
            let end = failure(kind, record, &tail);
            Ok(Record::Connection(match kind {
                RecordKind::Refused => ConnectionRecord::Refused(event, end),
                _ => ConnectionRecord::Failed(event, end),
            }))
        }
        RecordKind::Closed | RecordKind::ListenerClosed => {
            let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            let socket = socket(kind, record)?;
            if record.old_state > ending::tcp::LAST {
                return Err(DecodeError::Field { kind, field: "TCP state" });
            }
            if kind == RecordKind::ListenerClosed || record.old_state == ending::tcp::LISTEN {
                return Ok(Record::Listener(ListenerRecord::Closed(socket)));
            }
            Ok(Record::Connection(ConnectionRecord::Ended(socket, ending(record))))
        }
    }
}

fn path(kind: RecordKind, field: &[u8; PATH_CAP], len: u16) -> Result<Option<&[u8]>, DecodeError> {
    let used = field.get(..usize::from(len)).ok_or(DecodeError::Field { kind, field: "path length" })?;
    // The NUL takes the field's last byte: a name that reaches it may have been longer.
    Ok((!used.is_empty() && used.len() < PATH_CAP - 1).then_some(used))
}

#[inline(always)]
fn living(kind: RecordKind, bytes: &[u8], length: DecodeError) -> Result<SocketEvent, DecodeError> {
    let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
    let mut event = socket(kind, record)?;
    event.owner = alive(event.owner, record);
    Ok(event)
}

fn accepted(
    kind: RecordKind,
    bytes: &[u8],
    length: DecodeError,
) -> Result<ConnectionRecord<'static>, DecodeError> {
    let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
    if record.family == 0 {
        let owner = alive(owner(kind, record)?, record);
        return Ok(ConnectionRecord::Acceptor { cookie: record.cookie, owner });
    }
    living(kind, bytes, length).map(ConnectionRecord::Accepted)
}

fn alive(mut owner: OwnerRef, record: &FlowRecord) -> OwnerRef {
    let tail = record.tail.as_open();
    born(&mut owner, tail.comm, tail.start_ns, tail.parent_tgid);
    owner
}

fn born(owner: &mut OwnerRef, comm: [u64; 2], start_ns: u64, parent_tgid: u32) {
    owner.comm[..8].copy_from_slice(&comm[0].to_ne_bytes());
    owner.comm[8..].copy_from_slice(&comm[1].to_ne_bytes());
    owner.start_ns = start_ns;
    owner.parent_tgid = parent_tgid;
}

#[inline(always)]
fn socket(kind: RecordKind, record: &FlowRecord) -> Result<SocketEvent, DecodeError> {
    let address =
        |parts| address(record.family, parts).ok_or(DecodeError::Field { kind, field: "address family" });
    Ok(SocketEvent {
        time_ns: record.time_ns,
        cookie: record.cookie,
        local: Endpoint::new(address(record.local)?, record.local_port),
        peer: Endpoint::new(address(record.peer)?, record.peer_port),
        owner: owner(kind, record)?,
        would_deny: record.decision & SOCKET_WOULD_DENY != 0,
    })
}

/// An address as the kernel side stores it; `None` for a family that does not exist.
#[inline(always)]
fn address(family: u8, parts: [u32; 4]) -> Option<IpAddr> {
    match family {
        4 => Some(IpAddr::V4(Ipv4Addr::from(parts[0].to_ne_bytes()))),
        6 => {
            let mut octets = [0; 16];
            for (octets, part) in octets.chunks_exact_mut(4).zip(parts) {
                octets.copy_from_slice(&part.to_ne_bytes());
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

/// Who owns the socket, without what only the tail carries.
fn owner(kind: RecordKind, record: &FlowRecord) -> Result<OwnerRef, DecodeError> {
    let role = SocketRole::from_raw(record.role).ok_or(DecodeError::Field { kind, field: "role" })?;
    Ok(OwnerRef {
        role,
        tgid: record.tgid,
        parent_tgid: 0,
        uid: record.uid,
        gid: record.gid,
        euid: record.euid,
        egid: record.egid,
        exec_id: record.exec_id,
        cgroup_id: record.cgroup_id,
        netns_cookie: record.netns_cookie,
        start_ns: 0,
        time_ns: record.time_ns,
        comm: [0; 16],
        withheld: withheld(record.flags),
    })
}

/// How a process kept itself from being the owner, from the flags of a record.
const fn withheld(flags: u8) -> Option<Withheld> {
    match flags {
        flags if flags & FLAG_OPTMEM_FULL != 0 => Some(Withheld::OptionMemory),
        flags if flags & FLAG_IO_WORKER != 0 => Some(Withheld::KernelThread),
        _ => None,
    }
}

mod ending;
pub mod overload;
#[cfg(test)]
mod tests;
