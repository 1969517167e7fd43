//! Why open flows are judged as they are.

use serde::{Deserialize, Serialize};

use gdprport_core::policy::Explanation;

use super::flows::FlowRow;

/// Which flow to explain: the query of `GET /v1/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainQuery {
    /// Its community id, or its cookie in hexadecimal digits, as events have them.
    pub flow: String,
}

impl ExplainQuery {
    /// Flows that are explained: a community id is that of both ends on this host, and of no others at a time but by
    /// chance.
    pub(crate) const MOST: usize = 4;

    /// The cookie that it may be.
    #[must_use]
    pub(crate) fn cookie(&self) -> Option<u64> {
        let digits = self.flow.trim_start_matches("0x");
        u64::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}

/// The reply to `GET /v1/explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExplainReply {
    /// The digest of the active policy.
    pub policy: String,
    /// The open flows of this id; none if there is no such flow, or none any more.
    pub flows: Vec<ExplainedFlow>,
}

/// A flow and why it is judged as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExplainedFlow {
    /// The flow with the verdict of the time when it was judged.
    pub flow: FlowRow,
    /// By the active policy, now.
    pub explanation: Explanation,
}
