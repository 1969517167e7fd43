//! A directory that a sink keeps for itself.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::host::trust::exposure_of_state;

/// Makes the directory if there is none, and looks who can change what is in it. Returns its path without links. `what` is kept in
/// it, and `key` of the configuration names it.
///
/// # Errors
/// A sentence with what to do: it cannot be used, or others can change it.
pub(super) fn own_directory(dir: &Path, what: &str, key: &str) -> Result<PathBuf, String> {
    let shown = dir.display();
    let failed = |error: io::Error| {
        format!("the directory {shown} of the {what} cannot be used: {error}; make it, or set `{key}`")
    };
    match DirBuilder::new().recursive(true).mode(0o750).create(dir) {
        Err(error) if !dir.is_dir() => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let real = dir.canonicalize().map_err(failed)?;
    for path in [dir, &real] {
        if let Some(how) = exposure_of_state(path).map_err(failed)? {
            return Err(format!(
                "others than root can change the {what} {shown}, so that it is not written: {how}"
            ));
        }
    }
    Ok(real)
}
