//! What the log states of itself, as entries beside the events: JSON objects whose field `entry` says which.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::Entry;
use super::erased::Erased;

/// The version of the format: of entries, bundles and files.
pub const FORMAT_VERSION: u32 = 1;

/// A statement of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Own {
    /// The log begins: the first entry of each.
    Begun {
        /// When.
        time: Timestamp,
        /// [`FORMAT_VERSION`].
        format: u32,
        /// The verifier key of whoever signs.
        key: String,
        /// The log before, if there was one that cannot be gone on with: where it was set aside, and why.
        before: Option<Before>,
    },
    /// A daemon began to write. What comes before is of an earlier one.
    Started {
        /// When.
        time: Timestamp,
        /// `agent.run` of its events.
        run: Uuid,
        /// The boot.
        boot: Uuid,
        /// Its version.
        version: String,
        /// How the log was found.
        found: Found,
    },
    /// A daemon ends in an orderly way.
    Stopped {
        /// When.
        time: Timestamp,
        /// `agent.run` of its events.
        run: Uuid,
        /// Events that it emitted.
        emitted: u64,
    },
    /// Events were emitted and are not in the log.
    Gap {
        /// When it was noticed that they are missing.
        time: Timestamp,
        /// `agent.run` of the events.
        run: Uuid,
        /// How many.
        events: u64,
        /// Why: `queue-full`, `io-error`.
        reason: String,
    },
    /// An event that is longer than an entry can be. It is in the other sinks.
    Oversized {
        /// When it was emitted.
        time: Timestamp,
        /// Its `id`.
        id: Uuid,
        /// `agent.run`.
        run: Uuid,
        /// Its `seq`.
        seq: u64,
        /// Its length, bytes.
        bytes: u64,
        /// SHA-256 of its line without the line feed, hexadecimal.
        sha256: String,
    },
    /// A policy became active. Its files stand beside the tree, by their digests.
    Policy {
        /// When.
        time: Timestamp,
        /// The digest that events name.
        digest: String,
        /// Its files.
        files: Vec<PolicyFile>,
    },
    /// Entries were erased. All earlier erasures are stated again.
    Erased {
        /// When.
        time: Timestamp,
        /// All that was erased so far, this erasure included.
        ranges: Erased,
    },
    /// Another key signs from the next entry on.
    Rotated {
        /// When.
        time: Timestamp,
        /// The signed note of [`Rotation`](super::Rotation), by both keys, as it stands in the file `rotations` too.
        note: String,
    },
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}

/// When an entry was emitted or made; `None` if it does not say.
#[must_use]
pub fn time_of(entry: &Entry<'_>) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Timed {
        time: Timestamp,
    }
    serde_json::from_slice(entry.content).ok().map(|timed: Timed| timed.time)
}

/// A log that could not be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The name of its directory, beside this log's.
    pub place: String,
    /// Why it was not gone on with.
    pub why: String,
}

/// How a daemon found the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Entries that the last checkpoint covers.
    pub signed: u64,
    /// Whole entries behind it, which are kept.
    pub unsigned: u64,
    /// Bytes behind the last whole entry, which were cut off.
    pub torn_bytes: u64,
    /// Whether the daemon before ended in an orderly way. If not, up to a second of entries may be missing if the host ended with it.
    pub orderly: bool,
}

/// A file of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// Its path.
    pub path: String,
    /// SHA-256 of its text, hexadecimal, which is its name below `policy/`.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
}

impl Own {
    /// From the content of an entry; `None` if it is no such statement.
    #[must_use]
    pub fn parse(content: &[u8]) -> Option<Self> {
        serde_json::from_slice(content).ok()
    }

    /// The content of its entry.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data")
    }

    /// When it was made.
    #[must_use]
    pub const fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Begun { time, .. }
            | Self::Started { time, .. }
            | Self::Stopped { time, .. }
            | Self::Gap { time, .. }
            | Self::Oversized { time, .. }
            | Self::Policy { time, .. }
            | Self::Erased { time, .. }
            | Self::Rotated { time, .. } => Some(*time),
            Self::Unknown => None,
        }
    }
}
