//! From the ledger to a minimal proposal: one rule for each process with the peers that it was seen with, and nothing that was
//! not seen.
//!
//! Belongs here: which rows are one rule (`group`, `listed`), what is proposed as a comment only and why (`held`), how it is
//! written (`block`, `draft`), as a policy of its own (`whole`) or into an existing one (`merge`, `place`).

mod asked;
mod block;
mod draft;
mod group;
mod held;
mod listed;
mod merge;
mod place;
mod whole;

pub use asked::{Asked, MergeError, Proposal};
pub use merge::merge;
pub use whole::propose;
