//! Flows.

use gdprport_core::ledger::Edge;
use rusqlite::{Connection, Result, Statement, params};

use super::super::time::{day_number, micros};
use super::memory::Memory;

/// A count as SQLite keeps it. It saturates, as it does in memory.
pub(super) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

// A sum that does not fit becomes a float in SQLite, and `min` takes it back to the largest integer. A flow that was counted in
// a ledger before this one, or in a row that was removed, leaves nothing here.
const ADD: &str = "UPDATE edge SET
    flows = min(flows + ?10, 9223372036854775807), opened = min(opened + ?11, 9223372036854775807),
    closed = min(closed + ?12, 9223372036854775807), failed = min(failed + ?13, 9223372036854775807),
    bytes_sent = min(bytes_sent + ?14, 9223372036854775807),
    bytes_received = min(bytes_received + ?15, 9223372036854775807), last = ?17,
    moved = min(moved + ?18, flows + ?10, 9223372036854775807)
    WHERE day = ?1 AND port = ?2 AND direction = ?3 AND identity = ?4 AND peer = ?5 AND prefix = ?6 AND verdict = ?7
        AND posture = ?8 AND policy = ?9 AND ?16 = ?16";

const MAKE: &str = "INSERT INTO edge(day, port, direction, identity, peer, prefix, verdict, posture, policy,
    flows, opened, closed, failed, bytes_sent, bytes_received, first, last, moved)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, min(?18, ?10))";

/// Adds flows.
///
/// # Errors
/// If they cannot be stored.
pub(super) fn store(db: &Connection, memory: &mut Memory, edges: &[Edge]) -> Result<()> {
    if edges.is_empty() {
        return Ok(());
    }
    let (mut add, mut make) = (db.prepare(ADD)?, db.prepare(MAKE)?);
    let mut days = db.prepare("INSERT OR IGNORE INTO day(day) VALUES(?1)")?;
    let mut last_day = None;
    for edge in edges {
        let day = day_number(edge.day);
        if last_day.replace(day) != Some(day) {
            days.execute([day])?;
        }
        let port = memory.intern.port(db, &edge.key.port)?;
        store_edge(db, memory, edge, (day, port), (&mut add, &mut make))?;
    }
    Ok(())
}

fn store_edge(
    db: &Connection,
    memory: &mut Memory,
    edge: &Edge,
    (day, port): (i64, i64),
    (add, make): (&mut Statement<'_>, &mut Statement<'_>),
) -> Result<()> {
    let Edge { key, counts, first, last, .. } = edge;
    let identity = memory.intern.identity(db, &key.identity)?;
    let verdict = memory.intern.verdict(db, &key.verdict)?;
    let posture = memory.intern.posture(db, &key.posture)?;
    let policy = memory.intern.policy(db, key.policy.as_ref())?;
    let group = (day, port, key.direction, identity);
    let peer = memory.peers.place(db, group, key.peer, memory.max_peers)?;
    let (peer, prefix) = (peer.network().to_string(), peer.prefix_len());
    let values = params![
        day,
        port,
        key.direction.as_str(),
        identity,
        peer,
        prefix,
        verdict,
        posture,
        policy,
        count(counts.flows),
        count(counts.opened),
        count(counts.closed),
        count(counts.failed),
        count(counts.bytes_sent),
        count(counts.bytes_received),
        micros(*first),
        micros(*last),
        count(counts.moved),
    ];
    if add.execute(values)? == 0 {
        make.execute(values)?;
    }
    Ok(())
}
