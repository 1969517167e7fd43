//! The file `gdprport.toml`: read within bounds, and only if others cannot change it. What its tables mean is the core's.

use std::io;
use std::path::{Path, PathBuf};

use gdprport_core::written::{Problems, Source};

use super::configured;
use super::trust::{Exposure, exposure};

/// Where it is, unless the command line says otherwise.
pub(crate) const PLACE: &str = "/etc/gdprport/gdprport.toml";

/// Bytes that the file may have: every key with a comment, and 64 sinks, take some ten thousand.
const BYTES_MAX: u64 = 1 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}{}", path.display(), remedy(source.kind()))]
    Read {
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// Whoever can change it decides what the daemon does and where events go.
    #[error("cannot use the configuration {}, as others than root can change it: {how}; --any-owner takes it all the same", path.display())]
    Exposed {
        path: PathBuf,
        /// How they can.
        how: Exposure,
    },
    /// It is too large.
    #[error("the configuration {} has more than {BYTES_MAX} bytes", .0.display())]
    Large(PathBuf),
    /// It is no text.
    #[error("the configuration {} is not UTF-8", .0.display())]
    NoText(PathBuf),
    /// It has mistakes.
    #[error("{0}")]
    Invalid(Problems),
}

/// What to do about a file that cannot be read, as the end of a sentence.
const fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "; name one that is there, or leave --config out: no key is needed",
        io::ErrorKind::PermissionDenied => "; run this with sudo",
        _ => "",
    }
}

impl ConfigError {
    /// The same in one line, without excerpts of the file: of several mistakes the first, and how many more there are.
    pub(crate) fn in_one_line(&self) -> String {
        match self {
            Self::Exposed { path, how } => {
                format!("others than root can change the configuration {}: {how}", path.display())
            }
            Self::Invalid(problems) => in_one_line(problems),
            other => other.to_string(),
        }
    }
}

fn in_one_line(problems: &Problems) -> String {
    let Some(first) = problems.list.first() else { return problems.to_string() };
    let mut text = format!("{}:{}:{}: {}", first.source, first.line, first.column, first.message);
    if let Some(help) = &first.help {
        text.push_str(": ");
        text.push_str(help);
    }
    match problems.list.len() - 1 + problems.omitted {
        0 => text,
        1 => text + "; and 1 more mistake",
        more => format!("{text}; and {more} more mistakes"),
    }
}

/// Reads the file; `None`: there is none in the usual place, and none is needed there. One that somebody named has to be there.
///
/// # Errors
/// If it cannot be read, or if others than root can change it and `any_owner` is not set.
pub(crate) fn read(path: &Path, any_owner: bool) -> Result<Option<Source>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let place = path.to_owned();
    let read = move || Ok((configured::read(&place, BYTES_MAX + 1)?, exposure(&place)?));
    let done = configured::within(configured::START_WITHIN, read);
    let (bytes, exposed) = match done.unwrap_or_else(|late| Err(io::Error::from(late))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path == Path::new(PLACE) => return Ok(None),
        read => read.map_err(failed)?,
    };
    match exposed {
        Some(how) if !any_owner => return Err(ConfigError::Exposed { path: path.to_owned(), how }),
        Some(how) => {
            tracing::warn!("others than root can change the configuration {}: {how}", path.display());
        }
        None => {}
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(ConfigError::Large(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NoText(path.to_owned()))?;
    Ok(Some(Source { name: path.display().to_string(), text }))
}
