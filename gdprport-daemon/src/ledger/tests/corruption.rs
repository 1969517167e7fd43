//! Databases that are damaged, or none of ours: set aside, and begun anew with a note and a gap.

use std::fs;

use gdprport_core::ledger::NoteKind;
use proptest::prelude::*;
use rusqlite::Connection;

use super::super::LedgerState;
use super::samples::{batch, began, edge};
use super::scene::{Scene, finish, offer, sums};

/// Opens what is there, stores a batch, and expects that it was set aside.
fn expect_set_aside(scene: &Scene, kind: &str, why: &str) {
    let before = fs::read(scene.path()).expect("it is there");
    let snapshot = scene.written(vec![began(10, "r2", "b"), batch(11, vec![edge("10.9.9.9", 11, 7)])]);
    assert_eq!((&snapshot.state, snapshot.batches), (&LedgerState::Ok, 2), "{snapshot:?}");
    let asides = scene.asides(kind);
    assert_eq!(asides.len(), 1, "{asides:?}");
    assert_eq!(snapshot.set_aside, Some(scene.dir.path().join(&asides[0])));
    assert_eq!(
        fs::read(scene.dir.path().join(&asides[0])).expect("it is kept"),
        before,
        "it is kept as it was"
    );
    let all = scene.all();
    assert_eq!(sums(&all).opened, 7, "nothing is claimed of what was before");
    let note = all.notes.iter().find(|note| note.kind == NoteKind::SetAside).expect("a note");
    assert!(note.text.contains(why), "{}", note.text);
    assert_eq!(&*all.gaps[0].reason, "ledger:set-aside");
}

fn some_ledger() -> Scene {
    let scene = Scene::new();
    let edges = (0..200).map(|n| edge(&format!("10.0.1.{n}"), 1, 1)).collect();
    scene.written(vec![began(0, "r", "b"), batch(1, edges)]);
    scene
}

#[test]
fn garbage_is_set_aside() {
    let scene = some_ledger();
    fs::write(scene.path(), "no database\n".repeat(1_000)).expect("a file");
    expect_set_aside(&scene, "bad", "no SQLite database");
}

#[test]
fn a_truncated_ledger_is_set_aside() {
    let scene = some_ledger();
    let bytes = fs::read(scene.path()).expect("it is there");
    fs::write(scene.path(), &bytes[..bytes.len() / 2]).expect("a file");
    expect_set_aside(&scene, "bad", "malformed");
}

#[test]
fn garbage_in_a_page_is_set_aside() {
    let scene = some_ledger();
    let mut bytes = fs::read(scene.path()).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    fs::write(scene.path(), &bytes).expect("a file");
    expect_set_aside(&scene, "bad", "");
}

#[test]
fn other_tables_are_set_aside() {
    for change in [
        "DROP TABLE volume",
        "CREATE TRIGGER t AFTER INSERT ON edge BEGIN DELETE FROM edge; END",
        "DROP VIEW flows; CREATE VIEW flows AS SELECT 1",
        "CREATE TABLE another(x)",
    ] {
        let scene = some_ledger();
        scene.sql().execute_batch(change).expect("it can be changed");
        expect_set_aside(&scene, "bad", "its tables are not the ledger's");
    }
}

#[test]
fn another_programs_database_is_set_aside_untouched() {
    let scene = Scene::new();
    scene
        .sql()
        .execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES(1); PRAGMA application_id = 77")
        .expect("made");
    expect_set_aside(&scene, "bad", "another program");
    let scene = Scene::new();
    scene.sql().execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES(1)").expect("made");
    expect_set_aside(&scene, "bad", "another program");
}

#[test]
fn a_newer_ledger_is_set_aside_and_never_removed() {
    let scene = some_ledger();
    scene.sql().execute_batch("PRAGMA user_version = 99").expect("it can be changed");
    expect_set_aside(&scene, "newer-99", "a newer gdprport wrote it (version 99)");
    for _ in 0..5 {
        fs::write(scene.path(), "garbage".repeat(100)).expect("a file");
        finish(scene.open());
    }
    assert_eq!(scene.asides("newer-99").len(), 1);
    assert_eq!(scene.asides("bad").len(), 3, "of the others three are kept");
}

#[test]
fn what_breaks_while_it_is_written_is_set_aside() {
    let scene = some_ledger();
    let ledger = scene.open();
    offer(&ledger, vec![began(10, "r2", "b")]);
    super::scene::wait_for(&ledger, |snapshot| snapshot.batches == 1);
    scene.sql().execute_batch("DROP TABLE edge").expect("it can be changed");
    offer(&ledger, vec![batch(11, vec![edge("10.9.9.9", 11, 7)])]);
    super::scene::wait_for(&ledger, |snapshot| snapshot.batches == 2);
    finish(ledger);
    assert_eq!(scene.asides("bad").len(), 1);
    let all = scene.all();
    assert_eq!(sums(&all).opened, 7, "the batch that met it is stored");
    assert_eq!(&*all.runs[0].run, "r2", "the run goes on");
}

#[test]
fn a_daemon_killed_while_it_made_the_ledger_harms_nothing() {
    let scene = Scene::new();
    fs::write(scene.path(), "").expect("a file");
    assert_eq!(scene.written(vec![batch(1, Vec::new())]).batches, 1);
    let scene = Scene::new();
    Connection::open(scene.path())
        .expect("made")
        .execute_batch("PRAGMA auto_vacuum = 2; VACUUM")
        .expect("made");
    assert_eq!(scene.written(vec![batch(1, Vec::new())]).batches, 1);
    assert_eq!(scene.asides("bad").len(), 0);
}

/// Opens whatever is there, and expects that a batch is stored and read.
fn expect_use(scene: &Scene, what: &str) {
    let snapshot = scene.written(vec![began(10, "r2", "b"), batch(11, vec![edge("10.9.9.9", 11, 7)])]);
    assert_eq!((&snapshot.state, snapshot.batches), (&LedgerState::Ok, 2), "{what}: {snapshot:?}");
    assert!(scene.all().edges.iter().any(|edge| edge.counts.opened >= 7), "{what}");
}

#[test]
fn any_byte_of_the_header_is_used_or_set_aside() {
    let scene = some_ledger();
    let bytes = fs::read(scene.path()).expect("it is there");
    for place in 0..100 {
        let mut changed = bytes.clone();
        changed[place] ^= 0xff;
        fs::write(scene.path(), &changed).expect("a file");
        expect_use(&scene, &format!("byte {place} is {:#x}", changed[place]));
    }
}

#[test]
fn numbers_that_leave_no_room_are_set_aside() {
    for change in [
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "UPDATE edge SET row = 9223372036854775807 WHERE row = 200",
        "UPDATE run SET id = 9223372036854775807",
        "UPDATE note SET id = 9223372036854775807",
        "UPDATE identity SET value = 'x'",
        "UPDATE edge SET opened = -1 WHERE row = 7",
    ] {
        let scene = some_ledger();
        scene.sql().execute_batch(change).expect("it can be changed");
        expect_use(&scene, change);
        assert_eq!(scene.asides("bad").len(), 1, "{change}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever bytes change, it opens or is set aside, and a batch is stored.
    #[test]
    fn any_damage_is_used_or_set_aside(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let scene = some_ledger();
        let mut bytes = fs::read(scene.path()).expect("it is there");
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(scene.path(), &bytes).expect("a file");
        // A reader answers or says why not.
        if let Ok(reader) = super::super::Reader::open(&scene.path()) {
            let _ = reader.observed(super::samples::at(0), super::samples::at(100));
            let _ = reader.findings();
        }
        expect_use(&scene, "whatever bytes changed");
    }
}
