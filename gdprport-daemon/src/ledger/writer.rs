//! The ledger's thread: the one writer of the database.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gdprport_core::ledger::Batch;
use rusqlite::Connection;

use super::intern::Intern;
use super::queue::{Queue, Work};
use super::schema;
use super::settings::{InUse, Settings};
use super::state::{LedgerSnapshot, LedgerState};
use super::store;

/// How often the thread looks after the database while nothing comes.
const IDLE: Duration = Duration::from_secs(1);

/// The thread's state.
pub(super) struct Writer {
    settings: Settings,
    queue: Arc<Queue>,
    shared: Arc<Mutex<LedgerSnapshot>>,
    connection: Option<Connection>,
    intern: Intern,
}

impl Writer {
    /// Opens the database.
    ///
    /// # Errors
    /// If another daemon writes it.
    pub(super) fn open(
        settings: Settings,
        queue: Arc<Queue>,
        shared: Arc<Mutex<LedgerSnapshot>>,
    ) -> Result<Self, InUse> {
        let mut writer = Self { settings, queue, shared, connection: None, intern: Intern::default() };
        writer.connect();
        Ok(writer)
    }

    /// Stores what comes until nothing comes any more.
    pub(super) fn run(mut self) {
        loop {
            match self.queue.next(IDLE, self.connection.is_none()) {
                Work::Batch(batch) => self.store(&batch),
                Work::Record(_, reply) => reply(Err("findings are not kept yet".to_owned())),
                Work::Idle => self.connect(),
                Work::End => return,
            }
        }
    }

    fn connect(&mut self) {
        if self.connection.is_some() {
            return;
        }
        match open(&self.settings) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.update(|snapshot| snapshot.state = LedgerState::Ok);
            }
            Err(error) => self.failed(&error),
        }
    }

    fn store(&mut self, batch: &Batch) {
        let Some(connection) = &mut self.connection else { return };
        match store::store(connection, &mut self.intern, batch) {
            Ok(stored) => self.update(|snapshot| {
                snapshot.batches += 1;
                snapshot.rows += stored.rows;
                snapshot.stored_until = Some(batch.until);
            }),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &rusqlite::Error) {
        let why = error.to_string();
        self.update(|snapshot| {
            snapshot.last_error = Some(why.clone());
            snapshot.state = LedgerState::Unavailable { why };
        });
    }

    fn update(&self, change: impl FnOnce(&mut LedgerSnapshot)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn open(settings: &Settings) -> rusqlite::Result<Connection> {
    if let Some(dir) = settings.path.parent() {
        let _ = std::fs::create_dir_all(dir);
    }
    let mut connection = Connection::open(&settings.path)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}
