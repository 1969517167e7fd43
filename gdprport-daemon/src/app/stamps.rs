//! Timestamps of checkpoints for commands: reading and verifying what the deliverer kept, or a copy of it.

use std::fs;
use std::io;
use std::path::Path;

use gdprport_core::evidence::{
    ANSWER_BYTES_MAX, Authorities, Elsewhere, NOTE_BYTES_MAX, StampError, stamped,
};

use super::transparency::LogError;
use crate::host::configured;

/// Timestamps of a directory at most: the deliverer keeps fewer.
const STAMPS_MAX: usize = 100_000;

/// Bytes of a file with certificates that are read.
const PEM_MAX: u64 = 1 << 20;

/// The timestamps of a directory (`NAME.tsr`) with the checkpoints that they are of (`NAME.note`), verified by the certificates of
/// a file.
///
/// # Errors
/// If the file has none, or there is no timestamp. What is wrong with a timestamp is in it.
pub(crate) fn read(dir: &Path, tsa: &Path) -> Result<Vec<Elsewhere>, LogError> {
    let unread = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| LogError::Read { path, source }
    };
    let pem = configured::read(tsa, PEM_MAX).map_err(unread(tsa))?;
    let trusted = Authorities::from_pem(&pem)
        .map_err(|why| LogError::Failed(format!("--tsa {}: {why}", tsa.display())))?;
    let none = || {
        LogError::Failed(format!(
            "there are no timestamps in {}: name the directory that the deliverer keeps them in, or a copy, with --stamps; it gets \
             them if [deliver.timestamps] of gdprport.toml names an authority",
            dir.display()
        ))
    };
    let mut paths = Vec::new();
    let entries = fs::read_dir(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => none(),
        _ => unread(dir)(error),
    })?;
    for entry in entries {
        let path = entry.map_err(unread(dir))?.path();
        if path.extension().is_some_and(|end| end == "tsr") {
            paths.push(path);
        }
    }
    match paths.len() {
        0 => return Err(none()),
        1..=STAMPS_MAX => {}
        n => {
            let what =
                format!("{} has {n} timestamps, more than the {STAMPS_MAX} that are read", dir.display());
            return Err(LogError::Failed(what));
        }
    }
    paths.sort();
    paths.iter().map(|path| one(path, &trusted)).collect()
}

fn one(path: &Path, trusted: &Authorities) -> Result<Elsewhere, LogError> {
    let bytes = |path: &Path, most: usize| configured::read(path, most as u64 + 1);
    let unread = |source| LogError::Read { path: path.to_owned(), source };
    let answer = bytes(path, ANSWER_BYTES_MAX).map_err(unread)?;
    let beside = path.with_extension("note");
    let (note, stamp) = match bytes(&beside, NOTE_BYTES_MAX) {
        Ok(note) => {
            let stamp = stamped(&note, &answer, trusted);
            (note, stamp)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), Err(StampError::NoNote)),
        Err(source) => return Err(LogError::Read { path: beside, source }),
    };
    Ok(Elsewhere { name: path.display().to_string(), note, stamp: Some(stamp) })
}
