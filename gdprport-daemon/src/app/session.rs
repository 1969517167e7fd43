//! What is fixed for one run of the daemon.

use jiff::Timestamp;

use crate::host::clock::{HostId, boottime_ns};

/// One run of the daemon on this host.
#[derive(Debug)]
pub(super) struct Session {
    /// Who this host is.
    pub host: HostId,
    /// When the daemon began to watch.
    pub started: Timestamp,
    /// The same on the clock of records, ns.
    pub started_ns: u64,
}

impl Session {
    /// How long it has run, ns.
    #[must_use]
    pub(super) fn uptime_ns(&self) -> u64 {
        boottime_ns().saturating_sub(self.started_ns)
    }
}
