//! The object of `evidence.checkpoint`: what the evidence log was at one moment, signed, for whoever keeps it elsewhere.
//!
//! Such an event is for the spool alone, and so for the receivers of the deliverer: it is of a run of its own, and leaves no gap in
//! the `seq` of the others.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A checkpoint of the evidence log leaves the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceCheckpoint {
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
}

/// A checkpoint of the evidence log. What it proves is `note`; the rest is read from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignedCheckpoint {
    /// The log's name, which is its key's.
    pub log: Arc<str>,
    /// Counts the checkpoints of the log from 0, without a gap.
    pub sequence: u64,
    /// Entries of the log.
    pub size: u64,
    /// The root hash of its tree, Base64.
    pub root: String,
    /// Why it was made: `start`, `activity`, `heartbeat`, `policy`, `erasure`, `rotation` or `stop`.
    pub reason: String,
    /// The signed note, with its line feeds: what `gdprport evidence verify --checkpoint` compares the log with.
    pub note: String,
}
