//! Programs that `cargo xtask setup --test-servers` puts under `target/` instead of installing them.

use std::path::{Path, PathBuf};

use crate::skip::Missing;

/// The path of one of them, such as `venv/bin/python`.
///
/// # Errors
/// [`Missing`] when it is not there.
///
/// # Panics
/// When this program lies neither in `target/PROFILE` nor in its `deps`.
pub fn provided(path: &str) -> Result<PathBuf, Missing> {
    let own = std::env::current_exe().expect("a test knows its own path");
    // Tests lie in `deps`, programs beside it.
    let profile = own.ancestors().skip(1).find(|dir| !dir.ends_with("deps"));
    let target = profile.and_then(Path::parent).expect("it lies in target/PROFILE");
    let found = target.join(path);
    let name = Path::new(path).file_name().unwrap_or_default().display();
    let missing = || Missing::of(&format!("{name} (`cargo xtask setup --test-servers` brings it)"));
    if found.exists() { Ok(found) } else { Err(missing()) }
}
