//! The program as a person calls it, and what it prints and writes.

use std::path::Path;
use std::process::{Command, Output};

use crate::daemon::program;

/// Runs it with these words until it ends, whatever comes of it.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn gdprport(words: &[&str]) -> Output {
    Command::new(program()).args(words).output().expect("the program can be run")
}

/// What it printed, as text.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path as a word of a command.
///
/// # Panics
/// When it is no UTF-8.
#[must_use]
#[track_caller]
pub fn path(file: &Path) -> &str {
    file.to_str().expect("UTF-8")
}

/// A file that it wrote into a directory.
///
/// # Panics
/// When it cannot be read.
#[must_use]
#[track_caller]
pub fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
