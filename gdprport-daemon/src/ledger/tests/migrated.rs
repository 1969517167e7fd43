//! Ledgers of older schemas are taken over whole, or set aside as they were.

use gdprport_core::ledger::NoteKind;
use rusqlite::Connection;

use super::super::schema;
use super::samples::{batch, edge};
use super::scene::{Scene, finish, sums};

/// A ledger of the first schema with a row of three flows, as its program left it.
fn of_the_first_schema(scene: &Scene) -> Connection {
    let mut db = scene.sql();
    schema::migrate_to(&mut db, 1).expect("it can be made");
    db.execute_batch(
        "INSERT INTO port VALUES(1, 'orders', 5432, 1);
        INSERT INTO identity VALUES(1, '{\"attribution\":\"unknown\"}');
        INSERT INTO verdict VALUES(1, '{\"outcome\":\"undecided\"}');
        INSERT INTO posture VALUES(1, '{\"state\":\"unknown\"}');
        INSERT INTO day(day) VALUES(20786);
        INSERT INTO edge VALUES(1, 20786, 1, 'in', 1, '10.0.0.1', 32, 1, 1, 0, 3, 3, 0, 0, 30, 9, 0, 0);",
    )
    .expect("it can be filled");
    db
}

#[test]
fn a_ledger_of_the_first_schema_is_taken_over() {
    let scene = Scene::new();
    drop(of_the_first_schema(&scene));
    scene.written(vec![batch(1, vec![edge("10.0.0.2", 1, 4)])]);
    let all = scene.all();
    let counts = all.edges[0].counts;
    assert_eq!((counts.flows, counts.moved, counts.standing()), (3, 0, 3), "it counts as it did");
    assert_eq!((sums(&all).flows, sums(&all).moved), (7, 2));
    assert_eq!(all.notes.iter().map(|note| note.kind).collect::<Vec<_>>(), [NoteKind::Migrated]);
    assert!(scene.asides("bad").is_empty());
    let view: i64 =
        scene.sql().query_row("SELECT sum(moved) FROM flows", [], |row| row.get(0)).expect("the view has it");
    assert_eq!(view, 2);
}

#[test]
fn an_older_ledger_with_other_tables_is_left_as_it_was() {
    let scene = Scene::new();
    let db = of_the_first_schema(&scene);
    db.execute_batch("CREATE TRIGGER t AFTER INSERT ON edge BEGIN DELETE FROM edge; END").expect("made");
    drop(db);
    let before = std::fs::read(scene.path()).expect("it is there");
    finish(scene.open());
    let asides = scene.asides("bad");
    assert_eq!(asides.len(), 1);
    assert_eq!(std::fs::read(scene.dir.path().join(&asides[0])).expect("it is kept"), before);
}

/// What no reader can read is of no use: it is set aside at once, not at the next start.
#[test]
fn an_older_ledger_that_cannot_be_read_is_set_aside() {
    let scene = Scene::new();
    let db = of_the_first_schema(&scene);
    db.execute_batch("UPDATE identity SET value = 'x'").expect("it can be changed");
    drop(db);
    finish(scene.open());
    assert_eq!(scene.asides("bad").len(), 1);
    assert!(scene.all().edges.is_empty());
}
