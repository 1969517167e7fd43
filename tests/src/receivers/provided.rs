//! Programs that `cargo xtask setup --test-servers` puts under `target/` instead of installing them.

use std::path::{Path, PathBuf};

use crate::skip::Missing;

/// The path of one of them, such as `venv/bin/python`.
///
/// # Errors
/// [`Missing`] when it is not there.
///
/// # Panics
/// When this program does not lie in `target/PROFILE/deps`.
pub fn provided(path: &str) -> Result<PathBuf, Missing> {
    let own = std::env::current_exe().expect("a test knows its own path");
    let target = own.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
    let found = target.join(path);
    let name = Path::new(path).file_name().unwrap_or_default().display();
    let missing = || Missing::of(&format!("{name} (`cargo xtask setup --test-servers` brings it)"));
    if found.exists() { Ok(found) } else { Err(missing()) }
}
