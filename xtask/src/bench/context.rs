//! What every measurement of a run shares: the programs and the folder for its files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) gdprport: PathBuf,
    /// The instrument, which also holds the floor and the hooks.
    pub(crate) bench: PathBuf,
    /// Their kernel programs.
    pub(crate) floor: PathBuf,
    pub(crate) client: PathBuf,
    /// Files of this run; removed at its end.
    pub(crate) dir: PathBuf,
    /// Where the daemon pins its hooks, in a bpffs of this run.
    pub(crate) pins: PathBuf,
}

impl Context {
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
