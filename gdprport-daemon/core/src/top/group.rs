//! Open flows that have port, direction, peer and process in common, and the JSON form of their sums.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Cookie, Port, wire_verdict};
use crate::ledger::Identity;
use crate::model::{Direction, PostureState, Process};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// Names a group for as long as its daemon runs. On the wire: hexadecimal digits, as a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(Cookie);

impl GroupId {
    /// The group of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(Cookie(number))
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for GroupId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self::new)
    }
}

/// How bad a verdict is, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A rule allows it.
    Declared,
    /// Evidence is missing.
    Undecided,
    /// A violation that an exception of the policy accepts.
    Accepted,
    /// A violation.
    Violation,
}

impl Rank {
    /// Of a verdict. `accepted`: whether exceptions accept all its reasons.
    #[must_use]
    pub const fn of(verdict: &Verdict, accepted: bool) -> Self {
        match verdict {
            Verdict::Declared { .. } => Self::Declared,
            Verdict::Undecided { .. } => Self::Undecided,
            Verdict::Violation { .. } if accepted => Self::Accepted,
            Verdict::Violation { .. } => Self::Violation,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Undecided => "undecided",
            Self::Accepted => "accepted",
            Self::Violation => "violation",
        }
    }
}

/// How many flows have which verdict: each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standings {
    /// Flows that a rule allows.
    pub declared: u64,
    /// Flows of which evidence is missing.
    pub undecided: u64,
    /// Flows in violation that exceptions accept.
    pub accepted: u64,
    /// Flows in violation, all others.
    pub violations: u64,
}

impl Standings {
    /// Counts one.
    pub const fn count(&mut self, rank: Rank) {
        match rank {
            Rank::Declared => self.declared += 1,
            Rank::Undecided => self.undecided += 1,
            Rank::Accepted => self.accepted += 1,
            Rank::Violation => self.violations += 1,
        }
    }

    /// Adds those of another group.
    pub const fn add(&mut self, other: &Self) {
        self.declared += other.declared;
        self.undecided += other.undecided;
        self.accepted += other.accepted;
        self.violations += other.violations;
    }

    /// How many have this verdict.
    #[must_use]
    pub const fn of(&self, rank: Rank) -> u64 {
        match rank {
            Rank::Declared => self.declared,
            Rank::Undecided => self.undecided,
            Rank::Accepted => self.accepted,
            Rank::Violation => self.violations,
        }
    }

    /// All.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.declared + self.undecided + self.accepted + self.violations
    }

    /// The worst that there is; `None`: there is none.
    #[must_use]
    pub fn worst(&self) -> Option<Rank> {
        [Rank::Violation, Rank::Accepted, Rank::Undecided, Rank::Declared]
            .into_iter()
            .find(|rank| self.of(*rank) > 0)
    }
}

/// The other end of all flows of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPeer {
    /// The address that the policy compares: of an accepted connection that this host translates, the client's own.
    pub ip: IpAddr,
    /// The name by which the policy knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

/// Open flows that have port, direction, peer and process in common. A process is what stays the same when a program is
/// started again: how it is known, executable, script, unit, user, group, container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowGroup {
    /// Names it.
    pub id: GroupId,
    /// The port, as in events.
    pub port: Shared<Port>,
    /// Which end this host is.
    pub direction: Direction,
    /// The other end.
    pub peer: GroupPeer,
    /// The process of `sample`; `null` if nothing is known of whose the flows are.
    pub process: Option<Shared<Process>>,
    /// Why nothing is known; absent where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattributed: Option<Arc<str>>,
    /// Open flows.
    pub flows: u64,
    /// The same by verdict.
    pub standings: Standings,
    /// The same by how they are encrypted; one of which nothing is known yet is `unknown`.
    pub posture: BTreeMap<PostureState, u64>,
    /// Bytes sent by these flows, as far as they were read.
    pub bytes_sent: u64,
    /// Bytes received by them.
    pub bytes_received: u64,
    /// Flows whose bytes were not read yet: they are in neither sum.
    pub uncounted: u64,
    /// When the oldest of them was established; `null`: before the daemon watched.
    pub oldest: Option<Timestamp>,
    /// The flow that stands for all: the oldest with the worst verdict.
    pub sample: Cookie,
    /// Its verdict, as in events.
    #[serde(with = "wire_verdict")]
    pub verdict: Shared<Verdict>,
    /// The exceptions that accept it, as in events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Shared<Accepted>>,
}

impl FlowGroup {
    /// How bad it is: the verdict of the flow that stands for all.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank::of(&self.verdict, self.accepted.is_some())
    }

    /// Who is at this end, without what changes with every start.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::of(self.process.as_deref())
    }
}

/// Groups of the open flows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowGroups {
    /// Open flows that match, in groups that are listed or not.
    pub flows: u64,
    /// Groups that match, listed or not.
    pub groups: u64,
    /// The sums of the flows of groups for which there was no room; they are in no group and not among `groups`.
    pub beyond: Standings,
    /// The first of them: those with a violation before the others, then those with more flows.
    pub rows: Vec<FlowGroup>,
}

/// What makes two groups one, whichever daemon and whichever answer they come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowKey {
    /// The port's name.
    pub name: Arc<str>,
    /// Its number.
    pub number: u16,
    /// Which end this host is.
    pub direction: Direction,
    /// The other end, as the policy compares it.
    pub peer: IpAddr,
    /// Who is at this end.
    pub identity: Identity,
}

impl RowKey {
    /// Of a group.
    #[must_use]
    pub fn of(group: &FlowGroup) -> Self {
        Self {
            name: Arc::clone(&group.port.name),
            number: group.port.number,
            direction: group.direction,
            peer: group.peer.ip,
            identity: group.identity(),
        }
    }
}
