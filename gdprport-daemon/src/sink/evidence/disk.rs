//! The few things that the log does to files, so that a test can lose what was not synced or end at any of them. Paths are below
//! the log's directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A file that is being written, and takes another's name when it is whole.
const UNFINISHED: &str = "unfinished.tmp";

/// Files that are kept open: those of the entries and of their hashes.
const OPEN_MAX: usize = 2;

/// Files and what can be done to them. What is not synced may be lost, in part and in any order, when the host ends.
pub(crate) trait Disk: Send + 'static {
    /// The bytes of a file; `None` if there is none.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// How many bytes it has; 0 if there is none.
    fn size(&self, path: &str) -> io::Result<u64> {
        Ok(self.read(path)?.map_or(0, |bytes| bytes.len() as u64))
    }

    /// Appends to a file, which is made if there is none. On an error a part may have been appended.
    fn append(&mut self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file off behind so many bytes.
    fn cut(&mut self, path: &str, length: u64) -> io::Result<()>;

    /// Gives a file another name, whose directory is made if there is none. A file that has that name is replaced.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; no error if there is none.
    fn remove(&mut self, path: &str) -> io::Result<()>;

    /// What a file holds is on the disk.
    fn sync(&mut self, path: &str) -> io::Result<()>;

    /// Which files a directory holds is on the disk, and that it is there. `""`: the log's own.
    fn sync_directory(&mut self, path: &str) -> io::Result<()>;

    /// The names of the files in a directory; none if there is none.
    fn names(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Writes a whole file that takes the place of the one before in one step, and is on the disk then.
    fn replace(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.remove(UNFINISHED)?;
        self.append(UNFINISHED, bytes)?;
        self.sync(UNFINISHED)?;
        self.rename(UNFINISHED, path)?;
        self.sync_directory(directory_of(path))
    }
}

/// The directory that a file is in; empty: the log's own.
pub(super) fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// A directory of the host. Only the daemon writes in it.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// The files that were appended to last, kept open.
    open: Vec<(String, File)>,
}

impl Directory {
    /// What is below this directory, which exists.
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root, open: Vec::new() }
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn close(&mut self, path: &str) {
        self.open.retain(|(name, _)| name != path);
    }

    /// The file, opened if it is not.
    fn appending(&mut self, path: &str) -> io::Result<&mut File> {
        let at = match self.open.iter().position(|(name, _)| name == path) {
            Some(at) => at,
            None => {
                let file = self.open_to_append(path)?;
                self.open.truncate(OPEN_MAX - 1);
                self.open.insert(0, (path.to_owned(), file));
                0
            }
        };
        Ok(&mut self.open[at].1)
    }

    fn open_to_append(&self, path: &str) -> io::Result<File> {
        let at = self.at(path);
        let open = || {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
                .open(&at)
        };
        match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_parent(&at)?;
                open()
            }
            file => file,
        }
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| DirBuilder::new().recursive(true).mode(0o750).create(parent))
}

fn absent_is<T>(result: io::Result<T>, absent: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(absent),
        result => result,
    }
}

impl Disk for Directory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        absent_is(fs::read(self.at(path)).map(Some), None)
    }

    fn size(&self, path: &str) -> io::Result<u64> {
        absent_is(fs::metadata(self.at(path)).map(|meta| meta.len()), 0)
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.appending(path)?.write_all(bytes)
    }

    fn cut(&mut self, path: &str, length: u64) -> io::Result<()> {
        self.close(path);
        OpenOptions::new().write(true).open(self.at(path))?.set_len(length)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.close(from);
        self.close(to);
        let (from, to) = (self.at(from), self.at(to));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_parent(&to)?;
                fs::rename(&from, &to)
            }
            result => result,
        }
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        self.close(path);
        absent_is(fs::remove_file(self.at(path)), ())
    }

    fn sync(&mut self, path: &str) -> io::Result<()> {
        match self.open.iter().find(|(name, _)| name == path) {
            Some((_, file)) => file.sync_data(),
            None => File::open(self.at(path))?.sync_data(),
        }
    }

    fn sync_directory(&mut self, path: &str) -> io::Result<()> {
        // Its own name, too, and those of the directories above it.
        let mut path = path;
        loop {
            File::open(self.at(path))?.sync_all()?;
            if path.is_empty() {
                return Ok(());
            }
            path = directory_of(path);
        }
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let Some(list) = absent_is(fs::read_dir(self.at(directory)).map(Some), None)? else {
            return Ok(Vec::new());
        };
        list.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}
