//! What was offered is what a reader gets.

use std::time::{Duration, Instant};

use super::super::{Ledger, LedgerState, Reader, Settings};
use super::samples::{at, batch, began, edge};

#[test]
fn what_was_offered_is_what_a_reader_gets() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ledger.db");
    let ledger = Ledger::open(Settings::new(&path)).expect("nobody else writes it");
    let first = edge("10.0.0.1", 5, 2);
    ledger.offer(began(1, "r1", "b1")).expect("room");
    ledger.offer(batch(6, vec![first.clone(), edge("10.0.0.2", 5, 1)])).expect("room");
    let snapshot = ledger.finish(Instant::now() + Duration::from_secs(10));
    assert_eq!(
        (&snapshot.state, snapshot.batches, snapshot.rows, snapshot.waiting),
        (&LedgerState::Ok, 2, 2, 0)
    );

    let reader = Reader::open(&path).expect("there is one");
    let observed = reader.observed(at(0), at(60)).expect("an answer");
    assert_eq!(observed.edges[0], first);
    assert_eq!(observed.edges.len(), 2);
    assert_eq!((&*observed.runs[0].run, observed.runs[0].to), ("r1", at(6)));
}
