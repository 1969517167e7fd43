//! The deliverer's own files: directories in its state directory, and files that are replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Makes a directory in the deliverer's state directory, which must exist.
///
/// # Errors
/// If it cannot be made or written to.
pub(super) fn directory(state: &Path, name: &str) -> io::Result<PathBuf> {
    let directory = state.join(name);
    match fs::create_dir(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(&directory)?.sync_all()?;
    rustix::fs::access(&directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    Ok(directory)
}

/// Replaces a file, so that whoever reads it finds the one before or all of the new one.
///
/// # Errors
/// If it cannot be written; the one before is still there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // None of the names of these files begins with a dot.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&new)?;
    file.write_all(bytes)?;
    // Without it the name may be on the disk before the bytes are.
    file.sync_data()?;
    fs::rename(&new, path)
}
