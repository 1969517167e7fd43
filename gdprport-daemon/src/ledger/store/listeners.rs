//! Listeners: one row for those of the same address, holder and verdict.

use gdprport_core::ledger::{ListenerDelta, ListenerEvent};
use rusqlite::{Connection, Result, params};

use super::super::intern::Intern;
use super::super::time::micros;

const OPENED: &str = "INSERT INTO listener(port, address, number, identity, verdict, first, last, open)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, 1)
    ON CONFLICT DO UPDATE SET last = excluded.last, open = open + 1";

const CLOSED: &str = "UPDATE listener SET last = ?6, open = max(open - 1, 0)
    WHERE port = ?1 AND address = ?2 AND number = ?3 AND identity = ?4 AND verdict = ?5";

/// Adds what happened to listeners.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn store(db: &Connection, intern: &mut Intern, deltas: &[ListenerDelta]) -> Result<()> {
    for delta in deltas {
        let port = intern.port(db, &delta.port)?;
        let identity = intern.identity(db, &delta.identity)?;
        let verdict = intern.verdict(db, &delta.verdict)?;
        let (address, number) = (delta.local.ip.to_string(), delta.local.port);
        let values = params![port, address, number, identity, verdict, micros(delta.at)];
        match delta.event {
            ListenerEvent::Opened | ListenerEvent::Judged => db.execute(OPENED, values)?,
            ListenerEvent::Closed => db.execute(CLOSED, values)?,
        };
    }
    Ok(())
}
