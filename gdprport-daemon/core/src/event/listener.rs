//! The data of the events about a listener: who opened it, and the verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::Cookie;
use super::refs::{PolicyRef, Port};
use super::wire_verdict;
use crate::model::{Endpoint, Process};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Where it is bound; an unspecified address means all.
    pub local: Endpoint,
    /// Its cookie.
    pub cookie: Cookie,
}

/// A listener, who opened it, and the verdict of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListenerEvent {
    /// The port.
    pub port: Shared<Port>,
    /// The socket.
    pub listener: Listener,
    /// Who opened it; `null` if not known.
    pub process: Option<Shared<Process>>,
    /// The verdict of the policy.
    #[serde(with = "wire_verdict")]
    #[schemars(with = "wire_verdict::WireVerdict")]
    pub verdict: Verdict,
    /// The exceptions of the policy that accept every reason of the violation; absent if one is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Shared<Accepted>>,
    /// The active policy; `null` if there is none and the catalog applies.
    pub policy: Option<PolicyRef>,
}
