//! What a ledger says, asked of the file.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

/// The first column of the first row that a question to a ledger gives, as text; empty: there is no such row, or no such
/// ledger yet. It is asked beside the daemon that writes it, as a person would.
#[must_use]
pub fn ask(ledger: &Path, question: &str) -> String {
    match first(ledger, question) {
        Ok(Value::Integer(number)) => number.to_string(),
        Ok(Value::Real(number)) => number.to_string(),
        Ok(Value::Text(text)) => text,
        Ok(Value::Null | Value::Blob(_)) | Err(_) => String::new(),
    }
}

/// The same as a number; 0 if it is none.
#[must_use]
pub fn count(ledger: &Path, question: &str) -> u64 {
    ask(ledger, question).parse().unwrap_or(0)
}

fn first(ledger: &Path, question: &str) -> rusqlite::Result<Value> {
    let db = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.query_row(question, [], |row| row.get(0))
}

/// Changes what a ledger says, which no daemon writes meanwhile.
///
/// # Panics
/// When it changes nothing.
pub fn change(ledger: &Path, statement: &str) {
    let db = Connection::open(ledger).expect("a ledger");
    let changed = db.execute(statement, []).expect("it fits the schema");
    assert_ne!(changed, 0, "{statement}");
}

/// What a row of a ledger says.
#[derive(Debug, Clone)]
pub struct Row<'r> {
    /// The name of the port, its number, and whether the policy declares it.
    pub port: (&'r str, u16, bool),
    /// `in` or `out`.
    pub direction: &'r str,
    /// Who is at this end, as the ledger writes it.
    pub identity: serde_json::Value,
    /// The other end: an address of full length or a network.
    pub peer: String,
    /// What was decided, as the ledger writes it.
    pub verdict: serde_json::Value,
    /// The state of the encryption.
    pub posture: &'r str,
    /// Bytes that were sent, by so many connections.
    pub bytes: u64,
    /// Connections.
    pub flows: u64,
}

/// Writes that this was seen yesterday into the ledger at `path`, which no daemon writes meanwhile.
///
/// # Panics
/// When it is no ledger.
pub fn write(path: &Path, rows: &[Row<'_>]) {
    let mut ledger = Connection::open(path).expect("a ledger");
    let all = ledger.transaction().expect("nobody else writes");
    let day = jiff::Timestamp::now().as_second() / 86_400 - 1;
    let us = day * 86_400_000_000;
    all.execute("INSERT OR IGNORE INTO day(day) VALUES(?1)", [day]).expect("it fits the schema");
    all.execute("UPDATE meta SET value = ?1 WHERE key = 'begin'", [us]).expect("it fits the schema");
    for row in rows {
        let (name, number, declared) = row.port;
        let insert = "INSERT OR IGNORE INTO port(name, number, declared) VALUES(?1, ?2, ?3)";
        all.execute(insert, (name, number, declared)).expect("it fits the schema");
        let port = "SELECT id FROM port WHERE (name, number, declared) = (?1, ?2, ?3)";
        let port: i64 =
            all.query_row(port, (name, number, declared), |row| row.get(0)).expect("it was written");
        let value = |table: &str, value: String| -> i64 {
            let insert = format!("INSERT OR IGNORE INTO {table}(value) VALUES(?1)");
            all.execute(&insert, [&value]).expect("it fits the schema");
            let number = format!("SELECT id FROM {table} WHERE value = ?1");
            all.query_row(&number, [value], |row| row.get(0)).expect("it was written")
        };
        let identity = value("identity", row.identity.to_string());
        let verdict = value("verdict", row.verdict.to_string());
        let posture = value("posture", serde_json::json!({ "state": row.posture }).to_string());
        let (peer, prefix) = row.peer.split_once('/').expect("ADDRESS/LENGTH");
        let prefix: i64 = prefix.parse().expect("a length");
        let (flows, bytes) = (row.flows.cast_signed(), row.bytes.cast_signed());
        let insert = "INSERT INTO edge(day, port, direction, identity, peer, prefix, verdict, posture, policy, flows, opened,
                closed, failed, bytes_sent, bytes_received, first, last)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?9, ?9, 0, ?10, 0, ?11, ?11)";
        let values = (day, port, row.direction, identity, peer, prefix, verdict, posture, flows, bytes, us);
        all.execute(insert, values).expect("it fits the schema");
    }
    all.commit().expect("the ledger can be written");
}
