//! The database that is written, with all that is remembered of it, and what is done when it is another one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gdprport_core::event::{Bound, Gap};
use gdprport_core::ledger::{Batch, Note, NoteKind};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::carry::Carry;
use super::failure::Failure;
use super::intern::Intern;
use super::peers::Peers;
use super::place::{FileId, Place, size};
use super::recover::{self, Aside, Opened};
use super::retention::{Retention, Step};
use super::settings::Settings;
use super::store::{Memory, add_gap, add_note, store};
use super::time::{micros, timestamp};
use super::wal::{Pressure, Wal};

/// The database, open or not.
pub(super) struct Database {
    settings: Settings,
    open: Option<Open>,
    memory: Memory,
    retention: Retention,
    carry: Carry,
    /// Which file was written last.
    last: Option<FileId>,
    stored_until: Option<Timestamp>,
    synced: Option<Timestamp>,
    begin: Option<Timestamp>,
    aside: Option<PathBuf>,
    /// What was set aside, and no database has noted yet.
    unnoted: Option<Aside>,
}

struct Open {
    connection: Connection,
    place: Place,
    id: Option<FileId>,
    wal_id: Option<FileId>,
    wal: Wal,
}

impl Database {
    pub(super) fn new(settings: Settings) -> Self {
        let max = usize::try_from(settings.peers).unwrap_or(usize::MAX);
        Self {
            settings,
            open: None,
            memory: Memory { intern: Intern::default(), peers: Peers::default(), max_peers: max },
            retention: Retention::default(),
            carry: Carry::default(),
            last: None,
            stored_until: None,
            synced: None,
            begin: None,
            aside: None,
            unnoted: None,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it is open, and is the file that everybody else would open.
    pub(super) fn is_current(&self) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let wal = open.place.wal_id();
            open.id.is_some() && open.place.id() == open.id && (wal == open.wal_id)
        })
    }

    /// Opens it, or what is in its place by now.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn open(&mut self, place: Place, now: Timestamp) -> Result<(), Failure> {
        let gone = self.leave(&place);
        let opened = recover::open(&place, now)?;
        self.begin_with(opened, place, now, gone)
    }

    /// Lets go of a database that is not the one of its path any more. Returns whether it was.
    fn leave(&mut self, place: &Place) -> bool {
        let Some(open) = self.open.take() else {
            return self.last.is_some_and(|last| place.id() != Some(last));
        };
        let gone = place.id() != open.id;
        if gone {
            // Its log must not be taken for that of what is there now, nor be written back by closing.
            let _ = open.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if place.wal_id().is_some() && place.wal_id() == open.wal_id {
                let _ = std::fs::remove_file(place.beside("-wal"));
                let _ = std::fs::remove_file(place.beside("-shm"));
            }
        }
        drop(open);
        self.memory.forget();
        gone
    }

    /// Sets the database aside and begins another one.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(super) fn begin_anew(&mut self, failure: &Failure) -> Result<(), Failure> {
        let Some(open) = self.open.take() else { return Err(failure.clone()) };
        let place = open.place.clone();
        let _ = open.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        drop(open);
        self.memory.forget();
        let now = Timestamp::now();
        self.unnoted = Some(recover::set_aside(&place, failure, now)?);
        let opened = recover::open(&place, now)?;
        self.begin_with(opened, place, now, false)
    }

    fn begin_with(
        &mut self,
        opened: Opened,
        place: Place,
        now: Timestamp,
        gone: bool,
    ) -> Result<(), Failure> {
        let Opened { mut connection, id, is_new, migrated_from, aside } = opened;
        // If this fails, the next one that can be written notes it.
        self.unnoted = aside.or(self.unnoted.take());
        let aside = self.unnoted.clone();
        self.memory.forget();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if is_new {
            transaction.execute("INSERT OR IGNORE INTO meta VALUES('begin', ?1)", [micros(now)])?;
        }
        let note = |kind, text: String| add_note(&transaction, &Note { at: now, kind, text: text.into() });
        if let Some(version) = migrated_from {
            note(NoteKind::Migrated, format!("it was taken over from version {version}"))?;
        }
        let lost = match &aside {
            Some(Aside { path, why, .. }) => {
                Some(format!("the ledger before could not be used ({why}) and is {} now", path.display()))
            }
            None if gone => Some("the ledger's file was removed or replaced while it was written".to_owned()),
            None => None,
        };
        if let Some(text) = lost {
            note(NoteKind::SetAside, text)?;
            let written = aside.as_ref().and_then(|aside| aside.written);
            let from = self.stored_until.or(written).unwrap_or(now).min(now);
            let bound = Some(Bound::AtLeast);
            add_gap(
                &transaction,
                &Gap { from, to: now, lost: 0, bound, summed: None, reason: "ledger:set-aside".into() },
            )?;
        } else if is_new {
            note(NoteKind::Begun, "the ledger begins".to_owned())?;
        }
        self.begin = transaction
            .query_row("SELECT value FROM meta WHERE key = 'begin'", [], |row| row.get(0))
            .optional()?
            .map(timestamp);
        transaction.commit()?;
        // The number of a file that is gone may be given to the new one.
        if is_new || id != self.last {
            let carried = self.carry.batch(now);
            if !carried.entries.is_empty() {
                store(&mut connection, &mut self.memory, &carried)?;
            }
        }
        if let Some(aside) = aside {
            self.aside = Some(aside.path);
            self.unnoted = None;
        }
        let wal = Wal::new(place.beside("-wal"), self.settings.max_wal, Instant::now());
        let wal_id = place.wal_id();
        self.last = id;
        self.open = Some(Open { connection, place, id, wal_id, wal });
        Ok(())
    }

    /// Stores a batch.
    ///
    /// # Errors
    /// If it cannot be stored: then nothing of it is.
    pub(super) fn store(&mut self, batch: &Batch) -> Result<(), Failure> {
        let Some(open) = &mut self.open else { return Err(closed()) };
        store(&mut open.connection, &mut self.memory, batch)?;
        open.wal.committed();
        self.carry.stored(batch);
        self.stored_until = Some(batch.until);
        Ok(())
    }

    /// Writes something else.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write<T>(
        &mut self,
        write: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let Some(open) = &mut self.open else { return Err(closed()) };
        open.wal.committed();
        Ok(write(&mut open.connection)?)
    }

    /// Writes the log back and removes what is too old or too much, for a while.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn tend(&mut self, now: Timestamp, at: Instant, patience: Duration) -> Result<(), Failure> {
        let Some(open) = &mut self.open else { return Err(closed()) };
        if open.wal.tend(&open.connection, at)? {
            self.synced = self.stored_until;
        }
        // What is removed goes through the log too.
        while open.wal.pressure() == Pressure::None && at.elapsed() < patience {
            let step = self.retention.step(&mut open.connection, &self.settings, now, at)?;
            if step == Step::Nothing {
                break;
            }
            open.wal.committed();
            if step == Step::More {
                self.memory.forget();
            }
            if open.wal.tend(&open.connection, Instant::now())? {
                self.synced = self.stored_until;
            }
        }
        Ok(())
    }

    /// Writes everything back and closes it.
    ///
    /// # Errors
    /// If it cannot be written back: what was committed is in the log.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let Some(open) = &self.open else { return Ok(()) };
        if open.wal.write_back(&open.connection)? {
            self.synced = self.stored_until;
        }
        self.close();
        Ok(())
    }

    /// Closes it.
    pub(super) fn close(&mut self) {
        self.open = None;
        self.memory.forget();
    }

    /// Closes it without touching its files: another process may write them.
    pub(super) fn abandon(&mut self) {
        if let Some(open) = &self.open {
            let _ = open.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        self.close();
    }

    pub(super) fn pressure(&self) -> Pressure {
        self.open.as_ref().map_or(Pressure::None, |open| open.wal.pressure())
    }

    /// Bytes of the database and of its log.
    pub(super) fn sizes(&self) -> (u64, u64) {
        self.open
            .as_ref()
            .map_or_else(|| (size(&self.settings.path), 0), |open| (size(&open.place.db), open.wal.size()))
    }

    pub(super) const fn begin(&self) -> Option<Timestamp> {
        self.begin
    }

    pub(super) const fn synced(&self) -> Option<Timestamp> {
        self.synced
    }

    pub(super) fn aside(&self) -> Option<PathBuf> {
        self.aside.clone()
    }
}

fn closed() -> Failure {
    Failure::Unavailable("it is not open".to_owned())
}
