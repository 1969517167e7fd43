//! What must hold for any database, as assertions: used by the fuzzer (`fuzz/`) and by the property tests below. Compiled for
//! those two only.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use gdprport_core::ledger::{Batch, Entry};
use jiff::Timestamp;

use super::database::Database;
use super::place::Place;
use super::reader::{EdgeFilter, Reader};
use super::settings::Settings;

/// A directory that is removed.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("gdprport-hostile-{}-{next}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Any bytes as a ledger are read or refused, and used or set aside. The first byte selects: 0: the rest is the file; else
/// each four bytes that follow change one of a ledger, three for the place and one for the value.
pub fn ledger(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let dir = Dir::new();
    let path = dir.0.join("ledger.db");
    let file = if *which == 0 { rest.to_vec() } else { changed(rest) };
    fs::write(&path, file).expect("a file");
    read(&path);
    let mut database = opened(&path);
    if let Err(failure) = database.store(&batch()) {
        assert!(!failure.to_string().is_empty());
        database.begin_anew(&failure).expect("a new one can be written");
        database.store(&batch()).expect("it is whole");
    }
    drop(database);
    read(&path);
}

/// A ledger with some bytes changed.
fn changed(changes: &[u8]) -> Vec<u8> {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| {
        let dir = Dir::new();
        let path = dir.0.join("ledger.db");
        opened(&path).store(&batch()).expect("it is whole");
        fs::read(path).expect("it is there")
    });
    let mut bytes = whole.clone();
    for change in changes.chunks_exact(4) {
        let place = u32::from_be_bytes([0, change[0], change[1], change[2]]) as usize % bytes.len();
        bytes[place] = change[3];
    }
    bytes
}

fn opened(path: &Path) -> Database {
    let mut database = Database::new(Settings::new(path));
    let place = Place::prepare(path).expect("a directory");
    database.open(place, Timestamp::UNIX_EPOCH).expect("it is used or set aside");
    database
}

fn batch() -> Batch {
    let at = Timestamp::UNIX_EPOCH;
    let began = Entry::Began { run: "r".into(), version: "v".into(), boot_id: "b".into(), at };
    let policy = Entry::Policy { digest: Some("d".into()), sources: [].into(), at };
    Batch { until: at, entries: vec![began, policy], ..Batch::default() }
}

/// Every question has an answer, or a sentence why not.
fn read(path: &Path) {
    let reader = match Reader::open(path) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut failures = Vec::new();
    failures.extend(reader.observed(Timestamp::MIN, Timestamp::MAX).err());
    failures.extend(reader.edges(&EdgeFilter::default()).err());
    failures.extend(reader.edge(1).err());
    failures.extend(reader.findings().err());
    failures.extend(reader.policy_text("d").err());
    failures.extend(reader.summary().err());
    assert!(failures.iter().all(|failure| !failure.to_string().is_empty()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ledger;
    use gdprport_core::hostile::seeds::seeds;

    #[test]
    fn every_seed_of_a_ledger_holds_the_assertions() {
        seeds("ledger", ledger);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_bytes_as_a_ledger_are_used_or_set_aside(
            which in 0..2_u8,
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            ledger(&[&[which], &bytes[..]].concat());
        }
    }
}
