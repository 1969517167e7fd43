//! What is wrong with a policy and a host, with evidence: the findings of an audit.
//!
//! Belongs here: the findings (`finding`), how each follows from policy, ledger and inventory (`checks`, one file for each
//! group), which of them somebody accepted (`exceptions`), and what would settle them (`propose`). How they are shown is not
//! known here.

mod about;
mod change;
mod checks;
mod context;
mod count;
mod draft;
mod exceptions;
mod finding;
mod gather;
mod judge;
mod listening;
mod propose;
mod recording;
mod settings;
#[cfg(test)]
mod tests;
mod wording;

pub use about::About;
pub use change::{Change, FindingChange, is_changed};
pub use draft::fingerprint;
pub use finding::{
    Accepted, Audit, Edit, Evidence, Finding, FindingId, NotJudged, Proposal, Severity, Subject,
};
pub use judge::{VOLUME_DAYS, judge};
pub use recording::{Judged, MAX_FINDINGS, Recording};
pub use settings::{CountriesFile, Earlier, Settings};
