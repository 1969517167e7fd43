//! A question that cannot be answered whole has no answer: half of one would look like little traffic.

use gdprport_core::ledger::{Batch, VolumeHour};
use gdprport_core::model::Direction;

use super::super::reader::Why;
use super::super::{EdgeFilter, ReadError};
use super::samples::{at, batch, began, edge, port};
use super::scene::Scene;

/// A ledger with something of each kind that a record reads.
fn ledger() -> Scene {
    let scene = Scene::new();
    let volume = VolumeHour {
        hour: at(0),
        port: port(),
        direction: Direction::In,
        rule: Some("app".into()),
        flows: 1,
        bytes_sent: 1,
        bytes_received: 1,
    };
    let flows = batch(1, (0..4).map(|n| edge(&format!("10.0.0.{n}"), n, 2)).collect());
    scene.written(vec![began(0, "r", "b"), Batch { volume: vec![volume], ..flows }]);
    let sql = scene.sql();
    sql.execute_batch(
        "INSERT INTO coverage(hour, port, watched_s, seen, lost) SELECT hour, port, 60, 1, 0 FROM volume;
         INSERT INTO gap(began, ended, lost, bound, reason) SELECT began, began, 1, NULL, 'x' FROM run;
         INSERT INTO note(at, kind, text) SELECT began, 'begun', 'x' FROM run;
         INSERT INTO policy_period(policy, began) SELECT p.id, r.began FROM policy p, run r;
         INSERT INTO listener(port, address, number, identity, verdict, first, last, open)
            SELECT port, '10.0.0.9', 5432, identity, verdict, first, last, 1 FROM edge LIMIT 1;",
    )
    .expect("it fits the schema");
    drop(sql);
    scene
}

/// All that a record reads, as rows and as sums.
fn read(scene: &Scene) -> Result<(usize, usize), ReadError> {
    let reader = scene.reader();
    let filter = EdgeFilter { since: Some(at(-9)), until: Some(at(99)), ..EdgeFilter::default() };
    let rows = reader.edges(&filter)?;
    let observed = reader.observed(at(-9), at(99))?;
    assert_eq!(rows.len(), observed.edges.len(), "each stands alone");
    let others = [observed.volume.len(), observed.coverage.len(), observed.gaps.len(), observed.notes.len()];
    let more = [observed.runs.len(), observed.policies.len(), observed.listeners.len()];
    assert!(others.iter().chain(&more).all(|count| *count > 0), "{observed:?}");
    Ok((rows.len(), observed.edges.len()))
}

#[test]
fn one_damaged_value_leaves_no_answer() {
    assert_eq!(read(&ledger()).expect("an answer"), (4, 4));
    for damage in [
        "UPDATE edge SET direction = 'sideways' WHERE row = 3",
        "UPDATE edge SET port = 999 WHERE row = 3",
        "UPDATE edge SET identity = 999 WHERE row = 3",
        "UPDATE edge SET verdict = 999 WHERE row = 3",
        "UPDATE edge SET posture = 999 WHERE row = 3",
        "UPDATE edge SET policy = 999 WHERE row = 3",
        "UPDATE edge SET peer = 'nowhere' WHERE row = 3",
        "UPDATE edge SET prefix = 33 WHERE row = 3",
        "UPDATE edge SET flows = -1 WHERE row = 3",
        "UPDATE edge SET bytes_sent = -1 WHERE row = 3",
        "DELETE FROM port",
        "DELETE FROM identity",
        "UPDATE identity SET value = '{'",
        "UPDATE verdict SET value = '{\"outcome\":\"perhaps\"}'",
        "UPDATE posture SET value = '[]'",
        "UPDATE port SET number = 70000",
        "UPDATE volume SET direction = 'sideways'",
        "UPDATE volume SET port = 999",
        "UPDATE volume SET rule = 999",
        "UPDATE volume SET bytes_sent = -1",
        "UPDATE coverage SET port = 999",
        "UPDATE coverage SET lost = -1",
        "UPDATE coverage SET watched_s = -1",
        "UPDATE gap SET bound = 'perhaps'",
        "UPDATE gap SET lost = -1",
        "UPDATE note SET kind = 'rumour'",
        "UPDATE run SET ended = 'perhaps'",
        "UPDATE policy_period SET policy = 999",
        "UPDATE listener SET address = 'nowhere'",
        "UPDATE listener SET identity = 999",
        "UPDATE listener SET number = 70000",
    ] {
        let scene = ledger();
        assert_ne!(scene.sql().execute(damage, []).expect("it fits the schema"), 0, "{damage}");
        match read(&scene) {
            Err(ReadError { why: Why::Damaged(_), .. }) => {}
            other => panic!("{damage}: {other:?}"),
        }
    }
}

/// A row that names a port or a verdict that is not there is met by who asks for others, too.
#[test]
fn a_filter_passes_no_damage_over() {
    for (damage, filter) in [
        (
            "UPDATE edge SET port = 999 WHERE row = 3",
            EdgeFilter { number: Some(5432), ..EdgeFilter::default() },
        ),
        (
            "UPDATE edge SET port = 999 WHERE row = 3",
            EdgeFilter { port: Some("orders".into()), ..EdgeFilter::default() },
        ),
        (
            "UPDATE edge SET verdict = 999 WHERE row = 3",
            EdgeFilter { violations: true, ..EdgeFilter::default() },
        ),
    ] {
        let scene = ledger();
        assert!(scene.reader().edges(&filter).is_ok(), "{filter:?}");
        scene.sql().execute(damage, []).expect("it fits the schema");
        let answer = scene.reader().edges(&filter);
        assert!(matches!(&answer, Err(ReadError { why: Why::Damaged(_), .. })), "{damage}: {answer:?}");
    }
    let scene = ledger();
    let none = EdgeFilter { number: Some(25), ..EdgeFilter::default() };
    assert_eq!(scene.reader().edges(&none).expect("an answer"), []);
}

/// What was read until time was up is thrown away.
#[test]
fn a_question_that_takes_too_long_has_no_answer() {
    let scene = Scene::new();
    let many = (0..4_000).map(|n| edge(&format!("10.0.{}.{}", n / 250, n % 250), 1, 1)).collect();
    scene.written(vec![began(0, "r", "b"), batch(1, many)]);
    let filter = EdgeFilter::default();
    // A thousand addresses, and the networks of the others.
    assert!(scene.reader().edges(&filter).expect("an answer").len() > 1_000);
    let reader = scene.reader().without_time();
    let all = [reader.edges(&filter).map(drop), reader.observed(at(-9), at(99)).map(drop)];
    for answer in all {
        assert!(matches!(&answer, Err(ReadError { why: Why::TooLong(0), .. })), "{answer:?}");
    }
}
