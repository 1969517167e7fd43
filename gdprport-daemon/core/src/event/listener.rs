//! The data of the events about a listener: who opened it, and the verdict.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::Cookie;
use super::refs::{PolicyRef, Port};
use super::wire_verdict;
use crate::model::{Endpoint, Process};
use crate::verdict::Verdict;

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Where it is bound; an unspecified address means all.
    pub local: Endpoint,
    /// Its cookie.
    pub cookie: Cookie,
}

/// A listener, who opened it, and what the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListenerEvent {
    /// The port.
    pub port: Arc<Port>,
    /// The socket.
    pub listener: Listener,
    /// Who opened it; `null` if not known.
    pub process: Option<Arc<Process>>,
    /// What the policy says.
    #[serde(with = "wire_verdict")]
    #[schemars(with = "wire_verdict::WireVerdict")]
    pub verdict: Verdict,
    /// The policy in force; `null` if there is none and the catalog applies.
    pub policy: Option<PolicyRef>,
}
