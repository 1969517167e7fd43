//! The data of the events about one flow: its ends and their owners, its encryption, the verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::Flow;
use super::overload::StandsFor;
use super::refs::{PolicyRef, Port};
use super::severity::Severity;
use super::volume::RuleVolume;
use super::wire_verdict;
use crate::model::{Posture, Process};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// A flow, who talks, and the verdict of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowEvent {
    /// The port.
    pub port: Shared<Port>,
    /// The connection.
    pub flow: Flow,
    /// The owner of the local end; `null` if not known.
    pub process: Option<Shared<Process>>,
    /// The owner of the other end, where that is on this host too and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_process: Option<Shared<Process>>,
    /// What was seen of the encryption; absent while it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<Shared<Posture>>,
    /// The verdict of the policy.
    #[serde(with = "wire_verdict")]
    #[schemars(with = "wire_verdict::WireVerdict")]
    pub verdict: Shared<Verdict>,
    /// The exceptions of the policy that accept every reason of the violation; absent if one is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Shared<Accepted>>,
    /// Only of a `violation`: how many connections it stands for, where there was no room to describe each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overload: Option<StandsFor>,
    /// With the reason `volume-exceeded`: what the rule has moved by now, and what it may move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Box<RuleVolume>>,
    /// The active policy; `null` if there is none and the catalog applies.
    pub policy: Option<PolicyRef>,
}

/// Why something that should be proven is not. The identifiers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingId {
    /// A flow ended on a port whose policy demands TLS, and its encryption never became known, or only the server's side of
    /// its handshake was seen.
    PostureUnknown,
    /// A flow ended on a port whose policy demands TLS, and it was encrypted by something else, which has no version of
    /// TLS to compare.
    PostureNotTls,
}

impl FindingId {
    /// The identifier used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PostureUnknown => "posture-unknown",
            Self::PostureNotTls => "posture-not-tls",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The stable identifier.
    pub id: FindingId,
    /// The same as text.
    pub detail: String,
}

/// A finding about a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowFindingEvent {
    /// What was found.
    pub finding: Finding,
    /// The flow it is about.
    #[serde(flatten)]
    pub flow: FlowEvent,
}

impl FlowEvent {
    /// How much an event about it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        Severity::of_verdict(&self.verdict, self.accepted.is_some(), self.policy.is_none())
    }
}
