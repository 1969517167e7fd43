//! What a ledger says, asked of the file.

use std::path::Path;
use std::process::Command;

/// The first column of the first row that a question to a ledger gives, as text; empty: there is no such row, or no such
/// ledger yet. A copy is asked, as a person would who looks at a ledger that is being written.
///
/// # Panics
/// When `python3`, which has SQLite in its library, cannot be run.
#[must_use]
pub fn ask(ledger: &Path, question: &str) -> String {
    const SCRIPT: &str = "\
import sqlite3, sys
try:
    row = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=5).execute(sys.argv[2]).fetchone()
    print('' if row is None or row[0] is None else row[0])
except sqlite3.OperationalError:
    pass
";
    let output = Command::new("python3").args(["-c", SCRIPT]).arg(ledger).arg(question).output();
    let output = output.expect("python3 can be run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The same as a number; 0 if it is none.
#[must_use]
pub fn count(ledger: &Path, question: &str) -> u64 {
    ask(ledger, question).parse().unwrap_or(0)
}
