//! A flow: what is known of one connection.

use std::net::IpAddr;
use std::sync::LazyLock;

use crate::community_id::CommunityId;
use crate::model::{Direction, Endpoint, Nat, Outcome, Posture, Process, Withheld};
use crate::policy::Facts;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// A port's place in [`Policy::watched`](crate::policy::Policy::watched). It means nothing to another policy.
pub type PortIndex = usize;

/// What is known of one connection, seen from its local end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Community ID of the connection.
    pub id: CommunityId,
    /// Socket cookie.
    pub cookie: u64,
    /// Which end this is.
    pub direction: Direction,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// What the address translation of this host makes of it; `None` if it is not translated here.
    pub nat: Option<Nat>,
    /// When it was established or, if never, tried; boottime ns, `None` if that was not seen.
    pub opened_ns: Option<u64>,
    /// When it ended; boottime ns.
    pub ended_ns: Option<u64>,
    /// The process at this end.
    pub process: Option<Shared<Process>>,
    /// How the owner kept itself from being known, if `process` is not known for that.
    pub owner_withheld: Option<Withheld>,
    /// The process at the other end, where that is on this host too.
    pub peer_process: Option<Shared<Process>>,
    /// What was seen of its encryption; `None` while nothing decides it.
    pub posture: Option<Shared<Posture>>,
    /// The policy's verdict on it.
    pub verdict: Shared<Verdict>,
    /// The watched port that it belongs to; `None` if the policy watches none that it could belong to. Found together
    /// with the verdict, and valid for the policy and the names that the flow was last evaluated by. Every open flow is
    /// re-evaluated when one of them changes ([`Table::reevaluate`](super::Table::reevaluate)), so that in a change
    /// handled at once the index is the active policy's.
    pub port_index: Option<PortIndex>,
    /// Where its life stands.
    pub outcome: Outcome,
    /// Whether the kernel would have denied it, did its port not have `mode = "warn"`.
    pub would_deny: bool,
    /// Application bytes sent and acknowledged; `None` until they were read.
    pub bytes_sent: Option<u64>,
    /// Application bytes received; `None` until they were read.
    pub bytes_received: Option<u64>,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retransmits: Option<u32>,
    /// Network namespace cookie of the socket; 0 if not known.
    pub netns_cookie: u64,
    /// True if it was found on the host instead of reported by a record of its opening.
    pub found: bool,
}

/// The verdict on a flow that is about to be judged.
static UNJUDGED: LazyLock<Shared<Verdict>> =
    LazyLock::new(|| Shared::new(Verdict::Undecided { missing: Vec::new(), nearest: None }));

impl Flow {
    /// Whether it ended in a way that was seen, and by the kernel's counts neither side sent a byte of data.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.outcome, Outcome::Closed | Outcome::Reset | Outcome::EndedByPolicy)
            && matches!((self.bytes_sent, self.bytes_received), (Some(0), Some(0)))
    }

    /// An established flow about which nothing else is known, not judged yet.
    #[must_use]
    #[inline]
    pub fn new(cookie: u64, direction: Direction, local: Endpoint, peer: Endpoint) -> Self {
        Self {
            id: CommunityId::tcp(local, peer),
            cookie,
            direction,
            local,
            peer,
            nat: None,
            opened_ns: None,
            ended_ns: None,
            process: None,
            owner_withheld: None,
            peer_process: None,
            posture: None,
            verdict: Shared::clone(&UNJUDGED),
            port_index: None,
            outcome: Outcome::Established,
            would_deny: false,
            bytes_sent: None,
            bytes_received: None,
            rtt_us: None,
            retransmits: None,
            netns_cookie: 0,
            found: false,
        }
    }

    /// The port that carries the personal data: the local one of an accepted flow, else the peer's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self.direction {
            Direction::In => self.local.port,
            Direction::Out => self.peer.port,
        }
    }

    /// The peer by which flows are put together: where the client is, or the address that was called.
    #[must_use]
    pub fn known_peer(&self) -> IpAddr {
        match (self.direction, &self.nat) {
            (Direction::Out, _) | (Direction::In, None) => self.peer.ip,
            (Direction::In, Some(nat)) => {
                nat.translation().and_then(|nat| nat.peer).map_or(self.peer.ip, |client| client.ip)
            }
        }
    }

    /// What the policy judges it by.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            direction: self.direction,
            local: self.local,
            peer: self.peer,
            nat: self.nat.as_ref(),
            process: self.process.as_deref(),
            owner_withheld: self.owner_withheld,
            posture: self.posture.as_deref(),
            peer_missing: None,
            peer_within: None,
        }
    }
}
