//! Opening a ledger to read it, and asking within bounds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::super::schema;
use super::error::{ReadError, Why};

/// A question takes no longer: a reader that holds a transaction keeps the daemon from emptying its log.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same of a ledger that nobody writes: there is no log to empty.
const PATIENCE_STILL: Duration = Duration::from_secs(300);
/// How long a reader waits for a moment in which nobody holds the database for itself.
const BUSY: Duration = Duration::from_secs(2);
/// Instructions of SQLite's between two looks at the clock: some hundred microseconds.
const STEPS: i32 = 10_000;

/// How often, and how much later, a ledger is opened again that changed meanwhile.
const ATTEMPTS: u32 = 5;
const STARTING: Duration = Duration::from_millis(100);

/// A ledger that is read. Nothing is written, and the writer waits for nothing.
pub(crate) struct Reader {
    path: PathBuf,
    connection: Connection,
    /// How the file was when it was opened, if it is read without locks because nobody writes it.
    still: Option<Still>,
    /// How long an answer may take.
    patience: Duration,
    clock: Clock,
}

/// What shows that a file is still the same: device, inode, size, and seconds and nanoseconds of the last change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Still(u64, u64, u64, i64, i64);

/// When a question is given up, in milliseconds since the beginning.
#[derive(Clone)]
struct Clock {
    beginning: Instant,
    until: Arc<AtomicU64>,
}

impl Clock {
    fn new() -> Self {
        Self { beginning: Instant::now(), until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.beginning.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn start(&self, patience: Duration) {
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.until.store(self.now().saturating_add(patience), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.now() >= self.until.load(Ordering::Relaxed)
    }
}

impl Reader {
    /// Opens a ledger.
    ///
    /// # Errors
    /// If there is none, if it may not be read, or if it is none of ours.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match Self::open_with(path) {
                // A daemon starts at this moment.
                Err(Why::Changed) if attempts > 0 => thread::sleep(STARTING),
                opened => return opened.map_err(|why| ReadError { path: path.to_owned(), why }),
            }
        }
    }

    fn open_with(path: &Path) -> Result<Self, Why> {
        let file = look(path)?;
        // Without a log nobody writes it, and no file has to be made beside it to read it.
        let still = is_missing(&wal(path)).then(|| file.clone());
        let connection =
            connect(path, still.is_some()).map_err(|error| Why::of(&error, PATIENCE.as_secs()))?;
        let patience = if still.is_some() { PATIENCE_STILL } else { PATIENCE };
        Self { path: path.to_owned(), connection, still, patience, clock: Clock::new() }.check()
    }

    fn check(mut self) -> Result<Self, Why> {
        let clock = self.clock.clone();
        self.connection
            .progress_handler(STEPS, Some(move || clock.is_over()))
            .map_err(|error| Why::Other(error.to_string()))?;
        let (application, version, ours) = self.ask_with(|db| {
            let (application, version) = (schema::application_id(db)?, schema::version(db)?);
            let ours = version == schema::VERSION && schema::is_ours(db)?;
            Ok((application, version, ours))
        })?;
        if application != schema::APPLICATION_ID {
            return Err(Why::Foreign("another program made it".to_owned()));
        }
        match version {
            found if found > schema::VERSION => Err(Why::Newer { found, known: schema::VERSION }),
            found if found < schema::VERSION => Err(Why::Older { found, known: schema::VERSION }),
            _ if !ours => Err(Why::Foreign("its tables are not the ledger's".to_owned())),
            _ => Ok(self),
        }
    }

    /// Asks a question in a transaction of its own, so that the answer is of one moment.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        self.ask_with(question).map_err(|why| self.error(why))
    }

    fn ask_with<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Why> {
        let patience = self.patience;
        self.clock.start(patience);
        let answer = self.connection.unchecked_transaction().and_then(|transaction| question(&transaction));
        if let Some(still) = &self.still {
            // What was read without locks counts only if nobody wrote meanwhile.
            if !is_missing(&wal(&self.path)) || look(&self.path)? != *still {
                return Err(Why::Changed);
            }
        }
        answer.map_err(|error| Why::of(&error, patience.as_secs()))
    }

    /// An error of this ledger.
    pub(super) fn error(&self, why: Why) -> ReadError {
        ReadError { path: self.path.clone(), why }
    }

    /// One whose questions are given up at the first look at the clock.
    #[cfg(test)]
    pub(in super::super) fn without_time(self) -> Self {
        Self { patience: Duration::ZERO, ..self }
    }

    /// The ledger's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The write-ahead log beside a database.
pub(super) fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn look(path: &Path) -> Result<Still, Why> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Why::Missing,
        io::ErrorKind::PermissionDenied => Why::Denied(error.to_string()),
        _ => Why::Other(error.to_string()),
    };
    let meta = fs::metadata(path).map_err(cannot)?;
    let kind = meta.file_type();
    match () {
        () if kind.is_file() && meta.size() == 0 => return Err(Why::Empty),
        () if kind.is_file() => {}
        () if kind.is_dir() => return Err(Why::Directory(path.join("ledger.db"))),
        () if kind.is_fifo() => return Err(Why::NoFile("a FIFO")),
        () if kind.is_socket() => return Err(Why::NoFile("a socket")),
        () => return Err(Why::NoFile("a device")),
    }
    // Of a file that it may not read SQLite says only that it cannot be opened.
    fs::File::open(path).map_err(cannot)?;
    Ok(Still(meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

fn connect(path: &Path, still: bool) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = String::from("file:");
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    if still {
        uri.push_str("?immutable=1");
    }
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
