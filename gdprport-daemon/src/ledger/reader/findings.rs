//! Findings of audits, and how they came and went.

use gdprport_core::audit::Finding;
use jiff::Timestamp;
use rusqlite::{Connection, Result};

use super::super::time::timestamp;
use super::dimensions::odd;
use super::error::ReadError;
use super::open::Reader;

/// A finding as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFinding {
    /// As it was found last.
    pub(crate) finding: Finding,
    /// When it was found for the first time.
    pub(crate) since: Timestamp,
    /// When it was found last.
    pub(crate) judged: Timestamp,
    /// When it was not found any more; `None`: it is open.
    pub(crate) settled: Option<Timestamp>,
    /// How it came and went, oldest first.
    pub(crate) history: Vec<FindingEvent>,
}

/// One change of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FindingEvent {
    /// When it was noticed.
    pub(crate) at: Timestamp,
    /// `new`, `changed`, `settled` or `reopened`.
    pub(crate) change: String,
    /// How severe it was then.
    pub(crate) severity: String,
    /// What it said then.
    pub(crate) message: String,
}

impl Reader {
    /// All findings, in the order in which they were found first.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) fn findings(&self) -> Result<Vec<StoredFinding>, ReadError> {
        self.ask(findings)
    }
}

/// All findings.
///
/// # Errors
/// If something in there says what no ledger says.
pub(in super::super) fn findings(db: &Connection) -> Result<Vec<StoredFinding>> {
    let mut findings = db.prepare("SELECT id, value, since, judged, settled FROM finding ORDER BY id")?;
    let mut history = db.prepare(
        "SELECT at, change, severity, message FROM finding_history WHERE finding = ?1 ORDER BY id",
    )?;
    let mut rows = findings.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(1)?.as_str()?;
        let finding = serde_json::from_str(text).map_err(|error| odd(error.to_string()))?;
        let events = history.query_map([row.get::<_, i64>(0)?], |row| {
            let at = timestamp(row.get(0)?);
            Ok(FindingEvent { at, change: row.get(1)?, severity: row.get(2)?, message: row.get(3)? })
        })?;
        found.push(StoredFinding {
            finding,
            since: timestamp(row.get(2)?),
            judged: timestamp(row.get(3)?),
            settled: row.get::<_, Option<i64>>(4)?.map(timestamp),
            history: events.collect::<Result<_>>()?,
        });
    }
    Ok(found)
}
