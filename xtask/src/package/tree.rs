//! A package's files as a tree on disk, which `dpkg-deb` and `rpmbuild` read: with the modes and times that they will have.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};

use super::entry::Entry;

/// Writes the files below a new folder.
///
/// # Errors
/// The disk does not take it.
pub(super) fn write(root: &Path, entries: &[Entry], epoch: u64) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    add(root, entries, epoch)
}

/// Writes more files into it.
///
/// # Errors
/// The disk does not take it.
pub(super) fn add(root: &Path, entries: &[Entry], epoch: u64) -> Result<()> {
    make_dir(root)?;
    for entry in entries {
        let path = root.join(&entry.place);
        make_parents(root, &path)?;
        put(&path, &entry.bytes, entry.mode)?;
    }
    settle(root, SystemTime::UNIX_EPOCH + Duration::from_secs(epoch))
}

/// Writes a file with its mode, whatever this process's own mask is.
///
/// # Errors
/// The disk does not take it.
pub(super) fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

/// Makes a directory that everybody may enter.
///
/// # Errors
/// The disk does not take it.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

fn make_parents(root: &Path, path: &Path) -> Result<()> {
    let parents: Vec<&Path> = path.ancestors().skip(1).take_while(|parent| *parent != root).collect();
    parents.into_iter().rev().filter(|parent| !parent.exists()).try_for_each(make_dir)
}

/// Gives everything in a tree the same time, children first.
fn settle(path: &Path, time: SystemTime) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
            settle(&entry.context("cannot read a directory")?.path(), time)?;
        }
    }
    File::open(path)
        .and_then(|file| file.set_modified(time))
        .with_context(|| format!("cannot set the time of {}", path.display()))
}

/// As `gzip -9n` does, without the name and the time of the file.
///
/// # Errors
/// Never in practice: it writes to memory.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(bytes).and_then(|()| gzip.finish()).context("cannot compress")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::entry::Kind;

    #[test]
    fn modes_and_times_are_not_those_of_the_build() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("root");
        let entry =
            |place: &str, mode| Entry { place: place.into(), mode, kind: Kind::Plain, bytes: b"x".into() };
        write(&root, &[entry("usr/bin/a", 0o755), entry("usr/share/b", 0o644)], 1_000_000_000)
            .expect("written");
        for (place, mode) in [("usr", 0o755), ("usr/bin/a", 0o755), ("usr/share/b", 0o644)] {
            let meta = fs::metadata(root.join(place)).expect("it is there");
            assert_eq!(meta.permissions().mode() & 0o7777, mode, "{place}");
            let since = meta.modified().expect("a time").duration_since(SystemTime::UNIX_EPOCH);
            assert_eq!(since.expect("after 1970").as_secs(), 1_000_000_000, "{place}");
        }
        assert_eq!(gzip(b"x").expect("compressed"), gzip(b"x").expect("compressed"));
    }
}
