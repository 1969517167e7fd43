//! What the kernel counted on one connection.

use gdprport_core::flow::Progress;
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
    pub(super) fn parse(info: &[u8]) -> Option<Self> {
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
