//! What a policy is read from: texts with the names of their files, and how large they may be.

use serde::{Deserialize, Serialize};

/// How many files a policy may consist of.
pub const FILES_MAX: usize = 1024;
/// How many bytes one file may have.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// How many bytes all files together may have.
pub const TOTAL_BYTES_MAX: usize = 32 << 20;

/// One file of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The path as it is shown to the user.
    pub name: String,
    /// The text.
    pub text: String,
}
