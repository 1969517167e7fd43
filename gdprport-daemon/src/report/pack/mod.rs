//! An evidence pack: files that an auditor takes away, with the digest of each.
//!
//! Belongs here: the texts of the files (`coverage`, `violations`, `policies`, `findings`, `readme`), which there are (`files`), and
//! the list of digests with its check (`manifest`). The record of processing and the tables of frameworks are made beside.

mod contents;
mod coverage;
mod files;
mod findings;
mod manifest;
mod policies;
mod readme;
#[cfg(test)]
mod tests;
mod violations;

pub(crate) use contents::Pack;
pub(crate) use files::write_files;
pub(crate) use manifest::{Checked, FileSum, MANIFEST, check, hexadecimal};
