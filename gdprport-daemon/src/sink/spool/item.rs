//! What a reader of a spool gets.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// An event.
    Record {
        /// Its number in the spool: strictly ascending, by one unless something was lost in between.
        index: u64,
        /// When it was written to the spool, by the wall clock.
        time: Timestamp,
        /// The event as the sensor encoded it, `gdprport.event/1`, without a line feed.
        line: Bytes,
    },
    /// Events that this reader will never get.
    Lost(Loss),
    /// The spool is not the one that was read before: it was removed and begun anew, or put back from a copy (then it has the
    /// same id). What was in the one before and was not read is gone, and how many events that are is not in the files. Reading
    /// goes on at the oldest record, so that nothing else is missed; what was sent already comes again, with the same ids.
    Anew(Uuid),
}

/// A record that was read, by which it is known again: another one with its index was written into another spool, or into one
/// that was put back from a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) index: u64,
    /// When it was written, ms since 1970.
    pub(crate) time: i64,
    /// CRC-32 of its line.
    pub(crate) sum: u32,
}

impl Seen {
    /// When it was written.
    #[must_use]
    pub(crate) fn at(self) -> Timestamp {
        timestamp(self.time)
    }
}

/// Events that are gone from the spool, from index to index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The first index that is missing.
    pub(crate) from: u64,
    /// The last index that is missing.
    pub(crate) to: u64,
    /// How many events. Less than indexes where some were never used ([`LossReason::Interrupted`]).
    pub(crate) events: u64,
    /// Whether they may be more: nobody knows what was written last where indexes were left out.
    pub(crate) at_least: bool,
    /// They came after this time, of the record before; `None`: nothing is known of a record before.
    pub(crate) since: Option<Timestamp>,
    /// And before this, of the record behind.
    pub(crate) until: Timestamp,
    pub(crate) reason: LossReason,
}

/// Why events are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossReason {
    /// The spool had no more room, or they were too old, or somebody removed a file.
    Removed,
    /// The bytes on disk are not what was written.
    Damaged,
    /// The host ended while the spool was written, and what was written last may not have reached the disk. How many events
    /// these are nobody knows; `events` is 0.
    Interrupted,
}

impl LossReason {
    /// The stable identifier.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Damaged => "damaged",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a spool holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Which spool it is; `None`: it holds nothing yet.
    pub(crate) spool: Option<Uuid>,
    /// The lowest index that may be there.
    pub(crate) first: u64,
    /// The index that the next record gets.
    pub(crate) next: u64,
    /// Records that are there.
    pub(crate) records: u64,
    /// Bytes of all segments.
    pub(crate) bytes: u64,
    /// When the oldest segment was begun.
    pub(crate) oldest: Option<Timestamp>,
}

/// What lies before a reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    /// Records that are there.
    pub(crate) events: u64,
    /// Their bytes in the spool.
    pub(crate) bytes: u64,
    /// When the first of them was written.
    pub(crate) oldest: Option<Timestamp>,
}

/// Why a spool cannot be read. Each is a sentence with its remedy; all may be over later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// There is no directory.
    #[error("there is no spool at {}: the sensor makes it when it starts (`systemctl restart gdprport`), if gdprport.toml has a [[sink]] and does not switch [spool] off", dir.display())]
    Missing { dir: PathBuf },
    /// This user may not read it.
    #[error("the spool at {} cannot be read by this user: `systemd-tmpfiles --create gdprport.conf` gives its directory to the group gdprport-deliver", path.display())]
    Denied { path: PathBuf },
    /// A newer program wrote it.
    #[error("the segment {} is in format {version} of a newer gdprport; update this one", path.display())]
    Newer { path: PathBuf, version: u16 },
    /// Any other error of the system.
    #[error("the spool at {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

impl SpoolError {
    pub(super) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { dir: path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Unreadable { path, source },
        }
    }
}

/// A time of the disk, which may hold anything.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
