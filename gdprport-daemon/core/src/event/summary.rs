//! The `summary` object: many flow events of one port, counted instead of sent.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refs::{PolicyRef, Port};
use super::time;
use crate::model::Direction;
use crate::shared::Shared;

/// One group of flow events on a port with `emit = { summary = … }`. Every event that was left out is counted
/// in exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowSummary {
    /// The port.
    pub port: Shared<Port>,
    /// The counts.
    pub summary: Summary,
    /// The policy that was active when these flows were judged; `null` if the catalog applied.
    pub policy: Option<PolicyRef>,
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
    /// What the counted flows have in common; `null` for the one group per port that takes what exceeds the
    /// bound on groups.
    pub group: Option<Group>,
    /// Flow events counted here: the sum of the four that follow.
    pub events: u64,
    /// `flow.open` events.
    pub opened: u64,
    /// `flow.close` events.
    pub closed: u64,
    /// `flow.fail` events.
    pub failed: u64,
    /// `flow.update` events.
    pub updated: u64,
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
}

/// What the flows of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Which end this host's sockets are.
    pub direction: Direction,
    /// The rule that allows them; `null`: undecided. Violations are never summed up.
    pub rule: Option<Arc<str>>,
    /// The peers' address.
    pub peer_ip: IpAddr,
    /// The processes' executable.
    pub exe: Option<Arc<str>>,
    /// The processes' systemd unit.
    pub unit: Option<Arc<str>>,
    /// The processes' user.
    pub user: Option<Arc<str>>,
}
