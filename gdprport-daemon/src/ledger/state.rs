//! How the ledger is: for the status, the doctor and the coverage.

use std::path::PathBuf;

use jiff::Timestamp;

/// Whether the ledger is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum LedgerState {
    /// What was offered is stored within a second or so.
    #[default]
    Ok,
    /// Batches wait; nothing is lost for as long as the tally has room.
    Late {
        /// Why, and what to do.
        why: String,
    },
    /// It cannot be written; that is tried again every 30 s. Nothing is lost for as long as the tally has room.
    Unavailable {
        /// Why, and what to do.
        why: String,
    },
}

/// The ledger at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LedgerSnapshot {
    /// The database.
    pub(crate) path: PathBuf,
    /// Whether it is written.
    pub(crate) state: LedgerState,
    /// Batches that were stored, by this daemon.
    pub(crate) batches: u64,
    /// Rows of flows that were stored or added to, by this daemon.
    pub(crate) rows: u64,
    /// Batches that wait, with the one that is being stored.
    pub(crate) waiting: u64,
    /// Batches that were given back because there was no room.
    pub(crate) returned: u64,
    /// Size of the database, in bytes.
    pub(crate) bytes: u64,
    /// Size of its write-ahead log, in bytes.
    pub(crate) wal_bytes: u64,
    /// Since when the ledger has something to say; `None`: it was never opened.
    pub(crate) begin: Option<Timestamp>,
    /// Up to when all that happened is in it.
    pub(crate) stored_until: Option<Timestamp>,
    /// Up to when it also survives a power loss.
    pub(crate) synced_until: Option<Timestamp>,
    /// Where the one before was set aside, if this daemon did so: the last one.
    pub(crate) set_aside: Option<PathBuf>,
    /// The last error, whether or not it works now.
    pub(crate) last_error: Option<String>,
}
