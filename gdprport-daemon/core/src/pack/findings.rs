//! Findings that audits recorded in the ledger.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::Finding;

/// A finding as the ledger has it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RecordedFinding")]
pub struct Recorded {
    /// As it was found last.
    pub finding: Finding,
    /// When it was found for the first time.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When it was found last.
    #[schemars(with = "String")]
    pub judged: Timestamp,
    /// When it was not found any more; null: it is open.
    #[schemars(with = "Option<String>")]
    pub settled: Option<Timestamp>,
    /// How it came and went, oldest first.
    pub history: Vec<Happened>,
}

/// One change of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Happened {
    /// When it was noticed.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// `new`, `changed`, `settled` or `reopened`.
    pub change: Arc<str>,
    /// How severe it was then.
    pub severity: Arc<str>,
    /// What it said then.
    pub message: Arc<str>,
}
