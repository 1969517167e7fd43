//! The evidence log: how it is, and what may be asked of whoever writes it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How the evidence log is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EvidenceStatus {
    /// Its directory.
    pub path: String,
    /// The public key that signs it (`name+id+key`); `null` until it was opened once.
    pub key: Option<String>,
    /// Entries that the last checkpoint covers.
    pub size: u64,
    /// That checkpoint; `null`: none was made yet.
    pub checkpoint: Option<CheckpointStatus>,
    /// Why nothing can be written now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A checkpoint of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointStatus {
    /// Its number.
    pub sequence: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
}

/// The body of `POST /v1/evidence/erase`: which entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseQuery {
    /// Those emitted from this time on; absent: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Those emitted before this time.
    pub before: Timestamp,
    /// Why, as the log states it.
    pub why: String,
    /// Who asked for it, as the log states it.
    pub by: String,
}

/// What whoever writes the log is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EvidenceOrder {
    /// `POST /v1/evidence/erase`.
    Erase(EraseQuery),
    /// `POST /v1/evidence/rotate`.
    Rotate,
}

/// The reply to both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EvidenceReply {
    /// Entries that were erased.
    pub entries: u64,
    /// The checkpoint that covers it, a signed note; `null`: there was nothing to erase.
    pub checkpoint: Option<String>,
    /// The public key that signs the log now.
    pub key: String,
}
