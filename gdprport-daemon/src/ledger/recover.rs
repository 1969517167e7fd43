//! Opening the database to write it, and setting aside one that cannot be used.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::check::{check, check_header, check_values};
use super::failure::Failure;
use super::place::{FileId, Place, size};
use super::schema;

/// Databases that were set aside and are kept.
const KEPT_ASIDE: usize = 3;
/// How long a transaction waits for another program.
pub(super) const BUSY: Duration = Duration::from_secs(2);
/// The longest value: the text of a policy, which has its own bound below this.
const VALUE_MAX: i32 = 64 << 20;

/// A database that can be written.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) id: Option<FileId>,
    /// Whether it is new.
    pub(super) is_new: bool,
    /// The version that it was taken over from.
    pub(super) migrated_from: Option<i32>,
    /// What was set aside before.
    pub(super) aside: Option<Aside>,
}

/// A database that was set aside.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    /// Where it is now.
    pub(super) path: PathBuf,
    /// Why.
    pub(super) why: String,
    /// When it was written last, as far as its file shows.
    pub(super) written: Option<Timestamp>,
}

/// Opens the database, makes it if there is none, and sets aside what is there and cannot be used.
///
/// # Errors
/// If what surrounds it does not let it be written.
pub(super) fn open(place: &Place, now: Timestamp) -> Result<Opened, Failure> {
    let failure = match try_open(place) {
        Ok(opened) => return Ok(opened),
        Err(failure @ (Failure::Bad(_) | Failure::Newer(_))) => failure,
        Err(other) => return Err(other),
    };
    let aside = set_aside(place, &failure, now)?;
    let opened = try_open(place)?;
    Ok(Opened { aside: Some(aside), ..opened })
}

/// Moves a database away, with what belongs to it.
///
/// # Errors
/// If it cannot be moved.
pub(super) fn set_aside(place: &Place, failure: &Failure, now: Timestamp) -> Result<Aside, Failure> {
    let written = fs::symlink_metadata(&place.db)
        .ok()
        .and_then(|meta| Timestamp::new(meta.mtime(), i32::try_from(meta.mtime_nsec()).unwrap_or(0)).ok());
    let kind = match failure {
        Failure::Newer(version) => format!(".newer-{version}-"),
        _ => ".bad-".to_owned(),
    };
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let free = |suffix: &String| fs::symlink_metadata(place.beside(suffix)).is_err();
    let suffix = (0..1_000)
        .map(|n| if n == 0 { format!("{kind}{time}") } else { format!("{kind}{time}-{n}") })
        .find(free)
        .ok_or_else(|| Failure::Unavailable("it cannot be set aside: every name is taken".to_owned()))?;
    // The log first: beside a new database it would be taken for its own.
    for part in ["-wal", "-shm", "-journal", ""] {
        match fs::rename(place.beside(part), place.beside(&format!("{suffix}{part}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Unavailable(format!(
                    "it cannot be used ({failure}) and not be set aside: {error}; move it away"
                )));
            }
            Ok(()) | Err(_) => {}
        }
    }
    prune(place);
    let path = place.beside(&suffix);
    tracing::warn!("the ledger cannot be used ({failure}); it is set aside as {}", path.display());
    Ok(Aside { path, why: failure.to_string(), written })
}

/// Removes what was set aside but the latest. What a newer program wrote is never removed.
fn prune(place: &Place) {
    let Some(name) = place.db.file_name().and_then(|name| name.to_str()) else { return };
    let prefix = format!("{name}.bad-");
    let Ok(entries) = fs::read_dir(place.dir()) else { return };
    let parts = ["-wal", "-shm", "-journal"];
    let mut asides: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&prefix))
        .map(|name| parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name).to_owned())
        .collect();
    asides.sort_unstable();
    asides.dedup();
    let old = asides.len().saturating_sub(KEPT_ASIDE);
    for name in &asides[..old] {
        for part in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(place.dir().join(format!("{name}{part}")));
        }
    }
}

fn try_open(place: &Place) -> Result<Opened, Failure> {
    let exists = size(&place.db) > 0;
    if exists {
        check_header(place)?;
    } else {
        make_file(place)?;
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(&place.db, flags)?;
    harden(&connection)?;
    let is_new = schema::is_empty(&connection)?;
    if is_new {
        // Counts only before the first table is made.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    } else {
        check(place, &connection)?;
    }
    // A database that is set aside after all is left as it was: nothing is written to one of our version.
    let from = schema::version(&connection)?;
    if is_new || from < schema::VERSION {
        schema::migrate(&mut connection)?;
        check_values(place, &connection)?;
    }
    if !schema::is_ours(&connection)? {
        return Err(Failure::Bad("its tables are not the ledger's".to_owned()));
    }
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(Failure::from)?;
    if mode != "wal" {
        return Err(Failure::Unavailable(format!(
            "its file system cannot share memory (journal mode {mode}); set `ledger.path` to a local disk"
        )));
    }
    // In write-ahead mode the log is a prefix of what was committed whatever happens, so that NORMAL loses nothing to a
    // SIGKILL and the last seconds to a power loss; FULL would wait for the disk every second.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // The writer decides when: not in the middle of a batch.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let migrated_from = (!is_new && from < schema::VERSION).then_some(from);
    Ok(Opened { connection, id: place.id(), is_new, migrated_from, aside: None })
}

fn make_file(place: &Place) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        let dir = place.dir().display();
        Failure::Unavailable(format!(
            "it cannot be made in {dir}: {error}; make {dir} writable, or set `ledger.path`"
        ))
    };
    // A log without its database would be taken for the new one's.
    if size(&place.beside("-wal")) > 0 {
        set_aside(place, &Failure::Bad("its log is there without it".to_owned()), Timestamp::now())?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(&place.db).map_err(cannot)?;
    // Whoever may look into the directory may read the ledger.
    let group = fs::metadata(place.dir()).map_err(cannot)?.gid();
    let _ = fchown(&file, None, Some(group));
    Ok(())
}

fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // In KiB: the rows of 50,000 edges and their index. More come from the page cache of the kernel.
    connection.pragma_update(None, "cache_size", -8_192)?;
    Ok(())
}
