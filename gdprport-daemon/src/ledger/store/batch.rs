//! A batch as one transaction.

use std::time::Duration;

use gdprport_core::ledger::Batch;
use jiff::Timestamp;
use rusqlite::{Connection, Result, TransactionBehavior};

use super::super::time::micros;
use super::memory::Memory;
use super::{coverage, edges, entries, listeners, volume};

/// From the begin of an hour to its end, to the microsecond.
const LAST_OF_AN_HOUR: Duration = Duration::from_micros(3_600_000_000 - 1);

/// Stores a batch as a whole.
///
/// # Errors
/// If it cannot be stored: then nothing of it is.
pub(in super::super) fn store(connection: &mut Connection, memory: &mut Memory, batch: &Batch) -> Result<()> {
    let stored = store_whole(connection, memory, batch);
    if stored.is_err() {
        memory.forget();
    }
    stored
}

fn store_whole(connection: &mut Connection, memory: &mut Memory, batch: &Batch) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // First, because an entry may begin the run that the rest belongs to.
    entries::store(&transaction, &mut memory.intern, &batch.entries)?;
    edges::store(&transaction, memory, &batch.edges)?;
    listeners::store(&transaction, &mut memory.intern, &batch.listeners)?;
    coverage::store(&transaction, &mut memory.intern, &batch.coverage)?;
    volume::store(&transaction, &mut memory.intern, &batch.volume)?;
    // A ledger that began while the clock was ahead has something to say of the time before.
    transaction.execute(
        "UPDATE meta SET value = ?1 WHERE key = 'begin' AND value > ?1",
        [micros(earliest(batch))],
    )?;
    transaction.execute(
        "UPDATE run SET seen = ?1 WHERE id = (SELECT max(id) FROM run) AND ended IS NULL",
        [micros(batch.until)],
    )?;
    transaction.commit()
}

/// The first time that a batch has something to say of. Not its own where the clock was set forth and back while it was added
/// up: a ledger that is late does so for hours.
fn earliest(batch: &Batch) -> Timestamp {
    let firsts = batch.edges.iter().map(|edge| edge.first);
    let earliest = firsts.fold(batch.until, Timestamp::min);
    // Of an hour before that it is not known when in it; its end is in it too.
    let hours = batch.volume.iter().map(|volume| volume.hour);
    let hours = hours.chain(batch.coverage.iter().map(|coverage| coverage.hour));
    let ends = hours.map(|hour| hour.saturating_add(LAST_OF_AN_HOUR).unwrap_or(hour));
    ends.fold(earliest, Timestamp::min)
}
