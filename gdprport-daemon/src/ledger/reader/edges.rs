//! Rows of flows, one by one.

use std::sync::Arc;

use gdprport_core::ledger::{Counts, Edge, EdgeKey};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::super::time::{date, day_of, micros, timestamp};
use super::dimensions::{Dimensions, count, direction, peer};
use super::error::{ReadError, Why};
use super::open::Reader;

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct EdgeFilter {
    /// Of the port of this name.
    pub(crate) port: Option<Arc<str>>,
    /// Of this TCP port.
    pub(crate) number: Option<u16>,
    /// Only what no rule allowed although nothing was missing to decide it.
    pub(crate) violations: bool,
    /// Only what was seen at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Only what began at this time or before.
    pub(crate) until: Option<Timestamp>,
    /// No more rows than these; of more, those that were seen last. `None`: all.
    pub(crate) limit: Option<u32>,
}

/// A row with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEdge {
    /// Numbers run in the order of the first observation, and none is given twice.
    pub(crate) row: i64,
    /// The row.
    pub(crate) edge: Edge,
}

/// The columns that [`read_edge`] reads.
pub(super) const COLUMNS: &str =
    "row, day, port, direction, identity, peer, prefix, verdict, posture, policy,
    flows, opened, closed, failed, bytes_sent, bytes_received, first, last, moved";

impl Reader {
    /// Rows of flows, in the order of their numbers.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn edges(&self, filter: &EdgeFilter) -> Result<Vec<StoredEdge>, ReadError> {
        // A verdict's text begins with its outcome: the tag comes first. What is not wanted is left out, and not what is wanted
        // chosen: a row that names what is not there is met, and is no answer.
        // Where all are wanted they come in their order: to sort a quarter of a million takes more memory than to have them.
        let order = if filter.limit.is_some() { "last DESC, row DESC" } else { "row" };
        let sql = format!(
            "SELECT {COLUMNS} FROM edge NOT INDEXED WHERE row BETWEEN ?9 AND ?10 AND day BETWEEN ?1 AND ?2
                AND (?3 IS NULL OR last >= ?3) AND (?4 IS NULL OR first <= ?4)
                AND port NOT IN (SELECT id FROM port WHERE name <> ?5 OR number <> ?6)
                AND (NOT ?7 OR verdict NOT IN (SELECT id FROM verdict WHERE value NOT LIKE '{{\"outcome\":\"violation\"%'))
                ORDER BY {order} LIMIT ?8"
        );
        let (from, to) = (filter.since.map_or(i64::MIN, day_of), filter.until.map_or(i64::MAX, day_of));
        self.ask(|db| {
            let Some((begin, end)) = row_range(db, from, to)? else { return Ok(Vec::new()) };
            let mut statement = db.prepare(&sql)?;
            let mut rows = statement.query(params![
                from,
                to,
                filter.since.map(micros),
                filter.until.map(micros),
                filter.port.as_deref(),
                filter.number,
                filter.violations,
                filter.limit.map_or(-1, i64::from),
                begin,
                end,
            ])?;
            let mut dimensions = Dimensions::new(db);
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_edge(row, &mut dimensions)?);
            }
            found.sort_unstable_by_key(|edge| edge.row);
            found.shrink_to_fit();
            Ok(found)
        })
    }

    /// One row.
    ///
    /// # Errors
    /// If there is none of this number, or no answer.
    pub(crate) fn edge(&self, row: i64) -> Result<StoredEdge, ReadError> {
        let sql = format!("SELECT {COLUMNS} FROM edge WHERE row = ?1");
        let found = self
            .ask(|db| db.query_row(&sql, [row], |row| read_edge(row, &mut Dimensions::new(db))).optional())?;
        found.ok_or_else(|| self.error(Why::NoRow(row)))
    }
}

/// The first and the last row of some days; `None`: there is none. Rows come in the order of time but for a clock that is
/// set, so reading all between them in their order is far less than finding each by its day and sorting.
pub(super) fn row_range(db: &Connection, from: i64, to: i64) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT min(row), max(row) FROM edge WHERE day BETWEEN ?1 AND ?2";
    let range: (Option<i64>, Option<i64>) =
        db.query_row(sql, [from, to], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(range.0.zip(range.1))
}

/// A row of [`COLUMNS`].
fn read_edge(row: &Row<'_>, dimensions: &mut Dimensions<'_>) -> Result<StoredEdge> {
    let key = EdgeKey {
        port: dimensions.port(row.get(2)?)?,
        direction: direction(row.get_ref(3)?.as_str()?)?,
        identity: dimensions.identity(row.get(4)?)?,
        peer: peer(row.get_ref(5)?.as_str()?, row.get(6)?)?,
        verdict: dimensions.verdict(row.get(7)?)?,
        posture: dimensions.posture(row.get(8)?)?,
        policy: dimensions.policy(row.get(9)?)?,
    };
    let (first, last) = (timestamp(row.get(16)?), timestamp(row.get(17)?));
    let edge = Edge { day: date(row.get(1)?), key, counts: counts(row)?, first, last };
    Ok(StoredEdge { row: row.get(0)?, edge })
}

/// The counts of a row of [`COLUMNS`].
pub(super) fn counts(row: &Row<'_>) -> Result<Counts> {
    let flows = count(row, 10)?;
    Ok(Counts {
        flows,
        // Of none more than stood there, whoever wrote it.
        moved: count(row, 18)?.min(flows),
        opened: count(row, 11)?,
        closed: count(row, 12)?,
        failed: count(row, 13)?,
        bytes_sent: count(row, 14)?,
        bytes_received: count(row, 15)?,
    })
}
