//! A part of a log that is proven alone: entries of a time, and the hashes that lead from them to a signed checkpoint.
//!
//! Belongs here: the form of the file, and what a verifier decides. Does not belong here: reading a log's files for it.

mod form;
#[cfg(test)]
mod tests;
mod verify;

pub use form::{Anchor, EXPORT, ExportHead, ExportLine, Included};
pub use verify::{ExportVerified, verify_export};
