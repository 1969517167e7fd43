//! The evidence log for commands: verifying it from its files, its latest checkpoint, its public key, and erasing entries while
//! no daemon writes it. Does not belong here: writing what is emitted (`sink::evidence`).

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use gdprport_core::delivery::SecretRef;
use gdprport_core::evidence::{
    Elsewhere, ExportHead, ExportVerified, PublicKey, Stopped, Verified, divided, is_notes, notes_in, verify,
    verify_export,
};

use crate::host::configured;
use crate::sink::evidence::{self, Directory, Files};
pub(crate) use crate::sink::evidence::{
    Carried, Erasure, EvidenceSettings, Exported, NotExported, Order, Unread, Wanted,
};

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
    #[error("there is no key of an evidence log at {}: the daemon makes it when it keeps one for the first time, with `enabled = true` in `[evidence]` of gdprport.toml; name the directory of another log, or its key with --key", .0.display())]
    NoKey(PathBuf),
    /// As it says.
    #[error("{0}")]
    Failed(String),
}

/// Bytes that are read of a file of notes: some 100,000 of them.
const NOTES_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a line of events that are looked at.
const LINE_BYTES_MAX: u64 = 1 << 20;

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

/// Verifies a log. `elsewhere`: checkpoints besides its own. `progress` is called with the entries that were verified.
///
/// # Errors
/// If there is nothing to verify. What is wrong with the log is in what is returned.
pub(crate) fn verified(
    dir: &Path,
    key: &PublicKey,
    elsewhere: &[Elsewhere],
    progress: impl FnMut(u64),
) -> Result<Verified, LogError> {
    if !dir.join("tile").is_dir() && !dir.join("checkpoint").exists() {
        return Err(LogError::NoLog(dir.to_owned()));
    }
    let disk = Directory::new(dir.to_owned());
    let mut files = Files::new(&disk, progress);
    verify(&mut files, key, elsewhere).map_err(|stopped| match stopped {
        Stopped::Unreadable(source) => LogError::Read { path: dir.to_owned(), source },
        Stopped::NoCheckpoint(why) => LogError::NoCheckpoint { dir: dir.to_owned(), why },
        Stopped::Keys(error) => LogError::NoCheckpoint {
            dir: dir.to_owned(),
            why: format!("the file `rotations` cannot be used: {error}"),
        },
    })
}

/// Verifies an export.
///
/// # Errors
/// If there is nothing to verify. What is wrong with it is in what is returned.
pub(crate) fn verified_export(
    path: &Path,
    key: &PublicKey,
    checkpoints: &[PathBuf],
) -> Result<ExportVerified, LogError> {
    let unread = |source| LogError::Read { path: path.to_owned(), source };
    let none =
        |why: String| LogError::Failed(format!("{} is no export of an evidence log: {why}", path.display()));
    let elsewhere = kept_all(checkpoints, key)?;
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    let mut line = Vec::new();
    file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(unread)?;
    let head: ExportHead = serde_json::from_slice(&line).map_err(|error| none(error.to_string()))?;
    let lines = std::iter::from_fn(|| {
        let mut line = Vec::new();
        match file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_slice(&line).map_err(io::Error::from)),
            Err(error) => Some(Err(error)),
        }
    });
    verify_export(&head, lines, key, &elsewhere).map_err(|stopped| match stopped {
        Stopped::Unreadable(source) if source.kind() == io::ErrorKind::InvalidData => {
            none(source.to_string())
        }
        Stopped::Unreadable(source) => unread(source),
        Stopped::NoCheckpoint(why) => none(why),
        Stopped::Keys(error) => none(error.to_string()),
    })
}

/// Writes an export of a log.
///
/// # Errors
/// If there is nothing to export, or it cannot be written.
pub(crate) fn export(dir: &Path, wanted: &Wanted, out: &mut impl Write) -> Result<Exported, LogError> {
    latest(dir)?;
    evidence::export(&Directory::new(dir.to_owned()), wanted, out).map_err(|error| match error {
        NotExported::Wrong(why) => LogError::Failed(format!("{}: {why}", dir.display())),
        NotExported::Io(error) => LogError::Failed(format!("{} cannot be exported: {error}", dir.display())),
    })
}

/// The notes in a file of checkpoints that were kept elsewhere, of the log of this directory.
///
/// # Errors
/// If it cannot be read, or has none of this log.
pub(crate) fn notes_of(path: &Path, dir: &Path) -> Result<Vec<Vec<u8>>, LogError> {
    let latest = latest(dir)?;
    let log = String::from_utf8_lossy(&latest).lines().next().unwrap_or_default().to_owned();
    Ok(kept(path, &log)?.into_iter().map(|elsewhere| elsewhere.note).collect())
}

/// The checkpoints of the log of this key in files that somebody kept.
///
/// # Errors
/// If one cannot be read, or has none of this log.
pub(crate) fn kept_all(paths: &[PathBuf], key: &PublicKey) -> Result<Vec<Elsewhere>, LogError> {
    let mut elsewhere = Vec::new();
    for path in paths {
        elsewhere.extend(kept(path, key.name().as_str())?);
    }
    Ok(elsewhere)
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
pub(crate) fn key_of(place: &SecretRef) -> Result<PublicKey, LogError> {
    match (evidence::read_key(place), place) {
        (Ok(key), _) => Ok(key.public().clone()),
        (Err(Unread::Absent), SecretRef::File(path)) => Err(LogError::NoKey(path.clone())),
        (Err(Unread::Absent), SecretRef::Credential(name)) => Err(LogError::Failed(format!(
            "the log's key is the credential {name}, which only the service gets: `gdprport daemon status` shows its public half, or name the file with --key"
        ))),
        (Err(Unread::Unusable(why)), _) => Err(LogError::Failed(why)),
    }
}

/// The checkpoints of this log in a file that somebody kept: notes one behind the other, or events as a receiver stored them,
/// among which those of other logs are passed over.
fn kept(path: &Path, log: &str) -> Result<Vec<Elsewhere>, LogError> {
    let unread = |source| LogError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    let shown = path.display();
    let begin = file.fill_buf().map_err(unread)?;
    if is_notes(begin) {
        let mut notes = Vec::new();
        file.take(NOTES_BYTES_MAX).read_to_end(&mut notes).map_err(unread)?;
        let notes = divided(&notes).map(<[u8]>::to_vec);
        return Ok(notes.map(|note| Elsewhere { name: shown.to_string(), note, stamp: None }).collect());
    }
    let (mut kept, mut of_others) = (Vec::new(), 0_u64);
    for number in 1_u64.. {
        let mut line = Vec::new();
        if (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(unread)? == 0 {
            break;
        }
        for note in notes_in(&String::from_utf8_lossy(&line)) {
            if note.strip_prefix(log).is_some_and(|rest| rest.starts_with('\n')) {
                let name = format!("{shown}, line {number}");
                kept.push(Elsewhere { name, note: note.into_bytes(), stamp: None });
            } else {
                of_others += 1;
            }
        }
    }
    if kept.is_empty() {
        let what = if of_others > 0 { "checkpoints of other logs only" } else { "no checkpoint" };
        return Err(LogError::Failed(format!(
            "{shown} has {what}, and this log is {log}: give it a signed note or events of the kind evidence.checkpoint"
        )));
    }
    Ok(kept)
}

/// Carries out an order on a log that no daemon writes.
///
/// # Errors
/// If a daemon writes it, or it cannot be written.
pub(crate) fn carry_out(settings: &EvidenceSettings, order: &Order) -> Result<Carried, LogError> {
    evidence::carry_out(settings, order).map_err(LogError::Failed)
}
