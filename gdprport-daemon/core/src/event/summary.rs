//! The `summary` object: many flow events of one port, counted instead of sent.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::overload::Overload;
use super::refs::{PolicyRef, Port};
use super::severity::Severity;
use super::{time, wire_verdict};
use crate::model::{Direction, PostureState, TlsVersion};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// One group of flow events on a port with `emit = "auto"` or `emit = { summary = … }`: every event that was left out is
/// counted in exactly one of these. Or of connections that there was no room to describe (`overload`): each is counted in
/// exactly one of these too, whatever `emit` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowSummary {
    /// The port.
    pub port: Shared<Port>,
    /// The counts.
    pub summary: Summary,
    /// The verdict that the counted flows have in common, with every reason of a violation. Absent with
    /// `emit = { summary = … }`, and where declared flows of several rules are counted together.
    #[serde(default, with = "wire_verdict::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<wire_verdict::WireVerdict>")]
    pub verdict: Option<Shared<Verdict>>,
    /// The exceptions of the policy that accept the first of the counted violations; all of them are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Shared<Accepted>>,
    /// The policy that was active when these flows were judged; `null` if the catalog applied.
    pub policy: Option<PolicyRef>,
}

impl FlowSummary {
    /// How much it matters: as each of the events that were counted.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.verdict.as_deref().map_or(Severity::Info, |verdict| {
            Severity::of_verdict(verdict, self.accepted.is_some(), self.policy.is_none())
        })
    }
}

/// The counts of one group in one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Begin of the period.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub from: Timestamp,
    /// End of the period.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub to: Timestamp,
    /// What the counted flows have in common; `null` for the groups of a port that take what exceeds the bound on
    /// groups.
    pub group: Option<Group>,
    /// Events counted here: the sum of `opened`, `closed`, `failed`, `updated`, `violations` and `findings`.
    pub events: u64,
    /// `flow.open` events.
    pub opened: u64,
    /// `flow.close` events.
    pub closed: u64,
    /// Of `closed`, those of flows that were ended because the policy denies them (`ended-by-policy`). Not told apart where
    /// there is an `overload`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ended: u64,
    /// `flow.fail` events.
    pub failed: u64,
    /// Of `failed`, those that the policy denied (`mode = "enforce"`). Not told apart where there is an
    /// `overload`: they are in its `denied`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denied: u64,
    /// Of `opened` and `failed`, those of connections that would have been denied (`mode = "warn"`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub would_deny: u64,
    /// `flow.update` and `flow.posture` events.
    pub updated: u64,
    /// `violation` events that would have come with them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub violations: u64,
    /// `finding` events that would have come with them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub findings: u64,
    /// Bytes sent by the flows that closed in the period, over their lifetime, as far as known.
    pub bytes_sent: u64,
    /// Bytes received by the flows that closed in the period, over their lifetime, as far as known.
    pub bytes_received: u64,
    /// Time of the first event counted here.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub first: Timestamp,
    /// Time of the last event counted here.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub last: Timestamp,
    /// Why events were counted instead of sent, and since when; absent with `emit = { summary = … }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<SummedUp>,
    /// What was given up because there were too many groups; absent where the counted flows have one peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarse: Option<Coarse>,
    /// Why these connections were counted where there was no room to describe each; absent where events were left out because
    /// the port's `emit` asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overload: Option<Overload>,
}

/// Why a group is summed up, and for how long: the same in each of its summaries until the last, which has `until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SummedUp {
    /// Why.
    pub because: Because,
    /// The number of events a minute that a group may send one by one.
    pub most: u32,
    /// When it went over to summaries.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub since: Timestamp,
    /// When it went back, in the last of its summaries: from then on its events are sent one by one.
    #[serde(default, with = "time::option", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::option::schema")]
    pub until: Option<Timestamp>,
}

/// Why a group is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// It has more events a minute than may be sent one by one.
    Busy,
    /// The groups that differ from it in the peer only have, all together, more than three times that number.
    BusyTogether,
}

impl Because {
    /// The identifier used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::BusyTogether => "busy-together",
        }
    }
}

/// What a group that takes many peers gave up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coarse {
    /// What the counted flows may differ in.
    pub gave_up: Vec<GaveUp>,
    /// How many different peers they have at least.
    pub peers_at_least: u64,
}

/// What flows that are counted together may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GaveUp {
    /// The peer's address.
    Peer,
    /// The peer's network.
    Network,
    /// The direction.
    Direction,
    /// The process.
    Process,
    /// The rule, or the reasons of a violation: the verdict has all of them.
    Rule,
    /// The encryption.
    Posture,
}

impl GaveUp {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Peer, Self::Network, Self::Direction, Self::Process, Self::Rule, Self::Posture];
}

/// What the flows of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Which end this host's sockets are.
    pub direction: Direction,
    /// The rule that allows them; `null`: undecided, or a violation.
    pub rule: Option<Arc<str>>,
    /// The peers' address; where there is a `peer_prefix`, the first of their network.
    pub peer_ip: IpAddr,
    /// How many bits of `peer_ip` their network has: 0 is all peers of that version. Absent where the address is the peer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_prefix: Option<u8>,
    /// The processes' executable.
    pub exe: Option<Arc<str>>,
    /// The processes' systemd unit.
    pub unit: Option<Arc<str>>,
    /// The processes' user.
    pub user: Option<Arc<str>>,
    /// Their user id, where that has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Their container's name, or its id where no name is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<str>>,
    /// The container's workload, or its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Arc<str>>,
    /// The container's Kubernetes namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// How they are encrypted; absent while it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<GroupPosture>,
}

impl Group {
    /// Flows with a peer, of which nothing else is known.
    #[must_use]
    pub const fn of_peer(direction: Direction, peer_ip: IpAddr) -> Self {
        Self {
            direction,
            rule: None,
            peer_ip,
            peer_prefix: None,
            exe: None,
            unit: None,
            user: None,
            uid: None,
            container: None,
            workload: None,
            namespace: None,
            posture: None,
        }
    }
}

/// How the flows of a group are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct GroupPosture {
    /// The state.
    pub state: PostureState,
    /// The version of TLS, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<TlsVersion>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
