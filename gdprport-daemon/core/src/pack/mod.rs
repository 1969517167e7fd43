//! What an evidence pack has beside the record of processing: how well each port was watched, the policies of the period with
//! what changed between them, and the checkpoints of the evidence log.
//!
//! Belongs here: the model, purely. Its files are the layer `report`'s; reading the ledger is `app`'s.

mod coverage;
mod findings;
mod log;
#[cfg(test)]
mod tests;
mod versions;

pub use coverage::{PortCoverage, coverage, watched_s};
pub use findings::{Happened, Recorded};
pub use log::{Choice, Handed, LogPart};
pub use versions::{Change, Text, Version, last_change, versions};
