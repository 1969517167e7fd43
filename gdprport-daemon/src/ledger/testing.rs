//! What tests of other layers do to a ledger that nobody writes.

use std::path::Path;

use rusqlite::Connection;

use super::rollup::{LAST_LEVEL, roll_up};

/// Rolls up every day to this level, as if it had no room.
pub(crate) fn roll_up_all(path: &Path) {
    let mut db = Connection::open(path).expect("it can be opened");
    let days: Vec<i64> = {
        let mut days = db.prepare("SELECT DISTINCT day FROM edge").expect("a ledger");
        let days = days.query_map([], |row| row.get(0)).expect("an answer");
        days.collect::<Result<_, _>>().expect("days")
    };
    for level in 1..=LAST_LEVEL {
        for day in &days {
            while roll_up(&mut db, *day, level).expect("it is written").0 > 0 {}
        }
    }
}

/// Keeps it from being written for as long as the guard lives.
pub(crate) fn lock(path: &Path) -> Connection {
    let db = Connection::open(path).expect("it can be opened");
    db.busy_timeout(std::time::Duration::from_secs(30)).expect("a number");
    db.execute_batch("BEGIN IMMEDIATE").expect("it is locked");
    db
}
