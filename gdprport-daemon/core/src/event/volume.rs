//! What a rule has moved in the window that goes on, beside what it may move.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coverage::Bound;
use super::time;
use crate::policy::Window;

/// How much all flows of the rule have moved in the window that goes on: what was seen of it when this was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleVolume {
    /// The role of the rule.
    pub rule: Arc<str>,
    /// Application bytes that were moved, both ways, as far as they were seen.
    pub bytes: u64,
    /// How exact `bytes` is: absent if everything since the beginning of the window was seen, at most a minute later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// How many the policy declares at most.
    pub max: u64,
    /// The window, as the policy writes it.
    pub per: Window,
    /// When the window began.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub from: Timestamp,
    /// When it ends and the next one begins.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub to: Timestamp,
    /// Since when bytes are counted in it: later than `from` if what was before is not known.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub since: Timestamp,
}
