//! What an evidence pack has beside the record of processing: how well each port was watched, and the policies of the period with
//! what changed between them.
//!
//! Belongs here: the model, purely. Its files are the layer `report`'s; reading the ledger is `app`'s.

mod coverage;
mod findings;
#[cfg(test)]
mod tests;
mod versions;

pub use coverage::{PortCoverage, coverage, watched_s};
pub use findings::{Happened, Recorded};
pub use versions::{Change, Text, Version, last_change, versions};
