//! Writing a file that is whole or not there.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// There is one, and it was not to be replaced.
    #[error("{} exists already; --force replaces it, or name another with --output", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {source}{}", path.display(), remedy(source.kind()))]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
}

/// What to do about a file that cannot be written, as the end of a sentence.
const fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => {
            "; its directory has to be there: make it with `mkdir -p`, or name another file"
        }
        io::ErrorKind::PermissionDenied => "; run this with sudo, or name another file",
        io::ErrorKind::IsADirectory => "; name a file in it",
        _ => "",
    }
}

/// The file that was asked for; `None`: none was, or `-`, which is standard output.
///
/// # Errors
/// If it is there and must not be replaced: said before what takes long, or asks questions.
pub(super) fn asked(output: Option<&Path>, force: bool) -> Result<Option<&Path>, FileError> {
    match output.filter(|path| path.as_os_str() != "-") {
        Some(path) if !force && path.symlink_metadata().is_ok() => Err(FileError::Exists(path.to_owned())),
        output => Ok(output),
    }
}

/// Writes a file that does not exist, or with `force` replaces it. Whatever happens meanwhile, nobody finds half of it: it is
/// written beside its place and moved there.
///
/// # Errors
/// If it exists without `force`, or cannot be written. Then nothing has changed.
pub(super) fn write_new(path: &Path, text: &[u8], force: bool) -> Result<(), FileError> {
    write_mode(path, &|out| out.write_all(text), force, 0o666)
}

/// Writes what a file has, piece by piece.
pub(super) type Content<'c> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'c;

/// The same for a file that its owner and group read only; one that exists is replaced. What it has goes to the disk as it is made,
/// so that it may be larger than there is memory.
///
/// # Errors
/// If it cannot be written. Then nothing has changed.
pub(super) fn write_private(path: &Path, content: &Content<'_>) -> Result<(), FileError> {
    write_mode(path, content, true, 0o640)
}

/// Replaces a file that everybody reads and its owner writes.
///
/// # Errors
/// If it cannot be written. Then nothing has changed.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), FileError> {
    write_mode(path, &|out| out.write_all(text), true, 0o644)
}

/// Writes a file that does not exist, for its owner only.
///
/// # Errors
/// If it exists or cannot be written. Then nothing has changed.
pub(super) fn write_new_private(path: &Path, text: &[u8]) -> Result<(), FileError> {
    write_mode(path, &|out| out.write_all(text), false, 0o600)
}

fn write_mode(path: &Path, content: &Content<'_>, force: bool, mode: u32) -> Result<(), FileError> {
    let failed = |source: io::Error| FileError::Write { path: path.to_owned(), source };
    let Some(name) = path.file_name() else {
        return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is no name of a file")));
    };
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = write(&beside, content, mode).and_then(|()| moved(&beside, path, force));
    if written.is_err() {
        // It is not there if it could not be made.
        let _ = fs::remove_file(&beside);
    }
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !force => {
            Err(FileError::Exists(path.to_owned()))
        }
        other => other.map_err(failed),
    }
}

/// What is collected before it is written: a call of the system for each word would take longer than to make it.
const BUFFER: usize = 1 << 16;

fn write(path: &Path, content: &Content<'_>, mode: u32) -> io::Result<()> {
    // Of an earlier attempt of the same process id that was killed.
    let _ = fs::remove_file(path);
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let mut out = BufWriter::with_capacity(BUFFER, file);
    content(&mut out)?;
    out.into_inner()?.sync_all()
}

fn moved(from: &Path, to: &Path, force: bool) -> io::Result<()> {
    if force {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that cannot do both in one step can still make a second name for it.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        other => other.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_replaced_unless_it_is_wanted() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("policy.toml");
        write_new(&path, b"one", false).expect("it is new");
        assert!(matches!(write_new(&path, b"two", false), Err(FileError::Exists(_))));
        assert_eq!(fs::read(&path).expect("it is there"), b"one");
        write_new(&path, b"two", true).expect("it is replaced");
        assert_eq!(fs::read(&path).expect("it is there"), b"two");
        let missing = dir.path().join("nowhere/policy.toml");
        assert!(matches!(write_new(&missing, b"x", false), Err(FileError::Write { .. })));
        let left: Vec<_> = fs::read_dir(dir.path()).expect("readable").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
