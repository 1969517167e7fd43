//! How a connection ended: the TCP state, the flags and the counters of its last record, as bytes of the application and
//! an outcome.

use gdprport_common::{
    FLAG_FIN_UNACKED, FLAG_GROUPED, FLAG_PEER_FIN, FLAG_PEER_FIN_UNKNOWN, FLAG_PEER_REPLIED, FailTail,
    FlowRecord, RecordKind, SOCKET_DENIED,
};

use crate::model::{Direction, Outcome};

/// How a connection ended, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// Application bytes that the peer acknowledged and, where this end connected, its SYN: [`Self::bytes_sent`].
    pub acked: u64,
    /// Application bytes that arrived in order; `None` if it is not known whether the peer's FIN is among them.
    pub bytes_received: Option<u64>,
    /// Smoothed round-trip time in microseconds, `None` if none was measured.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retransmits: u32,
    /// When it was established or, if never, connect was called; boottime ns, 0 if not known.
    pub since_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Somebody on this host had the kernel abort it (`SOCK_DESTROY`).
    pub aborted: bool,
    /// Its opening was counted in a group of the kernel side, because the ring buffer was nearly full; there was no record
    /// of it.
    pub grouped: bool,
}

impl ConnectionEnd {
    /// Application bytes that the peer acknowledged, at this end.
    #[must_use]
    pub fn bytes_sent(&self, direction: Direction) -> u64 {
        self.acked.saturating_sub(u64::from(direction == Direction::Out))
    }
}

/// States of include/net/tcp_states.h that show how a connection ended.
pub(super) mod tcp {
    pub(in crate::decode) const FIN_WAIT2: u8 = 5;
    pub(in crate::decode) const LAST_ACK: u8 = 9;
    pub(in crate::decode) const LISTEN: u8 = 10;
    pub(in crate::decode) const CLOSING: u8 = 11;
    pub(in crate::decode) const LAST: u8 = 12;
}

/// Error numbers of include/uapi/asm-generic/errno.h.
mod errno {
    /// A socket that was open when somebody had it destroyed (`tcp_diag_destroy`, net/ipv4/tcp_diag.c). Nothing else of TCP
    /// leaves it.
    pub(super) const ECONNABORTED: u8 = 103;

    /// TCP gave up: a retransmission, a keep-alive or a window probe was not answered, or not within the user timeout.
    const ETIMEDOUT: u8 = 110;

    /// Those with which TCP gives up (`tcp_write_err`, net/ipv4/tcp_timer.c): an ICMP message may have said why nobody
    /// answers (`icmp_err_convert`, net/ipv4/icmp.c; `icmpv6_err_convert`). A reset leaves others.
    pub(super) const MEANS_SILENCE: [u8; 10] = [
        ETIMEDOUT, 13,  // EACCES
        64,  // ENONET
        71,  // EPROTO
        92,  // ENOPROTOOPT
        95,  // EOPNOTSUPP
        101, // ENETUNREACH
        111, // ECONNREFUSED: of a port that cannot be reached
        112, // EHOSTDOWN
        113, // EHOSTUNREACH
    ];
}

/// A connect that failed.
pub(super) fn failure(kind: RecordKind, record: &FlowRecord, tail: &FailTail) -> ConnectionEnd {
    let outcome = match kind {
        RecordKind::Refused => Outcome::DeniedByPolicy,
        RecordKind::Denied if record.decision & SOCKET_DENIED != 0 => Outcome::DeniedByPolicy,
        RecordKind::Denied => Outcome::Denied,
        _ => Outcome::of_attempt(record.flags & FLAG_PEER_REPLIED != 0, u32::from(tail.retransmits)),
    };
    ConnectionEnd {
        acked: 0,
        bytes_received: Some(0),
        rtt_us: None,
        retransmits: u32::from(tail.retransmits),
        since_ns: record.time_ns.saturating_sub(u64::from(tail.elapsed_ms) * 1_000_000),
        outcome,
        aborted: false,
        grouped: false,
    }
}

/// The kernel counts a SYN or FIN as a byte of the stream. Ours is in `bytes_acked` at the active end
/// once the SYN was answered, and at either end once the FIN was acknowledged; the peer's FIN is in
/// `bytes_received`. The record does not always show which end it was.
pub(super) fn ending(record: &FlowRecord) -> ConnectionEnd {
    let tail = record.tail.as_close();
    let state = record.old_state;
    let our_fin_acked = matches!(state, tcp::FIN_WAIT2 | tcp::CLOSING | tcp::LAST_ACK)
        && record.flags & FLAG_FIN_UNACKED == 0;
    let their_fin_came = record.flags & FLAG_PEER_FIN != 0;
    ConnectionEnd {
        acked: tail.bytes_acked.saturating_sub(u64::from(our_fin_acked)),
        bytes_received: (record.flags & FLAG_PEER_FIN_UNKNOWN == 0)
            .then(|| tail.bytes_received.saturating_sub(u64::from(their_fin_came))),
        rtt_us: (tail.srtt_us_x8 != 0).then_some(tail.srtt_us_x8 >> 3),
        retransmits: tail.retransmits,
        since_ns: tail.since_ns,
        outcome: match record.error {
            error if errno::MEANS_SILENCE.contains(&error) => Outcome::TimedOut,
            0 if our_fin_acked => Outcome::Closed,
            _ => Outcome::Reset,
        },
        aborted: record.error == errno::ECONNABORTED,
        grouped: record.flags & FLAG_GROUPED != 0,
    }
}
