//! A directory with a ledger in it, and waiting for what its thread does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gdprport_core::ledger::{Batch, Counts, Observed};
use rusqlite::Connection;

use super::super::writer::Tuning;
use super::super::{Ledger, LedgerSnapshot, LedgerState, Reader, Settings};
use super::samples::at;
use crate::host::lock::flock;

/// How long something may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is tried again is tried at once.
pub(super) const EAGER: Tuning = Tuning { retry: Duration::from_millis(50), flock };

/// A directory for a ledger.
pub(super) struct Scene {
    pub(super) dir: tempfile::TempDir,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("ledger.db")
    }

    pub(super) fn settings(&self) -> Settings {
        Settings::new(self.path())
    }

    pub(super) fn open(&self) -> Ledger {
        self.open_with(self.settings())
    }

    pub(super) fn open_with(&self, settings: Settings) -> Ledger {
        Ledger::open_with(settings, EAGER).expect("nobody else writes it")
    }

    /// A ledger that was written and closed.
    pub(super) fn written(&self, batches: Vec<Batch>) -> LedgerSnapshot {
        let ledger = self.open();
        offer(&ledger, batches);
        finish(ledger)
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(&self.path()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// All that it has to say, also of what was long ago.
    pub(super) fn all(&self) -> Observed {
        self.reader().observed(at(-400_000_000), at(400_000_000)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The database, with everything allowed.
    pub(super) fn sql(&self) -> Connection {
        Connection::open(self.path()).expect("it can be opened")
    }

    /// Names of what was set aside.
    pub(super) fn asides(&self, kind: &str) -> Vec<String> {
        let prefix = format!("ledger.db.{kind}-");
        let names = std::fs::read_dir(self.dir.path()).expect("a directory").flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| name.starts_with(&prefix) && !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort_unstable();
        names
    }
}

/// Hands batches over, and waits where there is no room.
pub(super) fn offer(ledger: &Ledger, batches: Vec<Batch>) {
    let until = Instant::now() + PATIENCE;
    for mut batch in batches {
        while let Err(back) = ledger.offer(batch) {
            assert!(Instant::now() < until, "no room: {:?}", ledger.snapshot());
            std::thread::sleep(Duration::from_millis(2));
            batch = *back;
        }
    }
}

/// Waits until the ledger is as it should be.
pub(super) fn wait_for(ledger: &Ledger, mut is_so: impl FnMut(&LedgerSnapshot) -> bool) -> LedgerSnapshot {
    let until = Instant::now() + PATIENCE;
    loop {
        let snapshot = ledger.snapshot();
        if is_so(&snapshot) {
            return snapshot;
        }
        assert!(Instant::now() < until, "{snapshot:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Why it is not written.
pub(super) fn unavailable(snapshot: &LedgerSnapshot) -> Option<&str> {
    match &snapshot.state {
        LedgerState::Unavailable { why } => Some(why),
        _ => None,
    }
}

pub(super) fn finish(ledger: Ledger) -> LedgerSnapshot {
    ledger.finish(Instant::now() + PATIENCE)
}

/// The sums of all rows.
pub(super) fn sums(observed: &Observed) -> Counts {
    let mut sums = Counts::default();
    observed.edges.iter().for_each(|edge| sums.add(&edge.counts));
    sums
}
