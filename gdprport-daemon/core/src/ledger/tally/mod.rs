//! From changes to batches: everything that happens is added up by what it has in common, until it is drained.
//!
//! Belongs here: adding up, within bounds. Does not belong here: what is added up (`row`), and where it is stored.

mod covered;
mod drained;
mod entries;
mod interned;
mod left;
mod open;
mod row;
mod rows;
mod seen;
#[expect(clippy::module_inception, reason = "it holds the type of this name, and this file only declares")]
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use open::OpenFlows;
pub use tally::{Tally, TallyLimits};
