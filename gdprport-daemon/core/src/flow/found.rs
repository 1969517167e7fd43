//! What the sockets of the host show of flows, where no record does.

use super::types::Flow;
use crate::model::{Direction, Endpoint, Process};
use crate::shared::Shared;

/// A connection found on the host that no record reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFlow {
    /// Socket cookie.
    pub cookie: u64,
    /// Which end this is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// The process that holds it, found in `/proc`.
    pub process: Option<Shared<Process>>,
    /// Network namespace cookie; 0 if not known.
    pub netns_cookie: u64,
    /// How far it has come.
    pub progress: Progress,
    /// True if it was open before the daemon watched its port; false if its opening may have been lost or forgotten.
    pub predates_daemon: bool,
}

impl FoundFlow {
    /// The flow, without its progress.
    pub(super) fn into_flow(self) -> Flow {
        Flow {
            process: self.process,
            netns_cookie: self.netns_cookie,
            found: true,
            ..Flow::new(self.cookie, self.direction, self.local, self.peer)
        }
    }
}

/// How far a living flow has come, read from the socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Application bytes sent and acknowledged.
    pub bytes_sent: Option<u64>,
    /// Application bytes received.
    pub bytes_received: Option<u64>,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retransmits: Option<u32>,
}
