//! What connections did that were counted together.

use serde::{Deserialize, Serialize};

/// Sums of connections that there was no room to describe. They saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverloadCounts {
    /// Connections that were established.
    pub opened: u64,
    /// Connects that failed.
    pub failed: u64,
    /// Of these, those that this host did not let out.
    pub denied: u64,
    /// Ends of connections whose opening was counted too, here or before.
    pub closed: u64,
    /// Application bytes that those had sent.
    pub bytes_sent: u64,
    /// Application bytes that they had received.
    pub bytes_received: u64,
    /// Ends of which it is not known whether the peer's FIN is counted as a byte received.
    pub fin_unknown: u64,
    /// Ends of connections whose opening was described.
    pub ends_of_described: u64,
    /// Application bytes that those had sent.
    pub described_bytes_sent: u64,
    /// Application bytes that they had received.
    pub described_bytes_received: u64,
    /// Flows that were described as open and left the full table.
    pub evicted: u64,
}

impl OverloadCounts {
    /// Connections and attempts that began.
    #[must_use]
    pub const fn began(&self) -> u64 {
        self.opened.saturating_add(self.failed)
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.each(other, u64::saturating_add);
    }

    /// Takes others away, that are among these.
    pub fn take(&mut self, other: &Self) {
        self.each(other, u64::saturating_sub);
    }

    fn each(&mut self, other: &Self, operation: fn(u64, u64) -> u64) {
        let Self {
            opened,
            failed,
            denied,
            closed,
            bytes_sent,
            bytes_received,
            fin_unknown,
            ends_of_described,
            described_bytes_sent,
            described_bytes_received,
            evicted,
        } = other;
        for (sum, more) in [
            (&mut self.opened, opened),
            (&mut self.failed, failed),
            (&mut self.denied, denied),
            (&mut self.closed, closed),
            (&mut self.bytes_sent, bytes_sent),
            (&mut self.bytes_received, bytes_received),
            (&mut self.fin_unknown, fin_unknown),
            (&mut self.ends_of_described, ends_of_described),
            (&mut self.described_bytes_sent, described_bytes_sent),
            (&mut self.described_bytes_received, described_bytes_received),
            (&mut self.evicted, evicted),
        ] {
            *sum = operation(*sum, *more);
        }
    }
}
