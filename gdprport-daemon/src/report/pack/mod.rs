//! An evidence pack: files that an auditor takes away, with the digest of each.
//!
//! Belongs here: the texts of the files (`coverage`, `violations`, `policies`, `findings`, `readme`), which there are (`files`),
//! the list of digests (`manifest`), and what is found of a pack later (`check`, `signature`). The record of processing and the tables of frameworks are made beside.

mod check;
mod contents;
mod coverage;
mod files;
mod findings;
mod manifest;
mod policies;
mod readme;
mod signature;
#[cfg(test)]
mod tests;
mod violations;

pub(crate) use check::{Checked, FileSum, Found, check};
pub(crate) use contents::Pack;
pub(crate) use files::write_files;
pub(crate) use manifest::{MANIFEST, ROTATIONS, SIGNATURE};
pub(crate) use signature::Signature;
