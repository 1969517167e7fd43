//! A ledger in a few numbers.

use std::fs;
use std::path::Path;

use gdprport_core::ledger::GapRow;
use jiff::Timestamp;

use super::super::time::timestamp;
use super::error::ReadError;
use super::open::{Reader, wal};
use super::periods;

/// A ledger in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Since when it has something to say.
    pub(crate) begin: Option<Timestamp>,
    /// Up to when; `None`: no daemon wrote it yet.
    pub(crate) end: Option<Timestamp>,
    /// Whether a daemon writes it, as far as it knows: the last run has no end.
    pub(crate) running: bool,
    /// Rows of flows.
    pub(crate) rows: u64,
    /// Days with rows.
    pub(crate) days: u64,
    /// Bytes of the database and of its write-ahead log.
    pub(crate) bytes: u64,
}

impl Reader {
    /// The ledger in a few numbers.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn summary(&self) -> Result<Summary, ReadError> {
        let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let bytes = size(self.path()) + size(&wal(self.path()));
        self.ask(|db| {
            let (end, running) = db.query_row(
                "SELECT max(seen), coalesce(max(ended IS NULL), 0) FROM run WHERE id = (SELECT max(id) FROM run)",
                [],
                |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)),
            )?;
            let rows: u32 = db.query_row("SELECT count(*) FROM edge", [], |row| row.get(0))?;
            let days: u32 =
                db.query_row("SELECT count(*) FROM day WHERE day IN (SELECT day FROM edge)", [], |row| row.get(0))?;
            let begin = periods::begin(db)?;
            Ok(Summary { begin, end: end.map(timestamp), running, rows: rows.into(), days: days.into(), bytes })
        })
    }

    /// Losses in a period, oldest first.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn gaps(&self, from: Timestamp, to: Timestamp) -> Result<Vec<GapRow>, ReadError> {
        self.ask(|db| periods::gaps(db, from, to))
    }
}
