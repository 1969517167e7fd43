//! How the ledger is, as the status shows it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The ledger at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerStatus {
    /// Whether it is written.
    pub state: LedgerStanding,
    /// Why it is not written in time, and what to do; `null` while it is.
    pub why: Option<String>,
    /// The database; `null` if none is kept.
    pub path: Option<String>,
    /// Since when it has something to say; `null` if it was never opened.
    pub since: Option<Timestamp>,
    /// Up to when all that happened is in it.
    pub stored_until: Option<Timestamp>,
    /// Up to when it also survives a power loss.
    pub synced_until: Option<Timestamp>,
    /// Rows of flows that this daemon stored or added to.
    pub rows: u64,
    /// Batches that this daemon stored; there is one every second.
    pub batches: u64,
    /// Batches that wait.
    pub waiting: u64,
    /// What found no room on the way to it: each is part of a gap, `ledger:full`.
    pub lost: u64,
    /// Size of the database, in bytes.
    pub bytes: u64,
    /// Size of its write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// Where the ledger before was set aside, if this daemon did so.
    pub set_aside: Option<String>,
    /// The last error, whether or not it works now.
    pub last_error: Option<String>,
}

/// Whether the ledger is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LedgerStanding {
    /// None is kept.
    #[default]
    Off,
    /// What happens is stored within two seconds.
    Ok,
    /// Batches wait; nothing is lost as long as there is room to add up.
    Late,
    /// It cannot be written, which is tried again; nothing is lost as long as there is room to add up.
    Unavailable,
}
