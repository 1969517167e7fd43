//! The ledger on disk: an SQLite database with one writer, which counts what the loop hands it, and any number of readers.
//!
//! Belongs here: the schema, what a batch becomes in it, how long it is kept, what happens to a database that cannot be
//! used, and the questions that readers ask. Does not belong here: what is counted (`gdprport_core::ledger`), and what
//! follows from it (`gdprport_core::audit`).

mod carry;
mod check;
mod database;
mod failure;
mod findings;
mod handle;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod intern;
mod measured;
mod peers;
mod place;
mod queue;
mod reader;
mod recover;
mod remove;
mod retention;
mod rollup;
mod schema;
mod settings;
mod state;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod time;
mod wal;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use handle::Ledger;
pub use measured::{Asked, Written};
pub(crate) use reader::{EdgeFilter, ReadError, Reader, StoredEdge, StoredFinding};
pub(crate) use settings::{InUse, Settings};
pub(crate) use state::{LedgerSnapshot, LedgerState};
