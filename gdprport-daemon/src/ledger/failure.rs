//! What an error of the database means for the ledger.

use std::fmt;

use rusqlite::{Error, ErrorCode};

/// What an error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The database is damaged or none of ours: it is set aside.
    Bad(String),
    /// A newer program wrote it: it is set aside too, and kept.
    Newer(i32),
    /// Another program holds it for now.
    Busy(String),
    /// What surrounds it does not let it be written: it is tried again.
    Unavailable(String),
    /// Nothing is wrong with the database, and this will never be stored.
    Refused(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let Error::SqliteFailure(failure, _) = &error else {
            // Our own tables answer what we ask; others do not.
            return match error {
                Error::ToSqlConversionFailure(_) => Self::Refused(text),
                _ => Self::Bad(text),
            };
        };
        match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Bad(text),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy(format!(
                "another program has locked it ({text}); end that program, `fuser` on the file names it"
            )),
            ErrorCode::DiskFull => Self::Unavailable(format!(
                "the disk is full ({text}); make room, or set a lower `ledger.max_size`"
            )),
            ErrorCode::ReadOnly => Self::Unavailable(format!(
                "it cannot be written ({text}); mount its file system for writing, or set `ledger.path`"
            )),
            ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::ParameterOutOfRange => Self::Refused(text),
            // A statement that our tables do not answer: they are not ours.
            ErrorCode::Unknown if failure.extended_code == rusqlite::ffi::SQLITE_ERROR => Self::Bad(text),
            _ => Self::Unavailable(format!("it cannot be read or written ({text}); look at the disk")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(why) | Self::Busy(why) | Self::Unavailable(why) | Self::Refused(why) => {
                f.write_str(why)
            }
            Self::Newer(version) => write!(f, "a newer gdprport wrote it (version {version})"),
        }
    }
}
