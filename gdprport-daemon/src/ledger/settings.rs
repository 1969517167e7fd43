//! What the ledger is opened with, and the one thing that keeps a daemon from starting.

use std::path::PathBuf;

use thiserror::Error;

/// Where the ledger is, and how much it may keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The database; its directory is made if it does not exist.
    pub(crate) path: PathBuf,
    /// Days that are kept, by the wall clock in UTC.
    pub(crate) keep_days: u32,
    /// Bytes that the database may have, without its write-ahead log.
    pub(crate) max_bytes: u64,
    /// Addresses kept one by one for a day, port, direction and identity; more are rolled up to /24 and /48, then to /16 and
    /// /32, then to all.
    pub(crate) peers: u32,
    /// Bytes of the write-ahead log from which on less is written, and at twice as many nothing.
    pub(crate) max_wal: u64,
}

impl Settings {
    /// Where the ledger is, unless it is said otherwise.
    pub(crate) const PATH: &str = "/var/lib/gdprport/ledger.db";

    /// The usual bounds: a year and a month, so that a year can be compared with the one before; an order of magnitude more
    /// bytes than a host with 500 edges a day needs for that.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), keep_days: 400, max_bytes: 256 << 20, peers: 1_000, max_wal: 64 << 20 }
    }
}

/// Another daemon writes this ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the ledger {} is written by another gdprport ({}): stop it, or give this one a ledger of its own with --ledger",
    .path.display(),
    .pid.map_or_else(|| "its process id is not known".to_owned(), |pid| format!("process {pid}"))
)]
pub(crate) struct InUse {
    /// The database.
    pub(crate) path: PathBuf,
    /// The daemon, as it wrote itself into the lock file.
    pub(crate) pid: Option<u32>,
}
