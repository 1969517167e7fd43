//! Rows of the ledger for commands that judge the past, and what it does not know of the period.

use std::path::Path;

use anyhow::bail;
use gdprport_core::ledger::Edge;
use jiff::Timestamp;

use super::super::cli::Since;
use super::super::format::moment;
use super::files::open_ledger;
use crate::ledger::{EdgeFilter, Reader, StoredEdge};

/// Rows of a period.
pub(super) struct Rows {
    pub(super) reader: Reader,
    /// The rows with their numbers, ascending; not empty.
    pub(super) rows: Vec<(i64, Edge)>,
    /// Begin of the period that was asked for.
    pub(super) since: Timestamp,
    /// Since when the ledger knows something.
    pub(super) begin: Timestamp,
}

impl Rows {
    /// Reads them.
    ///
    /// # Errors
    /// If there is no ledger, or nothing in it of this period.
    pub(super) fn read(ledger: Option<&Path>, since: Since, now: Timestamp) -> anyhow::Result<Self> {
        let since = since.moment(now)?;
        let reader = open_ledger(ledger)?;
        let path = reader.path().display();
        let Some(begin) = reader.summary()?.begin else {
            bail!("the ledger {path} has nothing yet: let the daemon run for some days");
        };
        let filter = EdgeFilter { since: Some(since), ..EdgeFilter::default() };
        let pair = |stored: StoredEdge| (stored.row, stored.edge);
        let rows: Vec<_> = reader.edges(&filter)?.into_iter().map(pair).collect();
        if rows.is_empty() {
            bail!(
                "the ledger {path} has no connection since {}; it began at {}: ask for a longer period with --since, or let the \
                 daemon run",
                moment(since),
                moment(begin)
            );
        }
        Ok(Self { rows, since, begin, reader })
    }

    /// What is not known of the period; `None`: the ledger had begun.
    pub(super) fn unknown(&self) -> Option<String> {
        (self.begin > self.since)
            .then(|| format!("nothing is known before {}, when the ledger began", moment(self.begin)))
    }
}
