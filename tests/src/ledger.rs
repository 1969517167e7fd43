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
