//! The data of a `finding` event of an audit: what was found, and how that differs from the audit before.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refs::PolicyRef;
use super::severity::Severity;
use super::time;
use crate::audit::{Accepted, Change, Evidence, FindingChange, FindingId, Subject};
use crate::policy::Place;

/// A finding of an audit that is new, has changed, is settled or has come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFindingEvent {
    /// What was found.
    pub finding: AuditFinding,
    /// The policy that was judged; `null` if there was none.
    pub policy: Option<PolicyRef>,
}

/// What an audit found; of what is settled, as it was last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFinding {
    /// The stable identifier.
    pub id: FindingId,
    /// The same as text.
    pub detail: String,
    /// How severe it is. The event of one that is settled is `info`.
    pub severity: Severity,
    /// 32 hexadecimal digits over id and subject: the same in all events about the same.
    pub fingerprint: Arc<str>,
    /// How it differs from the audit before.
    pub state: Change,
    /// When it was found for the first time.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub since: Timestamp,
    /// What it is about.
    pub subject: Subject,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// The place in the policy; of what nobody declared, where a declaration would go; absent of what is at no place of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What would settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The exception of the policy that accepts it: it is still found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

impl AuditFindingEvent {
    /// The event of a change.
    #[must_use]
    pub fn new(change: FindingChange, policy: Option<PolicyRef>) -> Self {
        let FindingChange { change: state, finding, since, at: _ } = change;
        let finding = AuditFinding {
            id: finding.id,
            detail: finding.message,
            severity: finding.severity,
            fingerprint: finding.fingerprint,
            state,
            since,
            subject: finding.subject,
            evidence: finding.evidence,
            place: finding.place,
            remedy: finding.proposal.map(|proposal| proposal.what),
            accepted: finding.accepted,
        };
        Self { finding, policy }
    }

    /// How much it matters now: what is settled is for the record, and of what is accepted somebody knows.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let AuditFinding { state, severity, accepted, .. } = &self.finding;
        match (state, accepted) {
            (Change::Settled, _) => Severity::Info,
            (_, Some(_)) => Severity::Low.min(*severity),
            (_, None) => *severity,
        }
    }
}
