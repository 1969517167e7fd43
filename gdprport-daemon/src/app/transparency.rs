//! The evidence log for commands: verifying it from its files, its latest checkpoint, its public key, and erasing entries while
//! no daemon writes it. Does not belong here: writing what is emitted (`sink::evidence`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gdprport_core::evidence::{Elsewhere, NOTE_BYTES_MAX, PublicKey, Stopped, Verified, verify};

use crate::host::configured;
use crate::sink::evidence::{self, Directory, Files};
pub(crate) use crate::sink::evidence::{Done, Erasure, EvidenceSettings, Unread};

/// Why a log cannot be looked at, as a sentence with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The public key is none.
    #[error("{name}: {why}; `gdprport evidence key` prints it on the host")]
    Key { name: String, why: String },
    /// There is no log.
    #[error(
        "there is no evidence log in {}: name its directory; the daemon keeps one with `enabled = true` in `[evidence]` of gdprport.toml",
        .0.display()
    )]
    NoLog(PathBuf),
    /// There is no checkpoint that the key signed.
    #[error("{}: nothing can be verified: {why}", dir.display())]
    NoCheckpoint { dir: PathBuf, why: String },
    /// There is no private key.
    #[error("there is no key of an evidence log at {}: the daemon makes it when it keeps one for the first time, with `enabled = true` in `[evidence]` of gdprport.toml; --file names another", .0.display())]
    NoKey(PathBuf),
    /// As it says.
    #[error("{0}")]
    Failed(String),
}

/// Bytes that are read of the file of a public key.
const KEY_BYTES_MAX: u64 = 4_096;

/// A public key: itself, or the file that it is in.
///
/// # Errors
/// If it is neither.
pub(crate) fn public_key(given: &str) -> Result<PublicKey, LogError> {
    let direct = given.parse::<PublicKey>();
    let path = Path::new(given);
    if direct.is_ok() || !path.exists() {
        return direct.map_err(|error| LogError::Key {
            name: given.to_owned(),
            why: format!("it is neither a file nor a public key: {error}"),
        });
    }
    let bytes = configured::read(path, KEY_BYTES_MAX)
        .map_err(|source| LogError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    text.parse().map_err(|error: gdprport_core::evidence::KeyError| LogError::Key {
        name: given.to_owned(),
        why: error.to_string(),
    })
}

/// Verifies a log. `progress` is called with the entries that were verified.
///
/// # Errors
/// If there is nothing to verify. What is wrong with the log is in what is returned.
pub(crate) fn verified(
    dir: &Path,
    key: &PublicKey,
    checkpoints: &[PathBuf],
    progress: impl FnMut(u64),
) -> Result<Verified, LogError> {
    if !dir.join("tile").is_dir() && !dir.join("checkpoint").exists() {
        return Err(LogError::NoLog(dir.to_owned()));
    }
    let mut elsewhere = Vec::new();
    for path in checkpoints {
        let note = configured::read(path, NOTE_BYTES_MAX as u64)
            .map_err(|source| LogError::Read { path: path.clone(), source })?;
        elsewhere.push(Elsewhere { name: path.display().to_string(), note });
    }
    let mut files = Files::new(Directory::new(dir.to_owned()), progress);
    verify(&mut files, key, &elsewhere).map_err(|stopped| match stopped {
        Stopped::Unreadable(source) => LogError::Read { path: dir.to_owned(), source },
        Stopped::NoCheckpoint(why) => LogError::NoCheckpoint { dir: dir.to_owned(), why },
        Stopped::Keys(error) => LogError::NoCheckpoint {
            dir: dir.to_owned(),
            why: format!("the file `rotations` cannot be used: {error}"),
        },
    })
}

/// The latest checkpoint of a log, whoever signed it.
///
/// # Errors
/// If there is none.
pub(crate) fn latest(dir: &Path) -> Result<Vec<u8>, LogError> {
    let path = dir.join("checkpoint");
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LogError::NoLog(dir.to_owned())),
        Err(source) => Err(LogError::Read { path, source }),
        Ok(note) => Ok(note),
    }
}

/// The public half of a private key.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn key_of(path: &Path) -> Result<PublicKey, LogError> {
    match evidence::read_key(path) {
        Ok(key) => Ok(key.public().clone()),
        Err(Unread::Absent) => Err(LogError::NoKey(path.to_owned())),
        Err(Unread::Unusable(why)) => Err(LogError::Failed(why)),
    }
}

/// Erases entries of a log that no daemon writes.
///
/// # Errors
/// If a daemon writes it, or it cannot be written.
pub(crate) fn erased(settings: &EvidenceSettings, erasure: &Erasure) -> Result<Done, LogError> {
    evidence::erase_alone(settings, erasure).map_err(LogError::Failed)
}
