//! From what was seen on a host to a policy that its author completes: a starter, and proposals that the ledger supports.
//!
//! Belongs here: what is written, and why not more than was seen. Where it was seen (a look at the host, the ledger) is not
//! known here beyond `seen`, nor how questions are asked.

mod answers;
mod gather;
mod header;
mod peers;
mod port;
mod process;
mod proposal;
mod roles;
mod seen;
mod starter;
#[cfg(test)]
mod tests;
mod text;
mod tls;

pub use answers::{Answers, Candidate, ControllerAnswer, NotAnswer, Which};
pub use header::Context;
pub use proposal::{Asked, MergeError, Proposal, merge, propose};
pub use seen::{Seen, SeenEdge, SeenService, Source};
pub use starter::{RULES_MAX, Starter, candidates, is_about, starter};
