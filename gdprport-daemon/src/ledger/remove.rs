//! Removing days, with what was removed added up and noted.

use gdprport_core::event::Gap;
use gdprport_core::ledger::{Note, NoteKind};
use jiff::Timestamp;
use rusqlite::{Connection, Result, TransactionBehavior, params};

use super::rollup::CHUNK;
use super::store::{add_gap, add_note};
use super::time::{begin_of_day, date, hours_of_day, timestamp};

/// Why rows are missing that the ledger once had.
const REASON: &str = "ledger:removed";

/// Removes some rows of a day; if none is left, the day with all that belongs to it, and notes it.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn some_of(db: &mut Connection, day: i64, why: &str, now: Timestamp) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let removed = take(&transaction, day)?;
    transaction.execute(
        "UPDATE day SET removed = removed + ?2, flows = min(flows + ?3, 9223372036854775807),
            bytes_sent = min(bytes_sent + ?4, 9223372036854775807),
            bytes_received = min(bytes_received + ?5, 9223372036854775807) WHERE day = ?1",
        params![day, removed.rows, removed.flows, removed.sent, removed.received],
    )?;
    if removed.rows < i64::from(CHUNK) {
        finish(&transaction, day, why, now)?;
    }
    transaction.commit()
}

#[derive(Debug, Default)]
struct Removed {
    rows: i64,
    flows: i64,
    sent: i64,
    received: i64,
}

/// The rows that were observed first.
fn take(db: &Connection, day: i64) -> Result<Removed> {
    let mut statement = db.prepare(
        "DELETE FROM edge WHERE row IN (SELECT row FROM edge WHERE day = ?1 ORDER BY row LIMIT ?2)
            RETURNING opened, failed, bytes_sent, bytes_received",
    )?;
    let mut rows = statement.query(params![day, CHUNK])?;
    let mut removed = Removed::default();
    while let Some(row) = rows.next()? {
        let (opened, failed): (i64, i64) = (row.get(0)?, row.get(1)?);
        removed.rows += 1;
        removed.flows = removed.flows.saturating_add(opened).saturating_add(failed);
        removed.sent = removed.sent.saturating_add(row.get(2)?);
        removed.received = removed.received.saturating_add(row.get(3)?);
    }
    Ok(removed)
}

/// What was removed of a day, as a sentence's end, and how many flows that were.
fn sums(db: &Connection, day: i64) -> Result<(String, i64)> {
    let sql = "SELECT removed, flows, bytes_sent, bytes_received FROM day WHERE day = ?1";
    db.query_row(sql, [day], |row| {
        let (rows, flows, sent, received): (i64, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let text = format!(
            "{rows} rows with {flows} flows and failed connects, {sent} bytes sent and {received} received"
        );
        Ok((text, flows))
    })
}

fn finish(db: &Connection, day: i64, why: &str, now: Timestamp) -> Result<()> {
    let (sums, _) = sums(db, day)?;
    let text = format!("{} was removed, because {why}: {sums}", date(day));
    add_note(db, &Note { at: now, kind: NoteKind::Removed, text: text.into() })?;
    let (from, to) = hours_of_day(day);
    db.execute("DELETE FROM volume WHERE hour >= ?1 AND hour < ?2", [from, to])?;
    db.execute("DELETE FROM coverage WHERE hour >= ?1 AND hour < ?2", [from, to])?;
    db.execute("DELETE FROM day WHERE day = ?1", [day])?;
    let is_oldest: bool =
        db.query_row("SELECT NOT EXISTS (SELECT 1 FROM day WHERE day < ?1)", [day], |row| row.get(0))?;
    if is_oldest {
        // What is left begins with the next day; of today only what comes from now on is whole.
        let begin = begin_of_day(day + 1).min(now.as_microsecond());
        db.execute("UPDATE meta SET value = max(value, ?1) WHERE key = 'begin'", [begin])?;
    }
    unused(db)
}

/// Dimensions that no row names any more.
fn unused(db: &Connection) -> Result<()> {
    for (table, column) in [("identity", "identity"), ("verdict", "verdict")] {
        db.execute(
            &format!(
                "DELETE FROM {table} WHERE id NOT IN (SELECT {column} FROM edge UNION SELECT {column} FROM listener)"
            ),
            [],
        )?;
    }
    db.execute_batch(
        "DELETE FROM posture WHERE id NOT IN (SELECT posture FROM edge);
        DELETE FROM rule WHERE id NOT IN (SELECT rule FROM volume);
        DELETE FROM policy WHERE id NOT IN (SELECT policy FROM edge UNION SELECT policy FROM policy_period);
        DELETE FROM policy_source WHERE policy NOT IN (SELECT id FROM policy);
        DELETE FROM port WHERE id NOT IN (SELECT port FROM edge UNION SELECT port FROM listener
            UNION SELECT port FROM volume UNION SELECT port FROM coverage);",
    )
}

/// Notes the days of which something was removed and something is left, with a gap: of those nothing is claimed.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn note_what_is_partly_gone(db: &mut Connection, now: Timestamp) -> Result<()> {
    let days: Vec<i64> = {
        let mut statement = db.prepare("SELECT day FROM day WHERE removed > 0")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_>>()?
    };
    if days.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for day in days {
        let (sums, flows) = sums(&transaction, day)?;
        let text =
            format!("a part of {} was removed, because the ledger has no more room: {sums}", date(day));
        add_note(&transaction, &Note { at: now, kind: NoteKind::Removed, text: text.into() })?;
        let (from, end) = (timestamp(begin_of_day(day)), timestamp(begin_of_day(day + 1)));
        let to = if now > from { end.min(now) } else { end };
        let lost: i64 = transaction.query_row(
            "SELECT coalesce(sum(lost), 0) FROM gap WHERE reason = ?1 AND began = ?2",
            params![REASON, from.as_microsecond()],
            |row| row.get(0),
        )?;
        let lost = u64::try_from(lost.saturating_add(flows)).unwrap_or(0);
        add_gap(&transaction, &Gap { from, to, lost, bound: None, summed: None, reason: REASON.into() })?;
        transaction.execute(
            "UPDATE day SET removed = 0, flows = 0, bytes_sent = 0, bytes_received = 0 WHERE day = ?1",
            [day],
        )?;
    }
    transaction.commit()
}

/// Removes what has no day and ended before a time, in microseconds since 1970.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn before(db: &mut Connection, cutoff: i64) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in [
        "DELETE FROM volume WHERE hour < ?1 / 1000000",
        "DELETE FROM coverage WHERE hour < ?1 / 1000000",
        "DELETE FROM gap WHERE ended < ?1",
        "DELETE FROM note WHERE at < ?1",
        "DELETE FROM listener WHERE open = 0 AND last < ?1",
        "DELETE FROM policy_period WHERE ended < ?1",
        "DELETE FROM run WHERE ended IS NOT NULL AND seen < ?1",
        "DELETE FROM finding_history WHERE finding IN (SELECT id FROM finding WHERE settled < ?1)",
        "DELETE FROM finding WHERE settled < ?1",
        "UPDATE meta SET value = max(value, ?1) WHERE key = 'begin'",
    ] {
        transaction.execute(sql, [cutoff])?;
    }
    transaction.commit()
}

/// Removes the oldest of what is left when there are no rows of flows: a ledger of nothing but gaps has a bound too.
///
/// # Errors
/// If it cannot be stored.
pub(super) fn oldest_of_the_rest(db: &mut Connection, now: Timestamp) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut removed = 0;
    for (table, key) in
        [("gap", "id"), ("note", "id"), ("listener", "id"), ("finding_history", "id"), ("run", "id")]
    {
        let whole = if table == "listener" { "open = 0" } else { "true" };
        removed += transaction.execute(
            &format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {whole} ORDER BY {key} LIMIT
                (SELECT count(*) / 4 FROM {table}))"),
            [],
        )?;
    }
    for table in ["volume", "coverage"] {
        let sql = format!(
            "DELETE FROM {table} WHERE hour < (SELECT min(hour) + (max(hour) - min(hour)) / 4 FROM {table})"
        );
        removed += transaction.execute(&sql, [])?;
    }
    unused(&transaction)?;
    let text = format!(
        "the ledger has no more room (`ledger.max_size`): {removed} rows that are not of flows were removed"
    );
    add_note(&transaction, &Note { at: now, kind: NoteKind::Removed, text: text.into() })?;
    transaction.commit()
}
