//! Connections that there was no room to describe one by one: what is known of them together, and what that proves.
//!
//! Belongs here: from a group of the kernel side to parts, each with its verdict. Does not belong here: the bytes of a group
//! (`decode`), how parts are added up and sent (`suppress`, `ledger`), who a process is (`host`).

mod counts;
mod part;
#[cfg(test)]
mod tests;

pub use counts::OverloadCounts;
pub(crate) use part::posture;
pub use part::{Evidence, Part, of_end, parts};
