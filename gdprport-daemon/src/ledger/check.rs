//! Whether a database that is there can be used.

use std::fs::File;
use std::io::{self, Read as _};

use rusqlite::Connection;

use super::failure::Failure;
use super::place::{Place, size};
use super::reader::{findings, read_all};
use super::schema;

/// The first bytes of every SQLite database (<https://sqlite.org/fileformat2.html>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Databases up to this size are checked whole before they are used, with their indices and every value: that takes some
/// hundred milliseconds.
const CHECKED_WHOLE: u64 = 16 << 20;
/// Up to this size every page is looked at, in as much time. Of larger ones the schema is checked, and the rest when it is
/// needed.
const CHECKED: u64 = 64 << 20;
/// No ledger has so many rows: a million a second for a hundred thousand years.
const NUMBER_MAX: i64 = 1 << 61;

/// What the first page says, before SQLite changes anything: another program's database stays as it is.
///
/// # Errors
/// If it is to be set aside, or cannot be read.
pub(super) fn check_header(place: &Place) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::Unavailable(format!("it cannot be read: {error}"));
    let mut header = Vec::with_capacity(100);
    File::open(&place.db).and_then(|file| file.take(100).read_to_end(&mut header)).map_err(cannot)?;
    if header.len() < 100 || !header.starts_with(MAGIC) {
        return Err(Failure::Bad("it is no SQLite database".to_owned()));
    }
    // A format that SQLite does not know yet, it opens for reading only, and the disk would seem to be at fault.
    if header[18..20].iter().any(|format| !(1..=2).contains(format)) {
        return Err(Failure::Bad(format!("it is damaged: its format is {:?}", &header[18..20])));
    }
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (version, application) = (number(60), number(68));
    match application {
        schema::APPLICATION_ID if version > schema::VERSION => Err(Failure::Newer(version)),
        // 0: SQLite made it, and whoever asked for it was killed before the tables were there.
        schema::APPLICATION_ID | 0 => Ok(()),
        _ => Err(Failure::Bad("another program's database".to_owned())),
    }
}

/// Whether it can be used, as far as that can be seen in a moment.
///
/// # Errors
/// If it is to be set aside, or cannot be read.
pub(super) fn check(place: &Place, connection: &Connection) -> Result<(), Failure> {
    if schema::application_id(connection)? != schema::APPLICATION_ID {
        return Err(Failure::Bad("another program's database".to_owned()));
    }
    let version = schema::version(connection)?;
    if version > schema::VERSION {
        return Err(Failure::Newer(version));
    }
    if version < 1 {
        return Err(Failure::Bad(format!("its version is {version}")));
    }
    if !schema::is_ours(connection)? {
        return Err(Failure::Bad("its tables are not the ledger's".to_owned()));
    }
    check_numbers(connection)?;
    let pragma = match size(&place.db) {
        size if size <= CHECKED_WHOLE => "PRAGMA integrity_check(1)",
        size if size <= CHECKED => "PRAGMA quick_check(1)",
        _ => return Ok(()),
    };
    let said: String = connection.query_row(pragma, [], |row| row.get(0))?;
    if said != "ok" {
        return Err(Failure::Bad(format!("it is damaged: {}", said.replace('\n', " "))));
    }
    if version == schema::VERSION {
        check_values(place, connection)?;
    }
    Ok(())
}

/// What readers cannot read is of no use, and they would find it damaged for ever. Of our version.
///
/// # Errors
/// If it is to be set aside.
pub(super) fn check_values(place: &Place, connection: &Connection) -> Result<(), Failure> {
    if size(&place.db) <= CHECKED_WHOLE {
        read_all(connection)?;
        findings(connection)?;
    }
    Ok(())
}

/// Whether rows can still be numbered: of a number that is the largest, SQLite says that the disk is full.
fn check_numbers(connection: &Connection) -> Result<(), Failure> {
    for numbers in [
        "seq FROM sqlite_sequence",
        "row FROM edge",
        "id FROM run",
        "id FROM policy",
        "id FROM policy_period",
        "id FROM port",
        "id FROM identity",
        "id FROM verdict",
        "id FROM posture",
        "id FROM rule",
        "id FROM listener",
        "id FROM gap",
        "id FROM note",
        "id FROM finding",
        "id FROM finding_history",
    ] {
        let (number, table) = numbers.split_once(" FROM ").unwrap_or((numbers, ""));
        let sql = format!("SELECT coalesce(max({number}), 0) FROM {table}");
        let largest: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        if largest > NUMBER_MAX {
            return Err(Failure::Bad(format!("it is damaged: {table} has the number {largest}")));
        }
    }
    Ok(())
}
