//! The open flows, those of one port, direction, peer and process as one row.

use gdprport_core::privacy::Applied;
use gdprport_core::top::{FlowGroups, GroupId};
use serde::{Deserialize, Serialize};

use super::flows::{FlowQuery, FlowRow, is_port};

/// Which groups to list: the query of `GET /v1/groups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupQuery {
    /// Only flows of the port with this name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Only groups with a flow in violation.
    #[serde(default)]
    pub violations: bool,
    /// Only this one, and its flows too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// At most this many groups, or flows of one, from 1 to `FlowQuery::MAX_LIMIT`.
    #[serde(default = "default_limit")]
    pub limit: usize,
}

const fn default_limit() -> usize {
    FlowQuery::DEFAULT_LIMIT
}

impl Default for GroupQuery {
    fn default() -> Self {
        Self { port: None, violations: false, group: None, limit: default_limit() }
    }
}

impl GroupQuery {
    /// Whether this port matches.
    #[must_use]
    pub(crate) fn wants_port(&self, name: &str, number: u16) -> bool {
        is_port(self.port.as_deref(), name, number)
    }
}

/// The reply to `GET /v1/groups`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupsReply {
    /// Whether the port of the query is watched; true if it names none.
    pub watched: bool,
    /// What stands here instead of addresses of peers and names of persons; absent: they are true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Applied>,
    /// The sums, and the groups.
    #[serde(flatten)]
    pub groups: FlowGroups,
    /// With `group`: its first flows, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<FlowRow>,
}
