//! What every measurement of a run shares: the programs and the folder for its files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// Where the things that a run needs are.
#[derive(Debug)]
pub struct Context {
    /// The daemon.
    pub gdprport: PathBuf,
    /// The instrument, which also holds the floor and the hooks.
    pub bench: PathBuf,
    /// Their kernel programs.
    pub floor: PathBuf,
    /// The short-lived client.
    pub client: PathBuf,
    /// Files of this run; removed at its end.
    pub dir: PathBuf,
}

impl Context {
    /// Writes a file of this run.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
