//! What a spool is opened with.

use std::path::PathBuf;
use std::time::Duration;

pub(super) use gdprport_core::sensor::SpoolSync;

/// Where a spool is, how much it holds, and when what was written is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpoolSettings {
    /// Its directory, which is made if it does not exist.
    pub(crate) dir: PathBuf,
    /// Bytes that all segments may have together.
    pub(crate) max_bytes: u64,
    /// For how long events are kept, by the wall clock.
    pub(crate) keep: Duration,
    pub(crate) sync: SpoolSync,
}

impl SpoolSettings {
    /// Where the spool is, unless it is said otherwise.
    pub(crate) const DIR: &str = "/var/lib/gdprport/spool";

    /// The usual bounds: 256 MiB are 100,000 connections with all their events, and a week is longer than receivers are away.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: 256 << 20,
            keep: Duration::from_hours(7 * 24),
            sync: SpoolSync::Within(Duration::from_secs(1)),
        }
    }

    /// Bytes from which on a segment is closed and another one begun: a 64th of the bound, at most 4 MiB. What is removed at
    /// once, read again for it, and not read by a reader behind damage is as much as that.
    pub(super) fn segment_bytes(&self) -> u64 {
        (self.max_bytes / 64).clamp(64 << 10, 4 << 20)
    }
}
