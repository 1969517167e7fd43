//! A batch as one transaction.

use gdprport_core::ledger::Batch;
use rusqlite::{Connection, Result, TransactionBehavior};

use super::super::intern::Intern;
use super::super::time::micros;
use super::{coverage, edges, entries, listeners, volume};

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Stored {
    /// Rows of flows that were made or added to.
    pub(in super::super) rows: u64,
}

/// Stores a batch as a whole.
///
/// # Errors
/// If it cannot be stored: then nothing of it is.
pub(in super::super) fn store(
    connection: &mut Connection,
    intern: &mut Intern,
    batch: &Batch,
) -> Result<Stored> {
    let stored = store_whole(connection, intern, batch);
    if stored.is_err() {
        intern.forget();
    }
    stored
}

fn store_whole(connection: &mut Connection, intern: &mut Intern, batch: &Batch) -> Result<Stored> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // First, because an entry may begin the run that the rest belongs to.
    entries::store(&transaction, intern, &batch.entries)?;
    edges::store(&transaction, intern, &batch.edges)?;
    listeners::store(&transaction, intern, &batch.listeners)?;
    coverage::store(&transaction, intern, &batch.coverage)?;
    volume::store(&transaction, intern, &batch.volume)?;
    transaction.execute(
        "UPDATE run SET seen = ?1 WHERE id = (SELECT max(id) FROM run) AND ended IS NULL",
        [micros(batch.until)],
    )?;
    transaction.commit()?;
    Ok(Stored { rows: batch.edges.len() as u64 })
}
