//! The write-ahead log: when it is written back, and what is done when a reader keeps it from being emptied.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::place::size;
use super::recover::BUSY;

/// What was committed reaches the disk so often, so that a power loss takes no more.
pub(super) const SYNC: Duration = Duration::from_secs(30);
/// It is also written back when the log has so many bytes: as many as SQLite itself would take (1,000 pages).
const USUAL: u64 = 4 << 20;
/// While the log is too large, batches are stored so often: pages that many of them change are written once.
pub(super) const SELDOM: Duration = Duration::from_secs(30);

/// Whether batches are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pressure {
    /// As they come.
    #[default]
    None,
    /// Every [`SELDOM`].
    Less,
    /// Not at all.
    Hold,
}

/// The write-ahead log.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    /// From this size on less is written, and at twice as much nothing.
    max: u64,
    written_back: Instant,
    tried: Instant,
    /// Whether something was committed since it was written back whole.
    dirty: bool,
}

impl Wal {
    pub(super) fn new(path: PathBuf, max: u64, now: Instant) -> Self {
        Self { path, max, written_back: now, tried: now, dirty: true }
    }

    /// Something was committed.
    pub(super) const fn committed(&mut self) {
        self.dirty = true;
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        size(&self.path)
    }

    /// Whether batches are stored.
    pub(super) fn pressure(&self) -> Pressure {
        match self.size() {
            size if size > self.max.saturating_mul(2) => Pressure::Hold,
            size if size > self.max => Pressure::Less,
            _ => Pressure::None,
        }
    }

    /// Writes it back if it is time to. True: all that was committed is on the disk now.
    ///
    /// # Errors
    /// If it cannot be written back.
    pub(super) fn tend(&mut self, db: &Connection, now: Instant) -> rusqlite::Result<bool> {
        let size = self.size();
        let since = now.saturating_duration_since(self.written_back);
        // Above the bound also if nothing is new: a reader may have left without anything being stored since.
        let due = size > self.max || self.dirty && (since >= SYNC || size > USUAL.min(self.max / 2));
        // While a reader is in the way it is tried every second.
        if !due || now.saturating_duration_since(self.tried) < Duration::from_millis(900) && size <= self.max
        {
            return Ok(false);
        }
        self.tried = now;
        let whole = self.write_back(db)?;
        if whole {
            (self.written_back, self.dirty) = (now, false);
        }
        Ok(whole)
    }

    /// Writes it back now. True: whole.
    ///
    /// # Errors
    /// If it cannot be written back.
    pub(super) fn write_back(&self, db: &Connection) -> rusqlite::Result<bool> {
        let whole = checkpoint(db, "PASSIVE")?;
        if whole && self.size() > USUAL.min(self.max / 2) {
            // Only if nobody reads it at this moment: nothing waits for a reader.
            db.busy_timeout(Duration::ZERO)?;
            let truncated = checkpoint(db, "TRUNCATE");
            db.busy_timeout(BUSY)?;
            if let Err(error) = truncated
                && error.sqlite_error_code() != Some(rusqlite::ErrorCode::DatabaseBusy)
            {
                return Err(error);
            }
        }
        Ok(whole)
    }
}

fn checkpoint(db: &Connection, how: &str) -> rusqlite::Result<bool> {
    db.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| {
        let (busy, frames, done): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && frames == done)
    })
}
