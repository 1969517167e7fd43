//! The files that a command reads: those that were named, or those of the host.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::super::cli::ReportArgs;
use crate::app::transparency::EvidenceSettings;
use crate::app::{Config, ConfigError, PolicyFiles, Trust};
use crate::ledger::{ReadError, Reader};

/// Where the policy is unless it is named.
pub(super) const ETC: &str = "/etc/gdprport";

/// The files named, or those of the host.
pub(super) fn policy_files(named: Vec<PathBuf>) -> PolicyFiles {
    if named.is_empty() { PolicyFiles::Directory(ETC.into()) } else { PolicyFiles::Named(named) }
}

/// Why there is no ledger to read.
#[derive(Debug, Error)]
pub(in crate::ui) enum LedgerError {
    /// The file that was named cannot be used.
    #[error("{0}")]
    Named(ReadError),
    /// The host's cannot be used.
    #[error("{0}")]
    OfHost(ReadError),
    /// There is none, and the daemon is not to keep one.
    #[error("the ledger {}: there is none, as `[ledger] enabled = false` in {} asks for; name another one with --ledger", .0.display(), Config::PLACE)]
    Off(PathBuf),
    /// It is not known where the host's is.
    #[error("where the ledger is, is not known: {}; name it with --ledger", .0.in_one_line())]
    Unplaced(#[from] ConfigError),
}

impl LedgerError {
    /// Whether what was asked for is wrong, and asking again changes nothing.
    pub(in crate::ui) const fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Named(error) => error.why.is_lasting(),
            Self::OfHost(_) | Self::Off(_) => false,
            Self::Unplaced(_) => true,
        }
    }
}

/// Opens the ledger that was named, or the one whose place the configuration names.
///
/// # Errors
/// If there is none, or it cannot be read; or if the configuration cannot.
pub(super) fn open_ledger(named: Option<&Path>) -> Result<Reader, LedgerError> {
    if let Some(path) = named {
        return Reader::open(path).map_err(LedgerError::Named);
    }
    let config = config_of_host()?.ledger;
    Reader::open(config.path()).map_err(|error| {
        if error.is_missing() && !config.is_kept() {
            LedgerError::Off(error.path)
        } else {
            LedgerError::OfHost(error)
        }
    })
}

/// What the host's configuration says.
fn config_of_host() -> Result<Config, ConfigError> {
    // Others read what they may read anyway; root goes where only root sends it.
    let root = rustix::process::geteuid().is_root();
    Config::load(Config::PLACE.as_ref(), if root { Trust::RootOnly } else { Trust::Anyone })
}

/// Where the evidence log is that belongs to the ledger of a report.
///
/// # Errors
/// Why none is known to, as a part of a sentence.
pub(super) fn evidence_place(args: &ReportArgs) -> Result<EvidenceSettings, String> {
    if args.evidence.is_none() && args.ledger.is_some() {
        // This host's log and key would vouch for what may be another host's.
        return Err("--ledger named a ledger, and --evidence no log of the same host".to_owned());
    }
    log_place(args.evidence.as_deref()).map_err(|error| error.to_string())
}

/// Where the evidence log is that was named, or the one that the configuration names.
///
/// # Errors
/// If the configuration cannot be read.
pub(super) fn log_place(named: Option<&Path>) -> anyhow::Result<EvidenceSettings> {
    let config = match named {
        Some(_) => Config::default(),
        None => config_of_host().map_err(|error| {
            anyhow::anyhow!("where the evidence log is, is not known: {}; name it", error.in_one_line())
        })?,
    };
    Ok(config.evidence.place(named))
}
