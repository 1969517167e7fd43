//! The tables, their version, and whether a database has exactly them.
//!
//! Belongs here: SQL that makes the tables, and what tells our databases from others. What is done about others is
//! `recover`'s.

use rusqlite::{Connection, Result, TransactionBehavior};

/// In the header of every ledger, at byte 68: `GDPR`.
pub(super) const APPLICATION_ID: i32 = 0x4744_5052;
/// The schema that this program writes.
pub(super) const VERSION: i32 = 2;

/// What takes a ledger from a version to the next: the first from nothing to 1.
const MIGRATIONS: [&str; VERSION as usize] = [V1, V2];

/// Dimensions are stored once and found by value. Times are microseconds, days are days and hours are seconds since 1970, UTC.
const V1: &str = "
CREATE TABLE meta(
    key TEXT PRIMARY KEY, value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE run(
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, version TEXT NOT NULL, boot_id TEXT NOT NULL,
    began INTEGER NOT NULL, seen INTEGER NOT NULL, ended TEXT
) STRICT;
CREATE TABLE policy(
    id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE policy_source(
    policy INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY(policy, place)
) STRICT;
CREATE TABLE policy_period(
    id INTEGER PRIMARY KEY, policy INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER
) STRICT;
CREATE TABLE port(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL, declared INTEGER NOT NULL, UNIQUE(name, number, declared)
) STRICT;
CREATE TABLE identity(id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE verdict(id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE posture(id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE rule(id INTEGER PRIMARY KEY, role TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE edge(
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    day INTEGER NOT NULL, port INTEGER NOT NULL, direction TEXT NOT NULL, identity INTEGER NOT NULL,
    peer TEXT NOT NULL, prefix INTEGER NOT NULL, verdict INTEGER NOT NULL, posture INTEGER NOT NULL, policy INTEGER NOT NULL,
    flows INTEGER NOT NULL, opened INTEGER NOT NULL, closed INTEGER NOT NULL, failed INTEGER NOT NULL,
    bytes_sent INTEGER NOT NULL, bytes_received INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    UNIQUE(day, port, direction, identity, peer, prefix, verdict, posture, policy)
) STRICT;
CREATE TABLE day(
    day INTEGER PRIMARY KEY, level INTEGER NOT NULL DEFAULT 0, removed INTEGER NOT NULL DEFAULT 0,
    flows INTEGER NOT NULL DEFAULT 0, bytes_sent INTEGER NOT NULL DEFAULT 0, bytes_received INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE volume(
    hour INTEGER NOT NULL, port INTEGER NOT NULL, direction TEXT NOT NULL, rule INTEGER NOT NULL,
    flows INTEGER NOT NULL, bytes_sent INTEGER NOT NULL, bytes_received INTEGER NOT NULL,
    PRIMARY KEY(hour, port, direction, rule)
) STRICT, WITHOUT ROWID;
CREATE TABLE listener(
    id INTEGER PRIMARY KEY, port INTEGER NOT NULL, address TEXT NOT NULL, number INTEGER NOT NULL, identity INTEGER NOT NULL,
    verdict INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, open INTEGER NOT NULL,
    UNIQUE(port, address, number, identity, verdict)
) STRICT;
CREATE TABLE coverage(
    hour INTEGER NOT NULL, port INTEGER NOT NULL, watched_s INTEGER NOT NULL, seen INTEGER NOT NULL, lost INTEGER NOT NULL,
    PRIMARY KEY(hour, port)
) STRICT, WITHOUT ROWID;
CREATE TABLE gap(
    id INTEGER PRIMARY KEY, began INTEGER NOT NULL, ended INTEGER NOT NULL, lost INTEGER NOT NULL, bound TEXT,
    reason TEXT NOT NULL, UNIQUE(reason, began)
) STRICT;
CREATE TABLE note(
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE TABLE finding(
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, since INTEGER NOT NULL, judged INTEGER NOT NULL, settled INTEGER,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE finding_history(
    id INTEGER PRIMARY KEY, finding INTEGER NOT NULL, at INTEGER NOT NULL, change TEXT NOT NULL, severity TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX finding_history_of ON finding_history(finding, id);
CREATE VIEW flows AS
    SELECT e.row, date(e.day * 86400, 'unixepoch') AS day, p.name AS port, p.number, e.direction, i.value AS identity,
        e.peer || '/' || e.prefix AS peer, v.value AS verdict, s.value AS posture, y.digest AS policy,
        e.flows, e.opened, e.closed, e.failed, e.bytes_sent, e.bytes_received,
        datetime(e.first / 1000000, 'unixepoch') AS first, datetime(e.last / 1000000, 'unixepoch') AS last
    FROM edge e JOIN port p ON p.id = e.port JOIN identity i ON i.id = e.identity JOIN verdict v ON v.id = e.verdict
        JOIN posture s ON s.id = e.posture LEFT JOIN policy y ON y.id = e.policy;
";

/// Flows that went on to another row of the same day. Of rows of before that is not known: they count as they did.
const V2: &str = "
ALTER TABLE edge ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;
DROP VIEW flows;
CREATE VIEW flows AS
    SELECT e.row, date(e.day * 86400, 'unixepoch') AS day, p.name AS port, p.number, e.direction, i.value AS identity,
        e.peer || '/' || e.prefix AS peer, v.value AS verdict, s.value AS posture, y.digest AS policy,
        e.flows, e.moved, e.opened, e.closed, e.failed, e.bytes_sent, e.bytes_received,
        datetime(e.first / 1000000, 'unixepoch') AS first, datetime(e.last / 1000000, 'unixepoch') AS last
    FROM edge e JOIN port p ON p.id = e.port JOIN identity i ON i.id = e.identity JOIN verdict v ON v.id = e.verdict
        JOIN posture s ON s.id = e.posture LEFT JOIN policy y ON y.id = e.policy;
";

/// One object of a schema: its type, name, table and text.
type Object = (String, String, String, Option<String>);

/// The version of a database.
///
/// # Errors
/// If it cannot be read.
pub(super) fn version(connection: &Connection) -> Result<i32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// The program that a database belongs to; 0: it does not say.
///
/// # Errors
/// If it cannot be read.
pub(super) fn application_id(connection: &Connection) -> Result<i32> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// Whether nothing is in it: it was made a moment ago, perhaps by a daemon that was killed then.
///
/// # Errors
/// If it cannot be read.
pub(super) fn is_empty(connection: &Connection) -> Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// Takes a database that is empty, or a ledger of an older version, to ours, as a whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    migrate_to(connection, VERSION)
}

/// The same, to a version that is not above ours.
///
/// # Errors
/// If it cannot be written.
pub(super) fn migrate_to(connection: &mut Connection, to: i32) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction)?;
    let steps = |version: i32| usize::try_from(version).unwrap_or(0).min(MIGRATIONS.len());
    for step in MIGRATIONS.get(steps(from)..steps(to)).unwrap_or_default() {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", to)?;
    transaction.commit()
}

/// Whether a database has the tables of its version and nothing else: no trigger that changes what is written, no view in
/// place of a table.
///
/// # Errors
/// If it cannot be read.
pub(super) fn is_ours(connection: &Connection) -> Result<bool> {
    let mut ours = Connection::open_in_memory()?;
    migrate_to(&mut ours, version(connection)?)?;
    Ok(objects(connection)? == objects(&ours)?)
}

fn objects(connection: &Connection) -> Result<Vec<Object>> {
    // More than there are of ours are not read.
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name LIMIT 100")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}
