//! A batch as one transaction.

use gdprport_core::ledger::Batch;
use rusqlite::{Connection, Result, TransactionBehavior};

use super::super::time::micros;
use super::memory::Memory;
use super::{coverage, edges, entries, listeners, volume};

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
    transaction
        .execute("UPDATE meta SET value = ?1 WHERE key = 'begin' AND value > ?1", [micros(batch.until)])?;
    transaction.execute(
        "UPDATE run SET seen = ?1 WHERE id = (SELECT max(id) FROM run) AND ended IS NULL",
        [micros(batch.until)],
    )?;
    transaction.commit()
}
