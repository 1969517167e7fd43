//! What is wrong with a policy and a host, with evidence: the findings of an audit.
//!
//! Belongs here: the findings and how they follow from policy, ledger and inventory. How they are shown is not known here.

mod change;
mod finding;

pub use change::{Change, FindingChange};
pub use finding::{Accepted, Audit, Evidence, Finding, FindingId, NotJudged, Proposal, Severity, Subject};
