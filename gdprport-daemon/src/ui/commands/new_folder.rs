//! Writing a directory of files, each of which is whole or as it was.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::new_file::{Content, FileError, write_private};

/// The file by which a directory is known as one of ours.
pub(super) const MARK: &str = "record.json";

/// All files by which one is, each the first that is written.
const MARKS: [&str; 3] = [MARK, FRAMEWORKS, INCIDENT];

/// The one of a directory of tables of frameworks.
pub(super) const FRAMEWORKS: &str = "frameworks.json";

/// The one of a directory of a draft notification.
pub(super) const INCIDENT: &str = "incident.json";

/// How each of these begins.
const BEGIN: &str = "{\n  \"format\": \"gdprport.";

/// The file that only an evidence pack has, which is never written again.
const PACK: &str = "MANIFEST.json";

/// Who may look into it: records name addresses and accounts.
const MODE: u32 = 0o750;

/// Why a directory was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    /// It has files that are not ours.
    #[error("{} has other files in it; name an empty or new directory, or --force to write beside them", .0.display())]
    NotOurs(PathBuf),
    /// It has files, and evidence replaces nothing.
    #[error("{} has files in it, and evidence replaces nothing; name an empty or new directory, or --force to write beside them", .0.display())]
    NotEmpty(PathBuf),
    /// It is none.
    #[error("{} is no directory; name another one with --out", .0.display())]
    NoDirectory(PathBuf),
    /// It cannot be made or read.
    #[error("cannot use the directory {}: {source}; name another one with --out, or run this with sudo", path.display())]
    Use {
        /// The directory.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Whether a directory may be written: it is missing, empty, or one of ours.
///
/// # Errors
/// If it is none of these and `force` is not given.
pub(super) fn examine(dir: &Path, force: bool) -> Result<(), FolderError> {
    if is_empty(dir)? || force || is_ours(dir) { Ok(()) } else { Err(FolderError::NotOurs(dir.to_owned())) }
}

/// Whether evidence may be written there: it is missing or empty.
///
/// # Errors
/// If it is neither and `force` is not given.
pub(super) fn examine_new(dir: &Path, force: bool) -> Result<(), FolderError> {
    if is_empty(dir)? || force { Ok(()) } else { Err(FolderError::NotEmpty(dir.to_owned())) }
}

/// Whether there is nothing in it, or it is missing.
fn is_empty(dir: &Path) -> Result<bool, FolderError> {
    let failed = |source| FolderError::Use { path: dir.to_owned(), source };
    let mut entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(FolderError::NoDirectory(dir.to_owned()));
        }
        Err(error) => return Err(failed(error)),
    };
    Ok(entries.next().is_none())
}

fn is_ours(dir: &Path) -> bool {
    // What an auditor has is not changed by the way.
    dir.join(PACK).symlink_metadata().is_err() && MARKS.iter().any(|name| is_mark(&dir.join(name)))
}

fn is_mark(path: &Path) -> bool {
    use std::io::Read as _;
    // A pipe or a device is none of ours, and might never end.
    if !path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        return false;
    }
    let mut bytes = vec![0; BEGIN.len()];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).is_ok() && bytes == BEGIN.as_bytes()
}

/// A directory that is written, a file after the other: each is whole before the next one begins, and none is in memory as a whole.
#[derive(Debug)]
pub(super) struct Folder<'d> {
    dir: &'d Path,
    was_ours: bool,
    /// In the order in which they were written.
    files: Vec<String>,
}

impl<'d> Folder<'d> {
    /// Begins. Whether files may be written there is to be examined before.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub(super) fn begin(dir: &'d Path) -> Result<Self, FolderError> {
        let was_ours = is_ours(dir);
        match DirBuilder::new().mode(MODE).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(FolderError::Use { path: dir.to_owned(), source: error })
            }
            _ => Ok(Self { dir, was_ours, files: Vec::new() }),
        }
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be written. Files before it are whole, and one of this name is as it was.
    pub(super) fn put(&mut self, name: &str, content: &Content<'_>) -> Result<(), FolderError> {
        write_private(&self.dir.join(name), content)?;
        self.files.push(name.to_owned());
        Ok(())
    }

    /// The same of a text.
    ///
    /// # Errors
    /// The same.
    pub(super) fn put_text(&mut self, name: &str, text: &str) -> Result<(), FolderError> {
        self.put(name, &|out| out.write_all(text.as_bytes()))
    }

    /// Ends, and says which files were written. Files of these names that are not among them go, if the directory was ours: what an
    /// earlier run left would be taken for this one's.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(super) fn end(self, names: &[&str]) -> Result<Vec<String>, FolderError> {
        let Self { dir, was_ours, files } = self;
        for name in names.iter().filter(|name| was_ours && files.iter().all(|written| written != **name)) {
            match fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FolderError::Use { path: dir.to_owned(), source: error });
                }
                _ => {}
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let of = |name: &str| dir.path().join(name);
        let files = |text: &str| vec![(MARK, format!("{BEGIN}{text}\"")), ("a.md", text.to_owned())];
        let write = |dir: &Path, files: &[(&str, String)], names: &[&str], force| {
            examine(dir, force)?;
            let mut folder = Folder::begin(dir)?;
            for (name, text) in files {
                folder.put_text(name, text)?;
            }
            folder.end(names)
        };
        let read = |path: &Path| fs::read_to_string(path).expect("it is there");
        write(&of("new"), &files("one"), &[], false).expect("it is new");
        write(&of("new"), &files("two"), &[], false).expect("it is ours");
        assert_eq!(read(&of("new/a.md")), "two");
        fs::write(of("new/b.md"), "notes").expect("writable");
        write(&of("new"), &files("two")[..1], &["a.md"], false).expect("it is ours");
        assert!(!of("new/a.md").exists(), "it would be taken for this one's");
        assert_eq!(read(&of("new/b.md")), "notes");
        write(&of("new"), &files("two"), &["a.md"], false).expect("it is ours");
        let new = of("new");
        let mut folder = Folder::begin(&new).expect("it is there");
        let half = |out: &mut dyn io::Write| out.write_all(b"half").and(Err(io::Error::other("no room")));
        assert!(matches!(folder.put("a.md", &half), Err(FolderError::File(_))));
        assert_eq!(read(&of("new/a.md")), "two", "what could not be written is as it was");
        let left = fs::read_dir(of("new")).expect("readable").flatten();
        let left: Vec<_> =
            left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).collect();
        assert!(left.is_empty(), "{left:?}");
        let mode = fs::metadata(of("new/a.md")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o027, 0, "it names addresses and accounts: {mode:o}");
        fs::create_dir(of("other")).expect("it is new");
        write(&of("other"), &files("")[..0], &[], false).expect("it is empty");
        fs::write(of("other/thesis.txt"), "x").expect("writable");
        let refused = write(&of("other"), &files("one"), &[], false).expect_err("it is not ours");
        assert!(matches!(refused, FolderError::NotOurs(_)) && refused.to_string().contains("--force"));
        fs::write(of("other/b.md"), "notes").expect("writable");
        write(&of("other"), &files("one"), &["b.md"], true).expect("it is forced");
        assert_eq!(read(&of("other/b.md")), "notes", "it was not ours");
        assert_eq!(read(&of("other/thesis.txt")), "x");
        let refused = write(&of("other/thesis.txt"), &files("one"), &[], true).expect_err("it is a file");
        assert!(matches!(refused, FolderError::NoDirectory(_)), "{refused}");
        assert!(matches!(write(&of("no/where"), &files("one"), &[], false), Err(FolderError::Use { .. })));
        fs::write(of("new/MANIFEST.json"), "{}").expect("writable");
        write(&of("new"), &files("one"), &[], false).expect_err("it is a pack by now");
        examine_new(&of("new"), false).expect_err("evidence replaces nothing");
        examine_new(&of("missing"), false).expect("it is new");
    }
}
