//! The policy files that a command reads.

use std::path::PathBuf;

use crate::app::PolicyFiles;
use crate::ledger::Settings;

/// Where the policy is unless it is named.
pub(super) const ETC: &str = "/etc/gdprport";

/// The files named, or those of the host.
pub(super) fn policy_files(named: Vec<PathBuf>) -> PolicyFiles {
    if named.is_empty() { PolicyFiles::Directory(ETC.into()) } else { PolicyFiles::Named(named) }
}

/// The ledger named, or that of the host.
pub(super) fn ledger_file(named: Option<&PathBuf>) -> PathBuf {
    named.cloned().unwrap_or_else(|| Settings::PATH.into())
}
