//! Readers: beside a daemon, for long, and of what is no ledger.

use std::fs;

use super::super::{EdgeFilter, LedgerState, Reader};
use super::samples::{at, batch, began, edge, edge_of, identity};
use super::scene::{Scene, finish, offer, sums, wait_for};

#[test]
fn a_reader_beside_the_daemon_sees_whole_batches() {
    let scene = Scene::new();
    let ledger = scene.open();
    offer(&ledger, vec![began(0, "r", "b"), batch(1, vec![edge("10.0.0.1", 1, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 2);
    let reader = scene.reader();
    assert_eq!(sums(&reader.observed(at(0), at(9)).expect("an answer")).opened, 1);
    offer(&ledger, vec![batch(2, vec![edge("10.0.0.1", 2, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 3);
    assert_eq!(sums(&reader.observed(at(0), at(9)).expect("an answer")).opened, 2, "the same reader");
    let summary = reader.summary().expect("an answer");
    assert_eq!((summary.rows, summary.days, summary.running, summary.end), (1, 1, true, Some(at(2))));
    finish(ledger);
}

/// A transaction that is held keeps the log from being emptied: first less is written, then nothing, then all again.
#[test]
fn a_long_reader_bounds_the_log_and_loses_nothing() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.max_wal = 256 << 10;
    let ledger = scene.open_with(settings);
    offer(&ledger, vec![batch(1, vec![edge("10.0.0.1", 1, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 1);
    let long = scene.sql();
    long.execute_batch("BEGIN; SELECT count(*) FROM edge").expect("it can be read");
    let many = |second: i64| {
        batch(second, (0..100).map(|n| edge(&format!("10.{second}.0.{n}"), second, 1)).collect())
    };
    let (mut second, mut offered) = (2, 0);
    let late = loop {
        if ledger.offer(many(second)).is_ok() {
            offered += 1;
        } else {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let snapshot = ledger.snapshot();
        if let LedgerState::Late { why } = &snapshot.state
            && why.contains("a reader keeps")
        {
            break snapshot;
        }
        second = 2 + (second - 1) % 200;
        assert!(offered < 1_000, "{snapshot:?}");
    };
    assert!(late.wal_bytes < 4 * (256 << 10), "{late:?}");
    drop(long);
    wait_for(&ledger, |snapshot| snapshot.wal_bytes < 256 << 10);
    finish(ledger);
    assert_eq!(sums(&scene.all()).opened, 1 + offered * 100);
}

#[test]
fn a_copy_is_read_where_nothing_can_be_written() {
    let scene = Scene::new();
    scene.written(vec![began(0, "r", "b"), batch(1, vec![edge("10.0.0.1", 1, 1)])]);
    let copy = Scene::new();
    fs::copy(scene.path(), copy.path()).expect("a copy");
    let before = fs::read_dir(copy.dir.path()).expect("a directory").count();
    assert_eq!(sums(&copy.all()).opened, 1);
    assert_eq!(
        fs::read_dir(copy.dir.path()).expect("a directory").count(),
        before,
        "nothing is made beside it"
    );
}

#[test]
fn what_is_no_ledger_is_named_with_what_to_do() {
    let scene = Scene::new();
    let said = |scene: &Scene| match Reader::open(&scene.path()) {
        Ok(_) => panic!("it is no ledger"),
        Err(error) => error.to_string().replace(scene.dir.path().to_str().expect("UTF-8"), ""),
    };
    assert_eq!(
        said(&scene),
        "the ledger /ledger.db: there is none; the daemon writes it: start it (`systemctl start gdprport`, or `gdprport \
         daemon run`), or name another ledger"
    );
    fs::write(scene.path(), "text ".repeat(1_000)).expect("a file");
    assert!(said(&scene).contains("it is no ledger of gdprport"), "{}", said(&scene));
    let other = Scene::new();
    other.sql().execute_batch("CREATE TABLE t(x)").expect("made");
    assert!(said(&other).contains("another program made it"), "{}", said(&other));
    let newer = Scene::new();
    newer.written(Vec::new());
    newer.sql().execute_batch("PRAGMA user_version = 7").expect("changed");
    assert!(
        said(&newer).contains("its version is 7, and this program knows 2; use the gdprport that wrote it")
    );
    let odd = Scene::new();
    odd.written(vec![batch(1, vec![edge("10.0.0.1", 1, 1)])]);
    odd.sql().execute_batch("UPDATE identity SET value = '{'").expect("changed");
    let error = odd.reader().observed(at(0), at(9)).expect_err("it is damaged").to_string();
    assert!(error.contains("it is damaged"), "{error}");
}

#[test]
fn rows_are_found_by_port_verdict_time_and_number() {
    let scene = Scene::new();
    let mut bad = edge("10.0.0.3", 3, 1);
    bad.key.verdict = gdprport_core::ledger::VerdictKey::Violation {
        reasons: vec![gdprport_core::verdict::ReasonId::UndeclaredPeer],
        nearest: None,
    }
    .into();
    let late = edge_of(&identity("/bin/x"), "10.0.0.2", 200_000, 1);
    scene.written(vec![batch(1, vec![edge("10.0.0.1", 1, 1), late, bad.clone()])]);
    let reader = scene.reader();
    let rows = |filter: EdgeFilter| {
        let rows = reader.edges(&filter).expect("an answer");
        rows.iter().map(|row| row.row).collect::<Vec<_>>()
    };
    let all = EdgeFilter::default();
    assert_eq!(rows(all.clone()), [1, 2, 3]);
    assert_eq!(rows(EdgeFilter { violations: true, ..all.clone() }), [3]);
    assert_eq!(rows(EdgeFilter { since: Some(at(100_000)), ..all.clone() }), [2]);
    assert_eq!(rows(EdgeFilter { until: Some(at(2)), ..all.clone() }), [1]);
    assert_eq!(rows(EdgeFilter { limit: Some(2), ..all.clone() }), [2, 3], "those that were seen last");
    assert_eq!(
        rows(EdgeFilter { port: Some("orders".into()), number: Some(5432), ..all.clone() }),
        [1, 2, 3]
    );
    assert_eq!(rows(EdgeFilter { number: Some(1), ..all }), [] as [i64; 0]);
    assert_eq!(reader.edge(3).expect("an answer").edge, bad);
    let error = reader.edge(9).expect_err("there is none").to_string();
    assert!(error.contains("there is no row 9"), "{error}");
}

#[test]
fn hostile_names_are_stored_as_they_are() {
    let scene = Scene::new();
    let name = format!("/tmp/a\n\0\u{1b}[2J';DROP TABLE edge;--{}", "ä".repeat(1_900));
    let long = format!("{name}{name}{name}");
    let who = identity(&name);
    scene.written(vec![batch(
        1,
        vec![
            edge_of(&who, "10.0.0.1", 1, 1),
            edge_of(&identity(&format!("{long}1")), "10.0.0.1", 1, 1),
            edge_of(&identity(&format!("{long}2")), "10.0.0.1", 1, 1),
        ],
    )]);
    let all = scene.all();
    assert_eq!(all.edges.len(), 3, "two that differ beyond what is kept stay two");
    assert_eq!(all.edges[0].key.identity, who);
    assert!(
        all.edges.iter().all(|edge| edge.key.identity.exe.as_ref().is_some_and(|exe| exe.len() <= 4_096))
    );
}
