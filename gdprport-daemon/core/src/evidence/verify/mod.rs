//! Verifying a log from its files alone: what a verifier finds, in one pass, in bounded memory.
//!
//! Belongs here: the decisions. Does not belong here: where the files are ([`Log`] hands them over), and how findings are shown.

mod block;
mod finding;
mod heads;
mod log;
mod marks;
mod pass;
mod runs;
mod signed;
mod state;
mod verifier;

pub use finding::{Finding, Findings, What};
pub use log::{Block, Elsewhere, Log, Text};
pub(super) use runs::{EventHead, Runs};
pub(super) use signed::signed;
pub use state::{Away, LatestStamp, Stamps, Stopped, Verified};
pub use verifier::verify;
