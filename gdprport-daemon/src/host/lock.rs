//! The lock that makes a daemon the only writer of something: a file beside it, locked with flock(2). A lock ends with the
//! process that holds it, so a file that a dead daemon left behind locks nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

/// How a file is locked: [`flock`], or what a test puts in its place.
pub(crate) type Flock = fn(&File) -> io::Result<()>;

/// A lock file that another daemon replaces at the same moment is opened again, at most so often.
const ATTEMPTS: u32 = 5;

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process holds it: its process id, as it wrote it.
    Held(Option<u32>),
    /// It cannot be taken: why, and what to do.
    Unavailable(String),
}

/// Locks a file, without waiting.
///
/// # Errors
/// If another process holds the lock, or the file system has none.
pub(crate) fn flock(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)?)
}

impl Lock {
    /// Takes the lock.
    ///
    /// `mode`: of the file, if it is made. Whoever may open it can hold the lock. `elsewhere`: what to set where the file system
    /// has no locks.
    ///
    /// # Errors
    /// If another process holds it, or if it cannot be taken.
    pub(crate) fn take(path: &Path, mode: u32, elsewhere: &str, flock: Flock) -> Result<Self, LockError> {
        let unavailable = |what: &str, error: &io::Error| {
            LockError::Unavailable(format!("the lock {} {what}: {error}", path.display()))
        };
        for _ in 0..ATTEMPTS {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(mode)
                .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
                .open(path)
                .map_err(|error| unavailable("cannot be opened", &error))?;
            match flock(&file) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut text = String::new();
                    let _ = (&file).take(20).read_to_string(&mut text);
                    return Err(LockError::Held(text.trim().parse().ok()));
                }
                Err(error) => {
                    let what = format!("cannot be locked; use a file system that has locks (`{elsewhere}`)");
                    return Err(unavailable(&what, &error));
                }
            }
            if !is_same(&file, path) {
                continue;
            }
            // For people and for the error of a second daemon; the lock counts without it, as on a full disk.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            return Ok(Self { file, path: path.to_owned() });
        }
        Err(LockError::Unavailable(format!("the lock {} is replaced again and again", path.display())))
    }

    /// Whether the file that is locked is still the one that another daemon would try.
    pub(crate) fn is_there(&self) -> bool {
        is_same(&self.file, &self.path)
    }
}

impl Drop for Lock {
    /// A process that was forked a moment ago and has not called exec yet holds the file too, so closing it is not enough.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}
