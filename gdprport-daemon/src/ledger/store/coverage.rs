//! What was watched.

use gdprport_core::ledger::CoverageDelta;
use rusqlite::{Connection, Result, params};

use super::super::intern::Intern;
use super::super::time::hour_of;
use super::edges::count;

/// An hour has no more seconds, even if the clock was set back within it.
const ADD: &str = "INSERT INTO coverage(hour, port, watched_s, seen, lost) VALUES(?1, ?2, min(?3, 3600), ?4, ?5)
    ON CONFLICT DO UPDATE SET watched_s = min(watched_s + excluded.watched_s, 3600),
    seen = min(seen + excluded.seen, 9223372036854775807), lost = min(lost + excluded.lost, 9223372036854775807)";

/// Adds what was watched.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn store(db: &Connection, intern: &mut Intern, coverage: &[CoverageDelta]) -> Result<()> {
    if coverage.is_empty() {
        return Ok(());
    }
    let mut add = db.prepare(ADD)?;
    for delta in coverage {
        let port = intern.port(db, &delta.port)?;
        let CoverageDelta { watched_s, seen, lost, .. } = *delta;
        add.execute(params![hour_of(delta.hour), port, watched_s, count(seen), count(lost)])?;
    }
    Ok(())
}
