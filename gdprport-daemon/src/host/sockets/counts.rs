//! What the kernel counted on one connection.

use netlink_packet_sock_diag::constants::{TCP_CLOSING, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_LAST_ACK};

use gdprport_core::flow::{Progress, SentCounts};
use gdprport_core::model::Direction;

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
    /// What shows which end it is; `None` before Linux 4.19.
    pub sent: Option<SentCounts>,
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

    /// Reads a `tcp_info` of at least the fields of Linux 4.2; later kernels only append. `queue`: bytes that were written
    /// and are not acknowledged, a FIN among them.
    pub(super) fn parse(info: &[u8], queue: u32) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            rtt_us: word(68)?,
            retransmits: word(100)?,
            bytes_acked: long(120)?,
            bytes_received: long(128)?,
            segs_out: word(136)?,
            segs_in: word(140)?,
            sent: sent(info, queue),
        })
    }
}

/// What the socket has sent. Where nothing is on its way, all of it is read at one moment; else the queue is read a moment
/// before.
fn sent(info: &[u8], queue: u32) -> Option<SentCounts> {
    let word = |at: usize| Some(u32::from_ne_bytes(*info.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(u64::from_ne_bytes(*info.get(at..)?.first_chunk()?));
    let (state, unacked, unsent) = (*info.first()?, word(24)?, word(144)?);
    // The FIN is the last byte of the queue.
    let closes = [TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSING, TCP_LAST_ACK].contains(&state);
    Some(SentCounts {
        acked: long(120)?,
        in_flight: if unacked == 0 { 0 } else { queue.saturating_sub(unsent).into() },
        payload: long(200)?.checked_sub(long(208)?)?,
        fin: closes && unsent == 0,
    })
}
