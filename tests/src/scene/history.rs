//! Days before today in a ledger: a test cannot wait for weeks.

use std::path::Path;

use rusqlite::Connection;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// Writes into the ledger at `path`, which no daemon writes meanwhile, that the same happened on each of the `days` days before:
/// the same flows, listeners and volume, watched without a break by one run of the daemon and by the policy that applied
/// first.
///
/// # Panics
/// When it is no ledger.
pub fn went_on_for(path: &Path, days: i64) {
    let mut ledger = Connection::open(path).expect("a ledger");
    let all = ledger.transaction().expect("nobody else writes");
    let last = "SELECT coalesce(max(row), 0) FROM edge";
    let last: i64 = all.query_row(last, [], |row| row.get(0)).expect("it fits the schema");
    let hour = "SELECT coalesce(min(hour), 0) FROM volume";
    let hour: i64 = all.query_row(hour, [], |row| row.get(0)).expect("it fits the schema");
    // Rows are numbered in the order in which they were seen.
    all.execute("UPDATE edge SET row = row + ?1", [days * last]).expect("they are all moved");
    let edges = "INSERT INTO edge(row, day, port, direction, identity, peer, prefix, verdict, posture, policy, flows, opened, closed,
            failed, bytes_sent, bytes_received, first, last)
        SELECT row - ?1 * ?3, day - ?1, port, direction, identity, peer, prefix, verdict, posture, policy, flows, opened, closed, failed,
            bytes_sent, bytes_received, first - ?2, last - ?2
        FROM edge WHERE row > ?4 * ?3";
    let volume = "INSERT INTO volume(hour, port, direction, rule, flows, bytes_sent, bytes_received)
        SELECT hour - 86400 * ?1, port, direction, rule, flows, bytes_sent, bytes_received FROM volume WHERE hour >= ?2";
    for before in 1..=days {
        all.execute(edges, (before, before * DAY_US, last, days)).expect("it fits the schema");
        all.execute(volume, (before, hour)).expect("it fits the schema");
    }
    let kept = "INSERT OR IGNORE INTO day(day) SELECT DISTINCT day FROM edge";
    all.execute(kept, []).expect("it fits the schema");
    // Without a break: every hour of every port up to this one.
    let hours = "WITH RECURSIVE ago(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM ago WHERE n < 24 * ?1)
        INSERT INTO coverage(hour, port, watched_s, seen, lost)
        SELECT (SELECT max(hour) FROM coverage) - 3600 * n, port, 3600, 1, 0 FROM ago, (SELECT DISTINCT port FROM coverage)
        WHERE true ON CONFLICT(hour, port) DO UPDATE SET watched_s = 3600";
    all.execute(hours, [days]).expect("it fits the schema");
    let us = days * DAY_US;
    for earlier in [
        "UPDATE run SET began = began - ?1 WHERE id = (SELECT min(id) FROM run)",
        "UPDATE policy_period SET began = began - ?1 WHERE id = (SELECT min(id) FROM policy_period)",
        "UPDATE listener SET first = first - ?1",
        "UPDATE note SET at = at - ?1 WHERE kind = 'begun'",
        "UPDATE meta SET value = value - ?1 WHERE key = 'begin'",
    ] {
        all.execute(earlier, [us]).expect("it fits the schema");
    }
    all.commit().expect("the ledger can be written");
}
