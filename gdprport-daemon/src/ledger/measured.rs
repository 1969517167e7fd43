//! The writer and the readers as the bench measures them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use gdprport_core::ledger::{Batch, Observed};
use jiff::Timestamp;

use super::{EdgeFilter, Ledger, Reader, Settings};

/// A ledger that the bench writes.
#[derive(Debug)]
pub struct Written(Ledger);

impl Written {
    /// Opens one, within the usual bounds.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, String> {
        Ledger::open(Settings::new(path)).map(Self).map_err(|error| error.to_string())
    }

    /// Hands a batch over, without waiting.
    ///
    /// # Errors
    /// The batch, while there is no room.
    pub fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        self.0.offer(batch)
    }

    /// Stores what waits.
    ///
    /// # Errors
    /// What was not stored by then, and why.
    pub fn finish(self, deadline: Instant) -> Result<(), String> {
        let left = self.0.finish(deadline);
        if left.waiting == 0 {
            return Ok(());
        }
        Err(format!("{} batches were not stored: {}", left.waiting, left.last_error.unwrap_or_default()))
    }
}

/// Questions that are asked of a ledger, each by a reader of its own, as a command does.
#[derive(Debug, Clone)]
pub struct Asked(PathBuf);

impl Asked {
    /// Of this ledger.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// What `audit` asks.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn observed(&self, from: Timestamp, to: Timestamp) -> Result<Observed, String> {
        self.reader()?.observed(from, to).map_err(|error| error.to_string())
    }

    /// What `flows --since` asks; the number of rows.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn flows(&self, since: Timestamp) -> Result<u64, String> {
        let filter = EdgeFilter { since: Some(since), ..EdgeFilter::default() };
        self.reader()?.edges(&filter).map(|rows| rows.len() as u64).map_err(|error| error.to_string())
    }

    /// What the status asks; the number of rows.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn rows(&self) -> Result<u64, String> {
        self.reader()?.summary().map(|summary| summary.rows).map_err(|error| error.to_string())
    }

    fn reader(&self) -> Result<Reader, String> {
        Reader::open(&self.0).map_err(|error| error.to_string())
    }
}
