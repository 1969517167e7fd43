//! Why a question to a ledger has no answer. Each says where, why, and what to do.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why a question has no answer, and of which ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the ledger {}: {}", .path.display(), .why)]
pub(crate) struct ReadError {
    /// The database.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) why: Why,
}

impl ReadError {
    /// Whether there is no file.
    pub(crate) const fn is_missing(&self) -> bool {
        matches!(self.why, Why::Missing)
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Why {
    /// There is no file.
    #[error(
        "there is none; the daemon writes it: start it (`systemctl start gdprport`, or `gdprport daemon run`), or name \
         another ledger"
    )]
    Missing,
    /// It may not be read.
    #[error(
        "it may not be read ({0}); run this as root, or as a member of the group that the file belongs to"
    )]
    Denied(String),
    /// It is a directory; a ledger may be in it.
    #[error("it is a directory, and a ledger is a file: name the file, such as {}", .0.display())]
    Directory(PathBuf),
    /// It is something else that is no file.
    #[error("it is {0}, and a ledger is a regular file; name another one")]
    NoFile(&'static str),
    /// There is nothing in it yet.
    #[error("it is empty; name another one, or start the daemon that writes it, which begins it")]
    Empty,
    /// It is no ledger.
    #[error(
        "it is no ledger of gdprport ({0}); name another one, or restart the daemon that writes it, which sets it aside"
    )]
    Foreign(String),
    /// A newer program wrote it.
    #[error("its version is {found}, and this program knows {known}; use the gdprport that wrote it")]
    Newer {
        /// Its version.
        found: i32,
        /// The one that this program reads.
        known: i32,
    },
    /// An older program wrote it.
    #[error(
        "its version is {found}, and this program reads {known}; start the daemon once, which takes it over"
    )]
    Older {
        /// Its version.
        found: i32,
        /// The one that this program reads.
        known: i32,
    },
    /// What it says cannot be.
    #[error("it is damaged ({0}); stop the daemon, move the file away and start it again: it begins anew")]
    Damaged(String),
    /// The answer takes too long.
    #[error("the answer takes longer than {0} s; ask for a shorter period")]
    TooLong(u64),
    /// It was read as a file that nobody writes, and somebody did.
    #[error("it was changed while it was read; ask again")]
    Changed,
    /// Another program holds it.
    #[error("another program has locked it; ask again when that has ended")]
    Locked,
    /// Its write-ahead log cannot be used.
    #[error(
        "its write-ahead log cannot be used from here ({0}); run this as root, or copy the ledger with its -wal file to a \
         directory that you can write"
    )]
    Log(String),
    /// There is no such row.
    #[error(
        "there is no row {0}; `gdprport flows --since` shows the rows that there are, old ones are rolled up or removed"
    )]
    NoRow(i64),
    /// Anything else.
    #[error("it cannot be read ({0})")]
    Other(String),
}

impl Why {
    /// Whether the file is not what was meant, however often it is asked.
    pub(crate) const fn is_lasting(&self) -> bool {
        match self {
            Self::Missing
            | Self::Denied(_)
            | Self::Directory(_)
            | Self::NoFile(_)
            | Self::Empty
            | Self::Foreign(_)
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Damaged(_)
            | Self::Log(_) => true,
            Self::TooLong(_) | Self::Changed | Self::Locked | Self::NoRow(_) | Self::Other(_) => false,
        }
    }

    /// Of an error of SQLite. `patience_s`: how long an answer may take.
    pub(super) fn of(error: &rusqlite::Error, patience_s: u64) -> Self {
        use rusqlite::Error;
        let text = error.to_string();
        match error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::OperationInterrupted => Self::TooLong(patience_s),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
                ErrorCode::NotADatabase => Self::Foreign(text),
                ErrorCode::PermissionDenied => Self::Denied(text),
                ErrorCode::ReadOnly | ErrorCode::CannotOpen => Self::Log(text),
                ErrorCode::DatabaseCorrupt | ErrorCode::TooBig => Self::Damaged(text),
                _ => Self::Other(text),
            },
            // The schema is ours, so whatever does not fit it was not written by us.
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::InvalidColumnType(..)
            | Error::QueryReturnedNoRows => Self::Damaged(text),
            _ => Self::Other(text),
        }
    }
}
