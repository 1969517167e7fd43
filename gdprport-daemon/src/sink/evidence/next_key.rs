//! The key that takes the place of the one that is used: made beside it, and renamed.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use gdprport_core::evidence::{KeyName, SecretKey};

use super::key::{Unread, read_file, write_new};

/// Behind the name of the key's file.
const NEXT: &str = ".next";

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(NEXT);
    path.with_file_name(name)
}

/// Makes the next key of this name.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn make(path: &Path, name: &KeyName) -> Result<SecretKey, String> {
    write_new(&beside(path), name)
}

/// The next key, if there is one.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn find(path: &Path) -> Result<Option<SecretKey>, String> {
    match read_file(&beside(path)) {
        Ok(key) => Ok(Some(key)),
        Err(Unread::Absent) => Ok(None),
        Err(Unread::Unusable(why)) => Err(why),
    }
}

/// The next key takes the other's place.
///
/// # Errors
/// If it cannot be renamed.
pub(super) fn take(path: &Path) -> io::Result<()> {
    fs::rename(beside(path), path)?;
    sync_parent(path)
}

/// Removes the next key, by which nothing was signed.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn discard(path: &Path) -> io::Result<()> {
    match fs::remove_file(beside(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
