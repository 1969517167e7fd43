//! Reading `gdprport.toml` for the deliverer: within bounds, and only what others cannot change.

use std::io;
use std::path::{Path, PathBuf};

use gdprport_core::delivery::Delivery;
use gdprport_core::written::{Problems, Source};

use crate::host::configured;
use crate::host::trust::{Exposure, exposure};

/// Where it is, unless the command line says otherwise.
pub(crate) const CONFIG: &str = "/etc/gdprport/gdprport.toml";

/// Bytes that the file may have.
const BYTES_MAX: u64 = 1 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Whoever can change it decides where events go.
    #[error(
        "cannot use the configuration {}, as others than root can change it: {how}; --any-owner takes it all the same",
        path.display()
    )]
    Exposed { path: PathBuf, how: Exposure },
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

/// Reads the file; one that does not exist has no sinks.
///
/// # Errors
/// If it cannot be read or understood, or if others can change it and `any_owner` is not set.
pub(crate) fn load(path: &Path, any_owner: bool) -> Result<Delivery, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let place = path.to_owned();
    let read = move || Ok((configured::read(&place, BYTES_MAX + 1)?, exposure(&place)?));
    let done = configured::within(configured::START_WITHIN, read);
    let (bytes, exposed) = match done.unwrap_or_else(|late| Err(io::Error::from(late))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Delivery::default()),
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
    Delivery::parse(Source { name: path.display().to_string(), text }).map_err(ConfigError::Invalid)
}
