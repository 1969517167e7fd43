//! How much rules with a `volume` have moved in the window that goes on.
//!
//! Belongs here: adding up, and when a rule is beyond what it may. What a policy declares is `policy`'s; what the ledger had of
//! the window is asked by the daemon.

mod limited;
mod sums;
#[cfg(test)]
mod tests;

pub use sums::{Beyond, Known, Volumes, Wanted};
