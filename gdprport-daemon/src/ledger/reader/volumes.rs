//! How much single rules have moved since an hour began, for the daemon that goes on adding up.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::volume::{Known, Wanted};
use jiff::Timestamp;
use rusqlite::{Connection, Result};

use super::super::time::hour_of;
use super::dimensions::count;
use super::periods;

/// What the ledger knows of each that is wanted, and since when it has something to say; `None`: of nothing.
///
/// # Errors
/// If it cannot be read, or says what no ledger says.
pub(in super::super) fn volumes(
    db: &Connection,
    wanted: &[Wanted],
) -> Result<(Vec<Known>, Option<Timestamp>)> {
    let mut known: Vec<Known> =
        wanted.iter().map(|wanted| Known { wanted: wanted.clone(), bytes: 0 }).collect();
    let places: HashMap<(Arc<str>, Arc<str>), usize> = (wanted.iter().enumerate())
        .map(|(place, wanted)| ((Arc::clone(&wanted.port), Arc::clone(&wanted.role)), place))
        .collect();
    let Some(from) = wanted.iter().map(|wanted| hour_of(wanted.from)).min() else {
        return Ok((known, None));
    };
    let mut statement = db.prepare(
        "SELECT v.hour, p.name, r.role, v.bytes_sent, v.bytes_received FROM volume v JOIN port p ON p.id = v.port
            JOIN rule r ON r.id = v.rule WHERE v.hour >= ?1 AND p.declared",
    )?;
    let mut rows = statement.query([from])?;
    while let Some(row) = rows.next()? {
        let place = places.get(&(row.get(1)?, row.get(2)?));
        let Some(known) = place.and_then(|place| known.get_mut(*place)) else { continue };
        // Added up here and not by SQL: there a sum that overflows is an error.
        if row.get::<_, i64>(0)? >= hour_of(known.wanted.from) {
            known.bytes = known.bytes.saturating_add(count(row, 3)?).saturating_add(count(row, 4)?);
        }
    }
    Ok((known, periods::begin(db)?))
}
