//! Where the ledger is: its directory, the files beside it, and who can change them.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::host::trust::{is_own, remedy_of_owner};

/// Mode bits: the group or everybody may write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bit: only the owner of an entry, or of the directory, removes or replaces it.
const STICKY: u32 = 0o1000;

/// Which file is meant, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// The files of a ledger.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The database, by a path without links.
    pub(super) db: PathBuf,
}

impl Place {
    /// Finds the directory, makes it if there is none, and looks who can change what is in it.
    ///
    /// # Errors
    /// Why it cannot be used, and what to do.
    pub(super) fn prepare(path: &Path) -> Result<Self, String> {
        let absolute = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (Some(dir), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(format!("{} is no path of a file; set `ledger.path`", path.display()));
        };
        let dir_error = |error: io::Error| {
            format!("the directory {} cannot be used: {error}; make it, or set `ledger.path`", dir.display())
        };
        match DirBuilder::new().recursive(true).mode(0o750).create(dir) {
            Err(error) if !dir.is_dir() => return Err(dir_error(error)),
            Ok(()) | Err(_) => {}
        }
        let real = dir.canonicalize().map_err(dir_error)?;
        for (depth, step) in real.ancestors().enumerate() {
            let meta = fs::symlink_metadata(step).map_err(dir_error)?;
            // Above the directory itself it is enough that nobody else can replace what is on the way.
            let harmless = if depth == 0 { 0 } else { meta.mode() & STICKY };
            exposed("directory", step, &meta, harmless)?;
        }
        let place = Self { db: real.join(name) };
        for file in [place.db.clone(), place.beside("-wal"), place.beside("-shm"), place.lock()] {
            match fs::symlink_metadata(&file) {
                Ok(meta) if meta.is_file() => exposed("file", &file, &meta, 0)?,
                Ok(meta) => {
                    let kind =
                        if meta.is_symlink() { "a symbolic link, which is not followed" } else { "no file" };
                    return Err(format!("{} is {kind}; move it away, or set `ledger.path`", file.display()));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{}: {error}", file.display())),
            }
        }
        Ok(place)
    }

    /// The lock.
    pub(super) fn lock(&self) -> PathBuf {
        self.db.with_extension("lock")
    }

    /// A file whose name begins with the database's.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name: OsString = self.db.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        self.db.parent().unwrap_or(Path::new("/"))
    }

    /// Which file the database is now.
    pub(super) fn id(&self) -> Option<FileId> {
        id(&self.db)
    }

    /// Which file its write-ahead log is now.
    pub(super) fn wal_id(&self) -> Option<FileId> {
        id(&self.beside("-wal"))
    }
}

/// Which file a path leads to; `None`: none.
fn id(path: &Path) -> Option<FileId> {
    fs::symlink_metadata(path).ok().map(|meta| FileId(meta.dev(), meta.ino()))
}

/// The size of a file; 0: there is none.
pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn exposed(kind: &str, path: &Path, meta: &Metadata, harmless: u32) -> Result<(), String> {
    let shown = path.display();
    if !is_own(meta.uid()) {
        let remedy = remedy_of_owner(path, meta.is_dir());
        return Err(format!(
            "the {kind} {shown} belongs to user {}, who could change the ledger ({remedy})",
            meta.uid()
        ));
    }
    if meta.mode() & OTHERS_WRITE != 0 && harmless == 0 {
        return Err(format!(
            "the {kind} {shown} has mode {:04o}, so that others could change the ledger (`chmod go-w {shown}` mends it)",
            meta.mode() & 0o7777
        ));
    }
    Ok(())
}
