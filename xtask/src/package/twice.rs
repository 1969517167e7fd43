//! The same packages from a clone in another directory, with another folder of builds, compared byte by byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::made::Made;
use crate::sh;
use crate::step::{note, step};

/// Builds them again and compares.
///
/// # Errors
/// There is something that is not committed, the clone does not build, or a byte differs.
pub(super) fn check(made: &Made, revision: u32) -> Result<()> {
    let folder = sh::target_dir().join("packaging/again-in-another-directory");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    step("a clone in another directory", || {
        if !sh::quiet(Command::new("git").args(["status", "--porcelain"]).current_dir(sh::workspace()))?
            .is_empty()
        {
            bail!("what is not committed would not be in the clone: commit it, or put it aside");
        }
        let mut git = Command::new("git");
        sh::quiet(git.args(["clone", "--quiet"]).arg(sh::workspace()).arg(&folder))?;
        Ok(((), folder.display().to_string()))
    })?;
    step("the packages from there, everything compiled anew", || {
        let mut cargo = sh::cargo();
        cargo.args(["xtask", "package", "--revision", &revision.to_string()]);
        sh::loud(cargo.current_dir(&folder).env_remove("CARGO_TARGET_DIR"))?;
        Ok(((), "built".into()))
    })?;
    step("every byte", || {
        let again = folder.join("target/packages");
        let mut different = Vec::new();
        for one in [&made.deb, &made.rpm, &made.deb.with_file_name("gdprport.cdx.json")] {
            let other = again.join(one.file_name().context("a package has a name")?);
            if read(one)? != read(&other)? {
                different.push(format!("{} and {}", one.display(), other.display()));
            }
        }
        if !different.is_empty() {
            note(format_args!("kept, to be compared: {}", folder.display()));
            bail!("two builds of the same commit differ: {}", different.join("; "));
        }
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        Ok(((), "the same".into()))
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", PathBuf::from(path).display()))
}
