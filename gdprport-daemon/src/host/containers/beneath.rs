//! Reading files below a directory, and who can have written them.
//!
//! Belongs here: that no link leads out, that nothing but a regular file is opened, that nothing is read without bound, and
//! that everything on the way counts. A file system that hangs is the caller's to expect: it must have a thread to lose.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

use super::word::{Word, of_entry, of_step};
use crate::host::trust::reversed;

/// Bytes that a file may have: the largest known is containerd's database of a node with thousands of images.
pub(super) const FILE_MAX: u64 = 4 << 20;

/// Entries of a directory that are looked at.
const ENTRIES_MAX: usize = 16_384;

/// Links that the kernel follows on one path (`MAXSYMLINKS`, include/linux/namei.h).
const LINKS_MAX: u32 = 40;

/// A directory that was reached from the root of the host.
#[derive(Debug)]
pub(super) struct Beneath {
    dir: OwnedFd,
    stat: Stat,
    word: Word,
    path: PathBuf,
}

/// What a file holds, and whose word that is.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    pub(super) word: Word,
}

impl Beneath {
    /// Goes to a directory. Links on the way are followed, as root has put the path into a configuration; who can change
    /// one counts.
    pub(super) fn open(base: &Path) -> io::Result<Self> {
        let mut trail = vec![Self::root()?];
        let mut steps = reversed(base);
        let mut links = 0;
        let mut word = Word::ROOT;
        while let Some(step) = steps.pop() {
            if step == ".." {
                trail.truncate(trail.len().max(2) - 1);
                continue;
            }
            let Some(here) = trail.last() else { return Err(Errno::NOENT.into()) };
            let entry =
                openat(&here.dir, &step, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let stat = fstat(&entry)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                word = word.and(here.word).and(Word::of(stat.st_uid));
                let target = readlinkat(&entry, c"", Vec::new())?;
                let target = Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
                    target.to_bytes(),
                ))
                .to_owned();
                if target.is_absolute() {
                    trail.truncate(1);
                }
                steps.extend(reversed(&target));
                continue;
            }
            let next = here.step(entry, stat, Path::new(&step))?;
            trail.push(next);
        }
        let mut found = trail.pop().ok_or(Errno::NOENT)?;
        found.word = found.word.and(word);
        Ok(found)
    }

    /// The host's root, as init has it: a service manager hides homes and mounts from the daemon's own. If that may not be
    /// opened, the daemon's.
    fn root() -> io::Result<Self> {
        let open =
            |path| openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let dir = open("/proc/1/root").or_else(|_| open("/"))?;
        let stat = fstat(&dir)?;
        Ok(Self { dir, stat, word: of_entry(&stat), path: PathBuf::from("/") })
    }

    fn step(&self, entry: OwnedFd, stat: Stat, name: &Path) -> io::Result<Self> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        let word = self.word.and(of_step(&self.stat, &stat));
        Ok(Self { dir: entry, stat, word, path: self.path.join(name) })
    }

    /// Where it is, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose word everything below is at least.
    pub(super) const fn word(&self) -> Word {
        self.word
    }

    /// Whose word it is that an entry is in it: who can add one.
    pub(super) const fn word_of_entries(&self) -> Word {
        if self.stat.st_mode & 0o022 == 0 { self.word } else { Word::ANYBODY }
    }

    /// A directory in it.
    pub(super) fn directory(&self, name: &str) -> io::Result<Self> {
        let entry = self.entry(name)?;
        let stat = fstat(&entry)?;
        self.step(entry, stat, Path::new(name))
    }

    /// A directory below it, by the names on the way.
    pub(super) fn below(&self, names: &[&str]) -> io::Result<Self> {
        let (first, rest) = names.split_first().ok_or(Errno::INVAL)?;
        rest.iter().try_fold(self.directory(first)?, |here, name| here.directory(name))
    }

    /// A regular file in it, whole.
    pub(super) fn read(&self, name: &str) -> io::Result<Contents> {
        let (file, word) = self.file(name)?;
        if file.metadata()?.len() > FILE_MAX {
            return Err(Errno::FBIG.into());
        }
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(Errno::FBIG.into());
        }
        Ok(Contents { bytes, word })
    }

    /// A regular file in it, to be read in parts.
    pub(super) fn file(&self, name: &str) -> io::Result<(File, Word)> {
        regular(&fstat(self.entry(name)?)?)?;
        // Without O_NONBLOCK opening a FIFO waits for its writer; somebody may put one there at this moment.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&self.dir, name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        regular(&stat)?;
        Ok((File::from(file), self.word.and(of_step(&self.stat, &stat))))
    }

    /// The names of what is in it, as many as are looked at.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let dir =
            openat(&self.dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(dir)?.take(ENTRIES_MAX) {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// An entry of it, not opened for reading. One name leads nowhere else, as links are not followed.
    fn entry(&self, name: &str) -> io::Result<OwnedFd> {
        if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
            return Err(Errno::INVAL.into());
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.dir, name, flags, Mode::empty())?)
    }
}

fn regular(stat: &Stat) -> io::Result<()> {
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if is_file { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    /// A directory of root's in which `state/id/config` lies.
    fn scene() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(dir.path().join("state/id")).expect("directories");
        fs::write(dir.path().join("state/id/config"), "{}").expect("a file");
        for (path, mode) in [("state", 0o711), ("state/id", 0o700), ("state/id/config", 0o600)] {
            fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(mode)).expect("mode");
        }
        dir
    }

    fn word(base: &Path) -> Word {
        let state = Beneath::open(base).and_then(|base| base.directory("id")).expect("a directory");
        state.read("config").expect("a file").word
    }

    #[test]
    fn whoever_can_change_anything_on_the_way_has_said_it() {
        let root = rustix::process::geteuid() == rustix::process::Uid::ROOT;
        gdprport_tests::need!(root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root")));
        let dir = scene();
        let state = dir.path().join("state");
        assert_eq!(word(&state), Word::ROOT);
        let link = dir.path().join("link");
        symlink(&state, &link).expect("a link");
        assert_eq!(word(&link), Word::ROOT);
        std::os::unix::fs::lchown(&link, Some(7), None).expect("owner");
        assert_eq!(word(&link), Word::of(7));
        for below in ["state", "state/id", "state/id/config"] {
            let path = dir.path().join(below);
            chown(&path, Some(5), None).expect("owner");
            assert_eq!(word(&state), Word::of(5), "{below}");
            chown(&path, Some(0), None).expect("owner");
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o020)).expect("mode");
            assert_eq!(word(&state), Word::ANYBODY, "{below}");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        }
        chown(&state, Some(5), None).expect("owner");
        chown(dir.path().join("state/id"), Some(6), None).expect("owner");
        assert_eq!(word(&state), Word::ANYBODY);
    }

    #[test]
    fn nothing_but_a_regular_file_below_is_read() {
        let dir = scene();
        let id = Beneath::open(&dir.path().join("state/id")).expect("a directory");
        let path = dir.path().join("state/id");
        symlink("config", path.join("link")).expect("a link");
        fs::create_dir(path.join("folder")).expect("a directory");
        rustix::fs::mknodat(CWD, path.join("fifo"), FileType::Fifo, 0o644.into(), 0).expect("a FIFO");
        let large = fs::File::create(path.join("large")).expect("a file");
        large.set_len(FILE_MAX + 1).expect("its size");
        for name in ["link", "folder", "fifo", "large", "none", "..", ".", "", "folder/../config", "a\0b"] {
            assert!(id.read(name).is_err(), "{name}");
        }
        assert_eq!(id.read("config").expect("it is there").bytes, b"{}");
        symlink("..", path.join("up")).expect("a link");
        assert!(id.directory("up").is_err() && id.directory("..").is_err());
    }
}
