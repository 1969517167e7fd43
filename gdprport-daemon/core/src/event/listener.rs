//! The data of the events about a listener: who opened it or tried to, and the verdict.

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
    /// `true`: it was not bound, and does not listen: the policy denied that. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub denied: bool,
    /// `true`: the kernel would not have let it be bound, did the port not have `mode = "warn"`. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub would_deny: bool,
    /// How often the same program and user tried it again and were denied since the event before, which was a minute ago: the first of
    /// each second of each process. Absent: not once.
    #[serde(default, skip_serializing_if = "is_none")]
    pub repeated: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Listener {
    /// One that the kernel decided nothing of.
    #[must_use]
    pub const fn new(local: Endpoint, cookie: Cookie) -> Self {
        Self { local, cookie, denied: false, would_deny: false, repeated: 0 }
    }
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
