//! The directory of the log: made, trusted, set aside.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use gdprport_core::evidence::Before;
use jiff::Timestamp;

use crate::sink::place::own_directory;

/// The lock. Only root may open it.
pub(super) const LOCK: (&str, u32) = ("log.lock", 0o600);

/// Makes the directory if there is none, and looks who can change what is in it. Returns its path without links.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf, String> {
    own_directory(dir, "evidence log", "evidence.path")
}

/// Gives the directory of a log that cannot be gone on with another name, and makes an empty one.
pub(super) fn set_aside(dir: &Path, why: &str) -> Result<Before, String> {
    let failed = |error: io::Error| {
        format!("the log {} cannot be gone on with ({why}), and cannot be set aside: {error}", dir.display())
    };
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = dir.with_file_name(format!("{name}.until-{time}"));
    std::fs::rename(dir, &aside).map_err(failed)?;
    DirBuilder::new().mode(0o750).create(dir).map_err(failed)?;
    let place = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
    tracing::error!(%place, why, "the evidence log cannot be gone on with: it was set aside, and another one begins");
    Ok(Before { place, why: why.to_owned() })
}

/// Randomness of the kernel.
pub(super) fn random(bytes: &mut [u8]) {
    let mut at = 0;
    while at < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[at..], rustix::rand::GetRandomFlags::empty()) {
            Ok(read) => at += read,
            Err(rustix::io::Errno::INTR) => {}
            // Without a source no salt is one: an entry that could be tried out must not be written.
            Err(error) => panic!("the kernel gives no randomness: {error}"),
        }
    }
}
