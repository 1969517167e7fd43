//! From the bytes of a ring-buffer record to a value, or an error that is counted. Total: no bytes panic.
//!
//! Belongs here: checks of layout and range, address canonicalisation, the arithmetic that turns the
//! kernel's byte counters into application bytes. Does not belong here: what a record means for a flow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gdprport_common::{
    CgroupRecord, ExecRecord, FLAG_ANSWERED, FLAG_RECEIVED_LAST, FailTail, FlowRecord, PATH_CAP, RecordKind,
    SocketRole,
};
use zerocopy::FromBytes as _;

use super::identity::OwnerRef;
use super::model::{Endpoint, Outcome};

/// Why a record could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes, or a first byte that names no kind.
    #[error("record of unknown kind {0}")]
    Kind(u8),
    /// The length does not fit the kind.
    #[error("record of kind {kind:?} has {len} bytes")]
    Length {
        /// What the first byte says it is.
        kind: RecordKind,
        /// How long it is.
        len: usize,
    },
    /// A field holds a value that it cannot have.
    #[error("record of kind {kind:?} has an impossible {field}")]
    Field {
        /// What the first byte says it is.
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
    /// Who stands for this end.
    pub owner: OwnerRef,
}

/// How a connection ended, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Application bytes that the peer acknowledged.
    pub bytes_sent: u64,
    /// Application bytes that arrived in order.
    pub bytes_received: u64,
    /// Smoothed round-trip time in microseconds, `None` if none was measured.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retransmits: u32,
    /// When it was established or, if never, connect was called; boottime ns, 0 if not known.
    pub since_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// A decoded record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A connect from here was completed.
    Connected(SocketEvent),
    /// A connect from elsewhere was completed; the owner is the listener's.
    Arrived(SocketEvent),
    /// The acceptor of an earlier arrival.
    Accepted(SocketEvent),
    /// A connection ended, or a connect failed.
    Ended(SocketEvent, Ending),
    /// A socket began to listen.
    Listening(SocketEvent),
    /// A listening socket was closed.
    ListenerEnded(SocketEvent),
    /// An executable.
    Exec {
        /// Its exec id.
        exec_id: u64,
        /// The process that executed it.
        tgid: u32,
        /// The exec id that the process had before; 0 if not known.
        previous: u64,
        /// What `execve` was given; `None` if it could not be read or was cut.
        path: Option<&'a [u8]>,
    },
    /// A cgroup2 directory was made.
    Cgroup {
        /// Its id.
        cgroup_id: u64,
        /// Its path below the root; `None` if it could not be read or was cut.
        path: Option<&'a [u8]>,
    },
}

/// States of include/net/tcp_states.h that tell how a connection ended.
mod tcp {
    pub(super) const FIN_WAIT2: u8 = 5;
    pub(super) const CLOSE_WAIT: u8 = 8;
    pub(super) const LAST_ACK: u8 = 9;
    pub(super) const LISTEN: u8 = 10;
    pub(super) const CLOSING: u8 = 11;
    pub(super) const LAST: u8 = 12;
}

/// Reads one record of the ring buffer.
///
/// # Errors
/// Says what does not fit; the caller counts it and goes on with the next record.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let raw = bytes.first().copied().unwrap_or(0);
    let kind = RecordKind::from_raw(raw).ok_or(DecodeError::Kind(raw))?;
    let length = DecodeError::Length { kind, len: bytes.len() };
    match kind {
        RecordKind::Exec => {
            let record = ExecRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            Ok(Record::Exec {
                exec_id: record.exec_id,
                tgid: record.tgid,
                previous: record.previous,
                path: path(kind, &record.path, record.path_len)?,
            })
        }
        RecordKind::Cgroup => {
            let record = CgroupRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            Ok(Record::Cgroup {
                cgroup_id: record.cgroup_id,
                path: path(kind, &record.path, record.path_len)?,
            })
        }
        RecordKind::ActiveEstablished => Ok(Record::Connected(living(kind, bytes, length)?)),
        RecordKind::PassiveEstablished => Ok(Record::Arrived(living(kind, bytes, length)?)),
        RecordKind::Accepted => Ok(Record::Accepted(living(kind, bytes, length)?)),
        RecordKind::Listening => Ok(Record::Listening(living(kind, bytes, length)?)),
        RecordKind::Failed | RecordKind::Denied => {
            let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            let mut event = socket(kind, record)?;
            let tail = record.tail.as_fail();
            born(&mut event.owner, tail.comm, tail.start_ns, tail.parent_tgid);
            Ok(Record::Ended(event, failure(kind, record, &tail)))
        }
        RecordKind::Closed | RecordKind::ListenerClosed => {
            let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
            let socket = socket(kind, record)?;
            if record.old_state > tcp::LAST {
                return Err(DecodeError::Field { kind, field: "TCP state" });
            }
            if kind == RecordKind::ListenerClosed || record.old_state == tcp::LISTEN {
                return Ok(Record::ListenerEnded(socket));
            }
            Ok(Record::Ended(socket, ending(record)))
        }
    }
}

fn path(kind: RecordKind, field: &[u8; PATH_CAP], len: u16) -> Result<Option<&[u8]>, DecodeError> {
    let used = field.get(..usize::from(len)).ok_or(DecodeError::Field { kind, field: "path length" })?;
    // The NUL takes the field's last byte: a name that reaches it may have been longer.
    Ok((!used.is_empty() && used.len() < PATH_CAP - 1).then_some(used))
}

fn living(kind: RecordKind, bytes: &[u8], length: DecodeError) -> Result<SocketEvent, DecodeError> {
    let record = FlowRecord::ref_from_bytes(bytes).map_err(|_| length)?;
    let mut event = socket(kind, record)?;
    let tail = record.tail.as_open();
    born(&mut event.owner, tail.comm, tail.start_ns, tail.parent_tgid);
    Ok(event)
}

fn born(owner: &mut OwnerRef, comm: [u64; 2], start_ns: u64, parent_tgid: u32) {
    owner.comm[..8].copy_from_slice(&comm[0].to_ne_bytes());
    owner.comm[8..].copy_from_slice(&comm[1].to_ne_bytes());
    owner.start_ns = start_ns;
    owner.parent_tgid = parent_tgid;
}

fn socket(kind: RecordKind, record: &FlowRecord) -> Result<SocketEvent, DecodeError> {
    let role = SocketRole::from_raw(record.role).ok_or(DecodeError::Field { kind, field: "role" })?;
    let address = |words: [u32; 4]| match record.family {
        4 => Ok(IpAddr::V4(Ipv4Addr::from(words[0].to_ne_bytes()))),
        6 => {
            let mut octets = [0; 16];
            for (octets, word) in octets.chunks_exact_mut(4).zip(words) {
                octets.copy_from_slice(&word.to_ne_bytes());
            }
            Ok(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => Err(DecodeError::Field { kind, field: "address family" }),
    };
    Ok(SocketEvent {
        time_ns: record.time_ns,
        cookie: record.cookie,
        local: Endpoint::new(address(record.local)?, record.local_port),
        peer: Endpoint::new(address(record.peer)?, record.peer_port),
        owner: OwnerRef {
            role,
            tgid: record.tgid,
            parent_tgid: 0,
            uid: record.uid,
            gid: record.gid,
            exec_id: record.exec_id,
            cgroup_id: record.cgroup_id,
            netns_cookie: record.netns_cookie,
            start_ns: 0,
            time_ns: record.time_ns,
            comm: [0; 16],
        },
    })
}

/// A connect that failed: refused if anything was answered, else given up with or without having waited.
fn failure(kind: RecordKind, record: &FlowRecord, tail: &FailTail) -> Ending {
    let outcome = match (kind, record.flags & FLAG_ANSWERED != 0, tail.retransmits) {
        (RecordKind::Denied, ..) => Outcome::Denied,
        (_, true, _) => Outcome::Refused,
        (_, false, 0) => Outcome::Aborted,
        (_, false, _) => Outcome::TimedOut,
    };
    Ending {
        bytes_sent: 0,
        bytes_received: 0,
        rtt_us: None,
        retransmits: u32::from(tail.retransmits),
        since_ns: record.time_ns.saturating_sub(u64::from(tail.elapsed_ms) * 1_000_000),
        outcome,
    }
}

/// The kernel counts a SYN or FIN as a byte of the stream. Ours is in `bytes_acked` at the active end
/// once the SYN was answered, and at either end once the FIN was acknowledged; the peer's FIN is in
/// `bytes_received`, if it came: a socket that nobody holds any more is closed as soon as its own is acknowledged.
fn ending(record: &FlowRecord) -> Ending {
    let tail = record.tail.as_close();
    let state = record.old_state;
    let active = record.role == SocketRole::Connected as u8;
    let our_fin_acked = matches!(state, tcp::FIN_WAIT2 | tcp::CLOSING | tcp::LAST_ACK);
    let their_fin_came = match state {
        tcp::FIN_WAIT2 => record.flags & FLAG_RECEIVED_LAST != 0,
        tcp::CLOSING | tcp::LAST_ACK | tcp::CLOSE_WAIT => true,
        _ => false,
    };
    Ending {
        bytes_sent: tail.bytes_acked.saturating_sub(u64::from(active) + u64::from(our_fin_acked)),
        bytes_received: tail.bytes_received.saturating_sub(u64::from(their_fin_came)),
        rtt_us: (tail.srtt_us_x8 != 0).then_some(tail.srtt_us_x8 >> 3),
        retransmits: tail.retransmits,
        since_ns: tail.since_ns,
        outcome: if our_fin_acked { Outcome::Closed } else { Outcome::Reset },
    }
}

#[cfg(test)]
mod tests {
    use gdprport_common::{CloseTail, FlowTail, OpenTail};
    use proptest::prelude::*;
    use zerocopy::IntoBytes as _;

    use super::*;

    fn record(kind: RecordKind) -> FlowRecord {
        FlowRecord {
            kind: kind as u8,
            family: 4,
            role: SocketRole::Connected as u8,
            old_state: 0,
            flags: 0,
            reserved: [0; 3],
            time_ns: 7,
            cookie: 9,
            netns_cookie: 0,
            exec_id: 3,
            cgroup_id: 4,
            local: [u32::from_ne_bytes([10, 0, 0, 1]), 0, 0, 0],
            peer: [u32::from_ne_bytes([10, 0, 0, 2]), 0, 0, 0],
            local_port: 40_000,
            peer_port: 5432,
            tgid: 12,
            uid: 1,
            gid: 2,
            tail: FlowTail::open(OpenTail {
                comm: [u64::from_ne_bytes(*b"psql\0\0\0\0"), 0],
                start_ns: 5,
                parent_tgid: 6,
            }),
        }
    }

    fn ended(state: u8, last: u8, role: SocketRole, acked: u64, received: u64) -> Ending {
        let tail = CloseTail {
            bytes_acked: acked,
            bytes_received: received,
            srtt_us_x8: 800,
            retransmits: 0,
            since_ns: 1,
        };
        let raw = FlowRecord {
            old_state: state,
            role: role as u8,
            flags: FLAG_ANSWERED | last,
            tail: FlowTail::close(tail),
            ..record(RecordKind::Closed)
        };
        match decode(raw.as_bytes()) {
            Ok(Record::Ended(_, ending)) => ending,
            other => panic!("not an ending: {other:?}"),
        }
    }

    #[test]
    fn a_living_record_carries_its_owner() {
        let Ok(Record::Connected(event)) = decode(record(RecordKind::ActiveEstablished).as_bytes()) else {
            panic!("not decoded");
        };
        assert_eq!(event.local.to_string(), "10.0.0.1:40000");
        assert_eq!(event.peer.to_string(), "10.0.0.2:5432");
        assert_eq!((event.owner.tgid, event.owner.parent_tgid, event.owner.start_ns), (12, 6, 5));
        assert_eq!(&event.owner.comm, b"psql\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn syn_and_fin_are_not_application_bytes() {
        let active = ended(tcp::FIN_WAIT2, FLAG_RECEIVED_LAST, SocketRole::Connected, 102, 201);
        assert_eq!((active.bytes_sent, active.bytes_received), (100, 200));
        let passive = ended(tcp::LAST_ACK, 0, SocketRole::Accepted, 201, 101);
        assert_eq!((passive.bytes_sent, passive.bytes_received), (200, 100));
        assert_eq!((active.outcome, active.rtt_us), (Outcome::Closed, Some(100)));
    }

    #[test]
    fn a_fin_that_had_not_come_before_the_end_is_not_subtracted() {
        let orphan = ended(tcp::FIN_WAIT2, 0, SocketRole::Accepted, 1, 1234);
        assert_eq!((orphan.bytes_sent, orphan.bytes_received, orphan.outcome), (0, 1234, Outcome::Closed));
    }

    #[test]
    fn a_reset_connection_has_no_fin_to_subtract() {
        let ending = ended(1, 0, SocketRole::Accepted, 50, 60);
        assert_eq!((ending.bytes_sent, ending.bytes_received, ending.outcome), (50, 60, Outcome::Reset));
    }

    #[test]
    fn failed_connects_are_told_apart() {
        let fail = |flags, retransmits, kind| {
            let tail = FailTail {
                comm: [u64::from_ne_bytes(*b"psql\0\0\0\0"), 0],
                start_ns: 5,
                parent_tgid: 6,
                elapsed_ms: u32::MAX,
                retransmits,
            };
            let raw = FlowRecord { flags, tail: FlowTail::fail(tail), ..record(kind) };
            match decode(raw.as_bytes()) {
                Ok(Record::Ended(event, ending)) => {
                    assert_eq!((event.owner.parent_tgid, event.owner.start_ns), (6, 5));
                    assert_eq!(&event.owner.comm[..5], b"psql\0");
                    ending.outcome
                }
                other => panic!("not an ending: {other:?}"),
            }
        };
        assert_eq!(fail(FLAG_ANSWERED, 0, RecordKind::Failed), Outcome::Refused);
        assert_eq!(fail(0, 6, RecordKind::Failed), Outcome::TimedOut);
        assert_eq!(fail(0, 0, RecordKind::Failed), Outcome::Aborted);
        assert_eq!(fail(0, 0, RecordKind::Denied), Outcome::Denied);
    }

    #[test]
    fn a_name_that_may_have_been_cut_is_not_a_name() {
        let mut exec = ExecRecord {
            kind: RecordKind::Exec as u8,
            shipped: 0,
            path_len: 9,
            tgid: 1,
            exec_id: 2,
            time_ns: 3,
            previous: 0,
            path: [b'x'; PATH_CAP],
        };
        let path_of = |exec: &ExecRecord| match decode(exec.as_bytes()) {
            Ok(Record::Exec { path, .. }) => path.map(<[u8]>::len),
            other => panic!("not an executable: {other:?}"),
        };
        assert_eq!(path_of(&exec), Some(9));
        exec.path_len = PATH_CAP as u16 - 1;
        assert_eq!(path_of(&exec), None);
        exec.path_len = PATH_CAP as u16 + 1;
        assert!(matches!(decode(exec.as_bytes()), Err(DecodeError::Field { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_err(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0u8..12) {
            let _ = decode(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            let _ = decode(&bytes);
            bytes.resize(128, 0);
            let _ = decode(&bytes);
            bytes.resize(272, 0);
            let _ = decode(&bytes);
        }
    }
}
