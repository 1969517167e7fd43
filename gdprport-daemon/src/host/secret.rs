//! Files with secrets: who can read them, and how one is replaced.
//!
//! Belongs here: modes, and that there is no moment without the file. What is in it is the caller's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::configured;

/// Behind the name of a file that was replaced, before the time.
const UNTIL: &str = ".until-";

/// Reads a secret and the mode of its file; at most so many bytes.
///
/// # Errors
/// If it cannot be read, or is no regular file.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<(Vec<u8>, u32)> {
    let bytes = configured::read(path, most)?;
    Ok((bytes, fs::metadata(path)?.mode() & 0o7777))
}

/// Random bytes of the kernel.
///
/// # Errors
/// If there are none, which is so only in a sandbox without `/dev`.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What became of the files that were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// Where the one before is now; `None`: there was none, or it is not kept.
    pub kept: Option<PathBuf>,
    /// Older ones that were removed.
    pub removed: Vec<PathBuf>,
}

/// Writes a secret that only its owner can read, in place of the one that may be there. That one is kept under its name and
/// `until` (a time, so written that later ones sort behind), with the newest of those before it, `keep` in all. At every
/// moment there is a whole one.
///
/// # Errors
/// If something cannot be written, or the path is a link or no file.
pub(crate) fn replace(path: &Path, content: &[u8], until: &str, keep: usize) -> io::Result<Replaced> {
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| invalid("it has no name"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let was_there = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => true,
        Ok(_) => return Err(invalid("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let new = directory.join(format!(".{name}.new"));
    // Of somebody who was interrupted.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    let old = directory.join(format!("{name}{UNTIL}{until}"));
    if was_there {
        fs::hard_link(path, &old)?;
    }
    fs::rename(&new, path)?;
    let removed = prune(directory, &format!("{name}{UNTIL}"), keep)?;
    File::open(directory)?.sync_all()?;
    Ok(Replaced { kept: (was_there && !removed.contains(&old)).then_some(old), removed })
}

/// Removes all but the last of the files that begin so.
fn prune(directory: &Path, begin: &str, keep: usize) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(begin)) {
            found.push(entry.path());
        }
    }
    found.sort();
    found.truncate(found.len().saturating_sub(keep));
    for path in &found {
        fs::remove_file(path)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_replaced_and_the_newest_are_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys/key");
        let at = |name: &str| dir.path().join("keys").join(name);
        assert_eq!(
            replace(&path, b"1", "t1", 2).expect("made"),
            Replaced { kept: None, removed: Vec::new() }
        );
        assert_eq!(read(&path, 9).expect("readable"), (b"1".to_vec(), 0o600));
        assert_eq!(fs::metadata(at("")).expect("made").mode() & 0o777, 0o700);
        for (content, until, kept, removed) in [
            ("2", "t2", "key.until-t2", None),
            ("3", "t3", "key.until-t3", None),
            ("4", "t4", "key.until-t4", Some("key.until-t2")),
        ] {
            let replaced = replace(&path, content.as_bytes(), until, 2).expect("replaced");
            let removed = removed.map(at).into_iter().collect();
            assert_eq!(replaced, Replaced { kept: Some(at(kept)), removed });
        }
        assert_eq!(fs::read(at("key.until-t4")).expect("kept"), b"3");
        assert_eq!(fs::read_dir(at("")).expect("there").count(), 3, "nothing else is left behind");
        let replaced = replace(&path, b"5", "t5", 0).expect("replaced");
        assert_eq!((replaced.kept, replaced.removed.len()), (None, 3));
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "1").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert!(replace(&link, b"2", "t", 1).is_err());
        assert_eq!(fs::read(&file).expect("it is there"), b"1");
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<32>().expect("a kernel"), random::<32>().expect("a kernel"));
    }
}
