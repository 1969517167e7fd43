//! Rows of flows: what they are put together by, and what is added up.

use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::model::{Direction, Posture, PostureState, TlsVersion};
use crate::verdict::{ReasonId, Verdict};

/// A port declaration, or an undeclared port of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortKey {
    /// The declaration's name, or the catalog's.
    pub name: Arc<str>,
    /// The TCP port, host byte order.
    pub number: u16,
    /// False if only the catalog knows it.
    pub declared: bool,
}

/// A verdict without texts that differ from flow to flow: what was decided and by what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum VerdictKey {
    /// A rule allows it.
    Declared {
        /// Its role.
        rule: Arc<str>,
    },
    /// No rule allows it.
    Violation {
        /// Every reason, ascending, each once.
        reasons: Vec<ReasonId>,
        /// The role of the rule that came closest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<Arc<str>>,
    },
    /// Evidence is missing.
    Undecided {
        /// The role of the rule that would allow it, if the evidence were as it demands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<Arc<str>>,
    },
}

impl VerdictKey {
    /// `declared`, `violation` or `undecided`.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Declared { .. } => "declared",
            Self::Violation { .. } => "violation",
            Self::Undecided { .. } => "undecided",
        }
    }

    /// The rule that allowed it.
    #[must_use]
    pub const fn rule(&self) -> Option<&Arc<str>> {
        match self {
            Self::Declared { rule } => Some(rule),
            Self::Violation { .. } | Self::Undecided { .. } => None,
        }
    }

    /// The rule whose volume it counts in: the one that allowed it, or would were it not beyond its volume.
    #[must_use]
    pub fn volume_of(&self) -> Option<&Arc<str>> {
        match self {
            Self::Violation { reasons, nearest } if reasons.contains(&ReasonId::VolumeExceeded) => {
                nearest.as_ref()
            }
            _ => self.rule(),
        }
    }
}

impl From<&Verdict> for VerdictKey {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Declared { rule } => Self::Declared { rule: Arc::clone(rule) },
            Verdict::Violation { reasons, nearest } => {
                let mut reasons: Vec<ReasonId> = reasons.iter().map(|reason| reason.id).collect();
                reasons.sort_unstable();
                reasons.dedup();
                Self::Violation { reasons, nearest: nearest.as_ref().map(|near| Arc::clone(&near.role)) }
            }
            Verdict::Undecided { nearest, .. } => {
                Self::Undecided { nearest: nearest.as_ref().map(|near| Arc::clone(&near.role)) }
            }
        }
    }
}

/// How a flow is encrypted, without texts that differ from flow to flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PostureKey {
    /// The state; `Unknown` also while nothing decides it.
    pub state: PostureState,
    /// The version of TLS that the server chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<TlsVersion>,
    /// The cipher suite that the server chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Arc<str>>,
    /// Until when the server's certificate is valid, where TLS shows it (up to 1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_until: Option<Timestamp>,
}

impl PostureKey {
    /// Of a posture; `None`: nothing decides it yet.
    #[must_use]
    pub fn of(posture: Option<&Posture>) -> Self {
        match posture {
            None => {
                Self { state: PostureState::Unknown, version: None, cipher: None, certificate_until: None }
            }
            Some(posture) => Self {
                state: posture.state,
                version: posture.version,
                cipher: posture.cipher.clone(),
                certificate_until: posture.certificate.as_ref().map(|certificate| certificate.not_after),
            },
        }
    }
}

/// What flows are put together by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EdgeKey {
    /// The port.
    pub port: Arc<PortKey>,
    /// Which end this host is.
    pub direction: Direction,
    /// Who is at this end.
    pub identity: Arc<Identity>,
    /// The other end: an address (of full length) as the policy compares it, or a network that addresses were rolled up to.
    pub peer: IpNet,
    /// What was decided.
    pub verdict: Arc<VerdictKey>,
    /// How it was encrypted.
    pub posture: Arc<PostureKey>,
    /// The digest of the policy that decided; `None`: the catalog.
    pub policy: Option<Arc<str>>,
}

/// What is added up.
///
/// Of all rows together, for every interleaving: `opened` is the number of `flow.open` events, `closed` of `flow.close`,
/// `failed` of `flow.fail` under `emit = "every"`, and the bytes are the last counts that events have of each flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Flows and failed connects that stood here at some time of the day, each once a row: they began here, came here from
    /// another row, or were open here when the day began and sent a sign of life.
    pub flows: u64,
    /// Of these, flows that went on to another row of the same day: by another identity, verdict, posture, peer or policy. No
    /// more than `flows` once a day's batches are added up. A ledger of the first schema has 0.
    #[serde(default)]
    pub moved: u64,
    /// Flows that were reported as open here.
    pub opened: u64,
    /// Flows that ended here.
    pub closed: u64,
    /// Connects that failed here.
    pub failed: u64,
    /// Application bytes that this host sent meanwhile.
    pub bytes_sent: u64,
    /// Application bytes that it received meanwhile.
    pub bytes_received: u64,
}

impl Counts {
    /// Flows and failed connects that stand here for good: each flow of a day in one row, the last that it came to. One that is
    /// open for several days stands in a row of each.
    #[must_use]
    pub const fn standing(&self) -> u64 {
        self.flows.saturating_sub(self.moved)
    }

    /// Whether all that stood here went on to other rows.
    #[must_use]
    pub const fn is_passed_through(&self) -> bool {
        self.moved > 0 && self.standing() == 0
    }

    /// Adds those of another row. They saturate.
    pub const fn add(&mut self, other: &Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.moved = self.moved.saturating_add(other.moved);
        self.opened = self.opened.saturating_add(other.opened);
        self.closed = self.closed.saturating_add(other.closed);
        self.failed = self.failed.saturating_add(other.failed);
        self.bytes_sent = self.bytes_sent.saturating_add(other.bytes_sent);
        self.bytes_received = self.bytes_received.saturating_add(other.bytes_received);
    }
}

/// Flows of one key on one day, or what came to them since the last batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The day by the wall clock, in UTC.
    pub day: Date,
    /// What they have in common.
    pub key: EdgeKey,
    /// What is added up.
    pub counts: Counts,
    /// The first observation, by the wall clock as it stood then.
    pub first: Timestamp,
    /// The last observation. Before `first` if the clock was set back.
    pub last: Timestamp,
}
