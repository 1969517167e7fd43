//! What another version of a policy means, in words: what it allows more, what less, and what it says otherwise.
//!
//! Belongs here: comparing two policies as they are written (`Outline`). Where their files come from, and how the result is
//! shown, is not known here.

mod addresses;
mod change;
mod compare;
mod port;
mod process;
mod rule;
#[cfg(test)]
mod tests;
mod words;

pub use change::{Difference, Effect, What};
pub use compare::difference;
