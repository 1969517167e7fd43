//! How much an event matters. What decides it: [`Body::severity`](super::Body::severity).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much an event matters, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As declared, or about the daemon itself.
    Info,
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look now.
    High,
}

impl Severity {
    /// The word used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::event::{Body, FlowEvent, Kind, Violation, samples};
    use crate::model::Outcome;
    use crate::verdict::{Reason, ReasonId, Verdict};

    fn flow(reasons: &[ReasonId], policy: bool) -> FlowEvent {
        let reasons = reasons.iter().map(|&id| Reason { id, detail: String::new() }).collect();
        let mut flow = samples::forbidden();
        flow.verdict = Arc::new(Verdict::Violation { reasons, nearest: None });
        flow.policy = flow.policy.filter(|_| policy);
        flow
    }

    #[rstest]
    #[case(&[ReasonId::UndeclaredPeer], Severity::High)]
    #[case(&[ReasonId::UndeclaredProcess], Severity::High)]
    #[case(&[ReasonId::ExposedListener], Severity::High)]
    #[case(&[ReasonId::Plaintext], Severity::High)]
    #[case(&[ReasonId::TlsRefused], Severity::High)]
    #[case(&[ReasonId::WeakTls], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredPort], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredDirection], Severity::Medium)]
    #[case(&[ReasonId::RuleExpired], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredListener], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredPeer, ReasonId::RuleExpired], Severity::High)]
    fn a_violation_is_as_severe_as_its_worst_reason_and_low_without_a_policy(
        #[case] reasons: &[ReasonId],
        #[case] expected: Severity,
    ) {
        let declared = flow(reasons, true);
        assert_eq!(Body::FlowClose(Box::new(declared.clone())).severity(), expected);
        assert_eq!(Body::Violation(Box::new(Violation::Flow(declared))).severity(), expected);
        let suspected = Body::Violation(Box::new(Violation::Flow(flow(reasons, false))));
        assert_eq!(suspected.severity(), Severity::Low);
    }

    #[test]
    fn what_is_undecided_or_lost_is_never_info() {
        let undecided = Verdict::Undecided { missing: vec!["the owner".to_owned()], nearest: None };
        let open = FlowEvent { verdict: Arc::new(undecided), ..samples::declared(Outcome::Established) };
        assert_eq!(Body::FlowOpen(Box::new(open)).severity(), Severity::Low);
        assert_eq!(Body::Coverage(Box::new(samples::loss())).severity(), Severity::Medium);
        assert_eq!(samples::body(Kind::Coverage).severity(), Severity::Info);
        assert_eq!(samples::body(Kind::FlowOpen).severity(), Severity::Info);
    }
}
