//! What is learned of flows by looking at the sockets of the host instead of by records.

use std::sync::Arc;

use super::{Flow, UNJUDGED};
use crate::community_id::CommunityId;
use crate::model::{Direction, Endpoint, Outcome, Process};

/// A connection found on the host that no record told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Socket cookie.
    pub cookie: u64,
    /// Which end this is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// The process that holds it, found in `/proc`.
    pub process: Option<Arc<Process>>,
    /// Network namespace cookie; 0 if not known.
    pub netns_cookie: u64,
    /// How far it has come.
    pub progress: Progress,
    /// True if it was open before the daemon watched its port; false if its opening may have been lost or forgotten.
    pub before: bool,
}

impl Found {
    /// The flow, before anything is noted of it.
    pub(super) fn into_flow(self) -> Flow {
        Flow {
            id: CommunityId::tcp(self.local, self.peer),
            cookie: self.cookie,
            direction: self.direction,
            local: self.local,
            peer: self.peer,
            opened_ns: None,
            ended_ns: None,
            process: self.process,
            peer_process: None,
            posture: None,
            verdict: Arc::clone(&UNJUDGED),
            outcome: Outcome::Established,
            bytes_sent: None,
            bytes_received: None,
            rtt_us: None,
            retransmits: None,
            netns_cookie: self.netns_cookie,
            found: true,
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
