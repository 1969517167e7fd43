//! The past of the ledger, judged by another policy: what it would have said of what was seen.
//!
//! Belongs here: what a row keeps as a policy compares it (`kept`), the judgement (`judge`), and both outcomes side by side
//! (`replay`). The ledger keeps less than a policy may ask for: what it lacks leaves a verdict undecided, never declared.

mod change;
mod judge;
mod kept;
mod replayed;
#[cfg(test)]
mod tests;

pub use change::{Change, Now};
pub use judge::{Alike, Judge, Judged};
pub use kept::Kept;
pub use replayed::{Group, Replay, Total, replay};
