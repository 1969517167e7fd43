//! The directory on a bpffs in which maps and links outlive the daemon: who owns it, and emptying it.
//!
//! ```text
//! DIR/maps/EVENTS …         every map of the kernel programs, by name
//! DIR/links/gp_connect4 …   every hook that the kernel can pin, by the name of its program
//! ```
//!
//! Does not belong here: what the pins mean (`takeover`).

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstatfs, open, openat, statfs, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// What `statfs` returns for a bpffs (`BPF_FS_MAGIC`, include/uapi/linux/magic.h).
const BPF_FS: u32 = 0xcafe_4a11;

/// Attempts to lock, in case the directory is replaced between opening and locking it.
const ATTEMPTS: u32 = 8;

const MAPS: &str = "maps";
const LINKS: &str = "links";

/// Why a directory for pins cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    /// The place is on another kind of file system.
    #[error(
        "{} is not on a bpffs, the only file system that keeps kernel programs: mount one \
         (`mount -t bpf bpf /sys/fs/bpf`) and choose a directory below it, or leave --pin out",
        .0.display()
    )]
    NotBpffs(PathBuf),
    /// Another user could have put something there.
    #[error(
        "{} belongs to user {owner} with mode {mode:04o}, so what is pinned there cannot be trusted: remove it, or choose \
         another directory with --pin",
        path.display()
    )]
    Foreign {
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        mode: u32,
    },
    /// A running daemon uses it.
    #[error(
        "another gdprport daemon uses the pins in {}: stop it, or choose another directory with --pin",
        .0.display()
    )]
    InUse(PathBuf),
    /// A system call failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// Adds to an I/O error what was attempted.
fn failed<E: Into<io::Error>>(doing: &'static str, path: &Path) -> impl FnOnce(E) -> PinError {
    move |source| PinError::Io { doing, path: path.to_owned(), source: source.into() }
}

/// The directory, locked: while this value exists, no other daemon can take it.
#[derive(Debug)]
pub(crate) struct PinDirectory {
    path: PathBuf,
    lock: File,
    /// Whether it stays as it is when this value is dropped.
    kept: bool,
}

impl Drop for PinDirectory {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = self.empty().and_then(|()| remove_root(&self.path))
        {
            tracing::error!(%error, "a part of the kernel side stays pinned");
        }
    }
}

impl PinDirectory {
    /// Takes the directory, created with mode 0700 if it is missing. When the value is dropped, the directory stays
    /// if something was in it.
    ///
    /// # Errors
    /// If it is not on a bpffs, belongs to another user, is open to others, or in use.
    pub(crate) fn take(path: &Path) -> Result<Self, PinError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        statfs(parent).map_err(failed("look at", parent))?;
        if !is_bpffs(parent) {
            return Err(PinError::NotBpffs(path.to_owned()));
        }
        for _ in 0..ATTEMPTS {
            make(path)?;
            if let Some(mut taken) = Self::lock(path, false)? {
                taken.kept = taken.holds_something()?;
                return Ok(taken);
            }
        }
        Err(PinError::InUse(path.to_owned()))
    }

    /// Takes the directory if it exists. It stays when the value is dropped. Root may take another user's, to remove what is in
    /// it: the service has a user of its own.
    ///
    /// # Errors
    /// As for [`Self::take`].
    pub(crate) fn take_existing(path: &Path) -> Result<Option<Self>, PinError> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("look at", path)(source)),
            Ok(_) => Self::lock(path, geteuid().is_root()),
        }
    }

    /// Opens and locks the directory at `path`; `None` if it was replaced or removed meanwhile. `of_anybody`: nothing in it is
    /// believed.
    fn lock(path: &Path, of_anybody: bool) -> Result<Option<Self>, PinError> {
        let dir = match open(path, DIRECTORY, Mode::empty()) {
            Ok(dir) => File::from(dir),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failed("open", path)(error)),
        };
        if fstatfs(&dir).map_err(failed("look at", path))?.f_type as u32 != BPF_FS {
            return Err(PinError::NotBpffs(path.to_owned()));
        }
        let found = dir.metadata().map_err(failed("look at", path))?;
        let (owner, mode) = (found.uid(), found.mode() & 0o7777);
        if !of_anybody && (owner != geteuid().as_raw() || mode & 0o077 != 0) {
            return Err(PinError::Foreign { path: path.to_owned(), owner, mode });
        }
        match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(PinError::InUse(path.to_owned())),
            Err(error) => return Err(failed("lock", path)(error)),
        }
        let same = |now: fs::Metadata| (now.dev(), now.ino()) == (found.dev(), found.ino());
        let still_there = fs::symlink_metadata(path).is_ok_and(same);
        Ok(still_there.then(|| Self { path: path.to_owned(), lock: dir, kept: true }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the map `name` is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.path.join(MAPS).join(name)
    }

    /// Where the link of `program` is pinned.
    pub(super) fn link(&self, program: &str) -> PathBuf {
        self.path.join(LINKS).join(program)
    }

    /// Names of the pinned maps; none where nothing was pinned.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(super) fn maps(&self) -> Result<Vec<String>, PinError> {
        list(&self.path.join(MAPS))
    }

    /// Names of the programs whose links are pinned.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(super) fn links(&self) -> Result<Vec<String>, PinError> {
        list(&self.path.join(LINKS))
    }

    /// True if something is pinned here, complete or not.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(super) fn holds_something(&self) -> Result<bool, PinError> {
        Ok(!list(&self.path)?.is_empty())
    }

    /// Creates the two directories for pins.
    ///
    /// # Errors
    /// If they cannot be created.
    pub(super) fn prepare(&self) -> Result<(), PinError> {
        make(&self.path.join(MAPS))?;
        make(&self.path.join(LINKS))
    }

    /// Unpins one link, which detaches its hook unless another process holds it; no error if it does not exist.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn unlink(&self, program: &str) -> Result<(), PinError> {
        remove_file(&self.link(program))
    }

    /// Whether everything stays when this value is dropped; otherwise it is unpinned and the directory removed.
    pub(super) const fn keep(&mut self, everything: bool) {
        self.kept = everything;
    }

    /// Unpins everything. What is pinned from now on is removed on drop unless [`Self::keep`] is called.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub(super) fn clear(&mut self) -> Result<(), PinError> {
        self.empty()?;
        self.kept = false;
        Ok(())
    }

    /// Links first, so that no program runs whose maps are gone. No link of the file system is followed: where root removes
    /// what the service's user has pinned, that must not lead it elsewhere.
    fn empty(&self) -> Result<(), PinError> {
        for part in [LINKS, MAPS] {
            let path = self.path.join(part);
            match openat(&self.lock, part, DIRECTORY, Mode::empty()) {
                Ok(dir) => empty_directory(&dir, &path)?,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(failed("open", &path)(error)),
            }
        }
        empty_directory(&self.lock, &self.path)
    }

    /// Unpins everything and removes the directory.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub(crate) fn remove(self) -> Result<(), PinError> {
        self.empty()?;
        remove_root(&self.path)
    }
}

/// How a directory is opened: itself, and not what a link with its name leads to.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes what is in a directory. Directories in it must be empty.
fn empty_directory(dir: impl AsFd, path: &Path) -> Result<(), PinError> {
    let entries = Dir::read_from(&dir).map_err(failed("list", path))?;
    // Listed before anything is removed.
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed("list", path))?;
    for entry in entries {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let flags =
            if entry.file_type() == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(&dir, name, flags) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed("unpin", &path.join(name.to_string_lossy().as_ref()))(error)),
        }
    }
    Ok(())
}

/// Whether a path is on a bpffs.
#[must_use]
pub(crate) fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|kind| kind.f_type as u32 == BPF_FS)
}

fn make(path: &Path) -> Result<(), PinError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(failed("create the directory", path)),
    }
}

/// Removes the directory itself, which is empty: nothing is pinned. It stays where it is the unit's own (`ReadWritePaths=`): for
/// the service it is a mount point, in a directory that is read-only and root's.
fn remove_root(path: &Path) -> Result<(), PinError> {
    match fs::remove_dir(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ResourceBusy
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        removed => removed.map_err(failed("remove", path)),
    }
}

fn remove_file(path: &Path) -> Result<(), PinError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("unpin", path)),
    }
}

/// Names in a directory; none if it does not exist. Names that are not UTF-8 are no pins of ours; they get replacement
/// characters, so that removing them fails with that name.
fn list(path: &Path) -> Result<Vec<String>, PinError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed("list", path)(source)),
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.map(|e| e.file_name().to_string_lossy().into_owned());
    entries.map(name).collect::<io::Result<_>>().map_err(failed("list", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_is_refused_with_its_remedy() {
        let dir = tempfile::tempdir().expect("directory");
        let error = PinDirectory::take(&dir.path().join("pins")).expect_err("no bpffs").to_string();
        assert!(error.contains("is not on a bpffs") && error.contains("mount -t bpf"), "{error}");
        assert!(!dir.path().join("pins").exists(), "nothing is left behind");
        assert!(PinDirectory::take_existing(&dir.path().join("pins")).expect("not there").is_none());
    }
}
