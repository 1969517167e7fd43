//! Volume by hour.

use gdprport_core::ledger::VolumeHour;
use rusqlite::{Connection, Result, params};

use super::super::intern::Intern;
use super::super::time::hour_of;
use super::edges::count;

const ADD: &str = "INSERT INTO volume(hour, port, direction, rule, flows, bytes_sent, bytes_received)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET
    flows = min(flows + excluded.flows, 9223372036854775807),
    bytes_sent = min(bytes_sent + excluded.bytes_sent, 9223372036854775807),
    bytes_received = min(bytes_received + excluded.bytes_received, 9223372036854775807)";

/// Adds volume.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn store(db: &Connection, intern: &mut Intern, volume: &[VolumeHour]) -> Result<()> {
    if volume.is_empty() {
        return Ok(());
    }
    let mut add = db.prepare(ADD)?;
    for of in volume {
        let port = intern.port(db, &of.port)?;
        let rule = intern.rule(db, of.rule.as_ref())?;
        let (sent, received) = (count(of.bytes_sent), count(of.bytes_received));
        let (hour, direction) = (hour_of(of.hour), of.direction.as_str());
        add.execute(params![hour, port, direction, rule, count(of.flows), sent, received])?;
    }
    Ok(())
}
