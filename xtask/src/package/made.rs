//! Both packages of one binary, and what lies beside them: the bill of materials and the digests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::artefact::Architecture;
use super::dependencies::Dependencies;
use super::stamp::Stamp;
use super::{contents, deb, elf, entry::Format, rpm};
use crate::sh;
use crate::step::step;

/// What was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) deb: PathBuf,
    pub(super) rpm: PathBuf,
}

/// Both packages of a binary, with a bill of materials and digests beside them.
///
/// # Errors
/// A part cannot be made, or a package cannot be written.
pub(super) fn pack(
    binary: &Path,
    arch: Architecture,
    stamp: &Stamp,
    revision: u32,
    out: &Path,
) -> Result<Made> {
    let dependencies = step("what the binary is made of, and under which licences", || {
        let dependencies = Dependencies::read()?;
        let count = dependencies.third_party().count();
        Ok((dependencies, format!("{count} crates of others")))
    })?;
    let needs = elf::Needs::of(binary)?;
    let parts = contents::Parts::collect(binary, &dependencies, stamp)?;
    let made = step(&format!("packages of revision {revision}"), || {
        let about = deb::About { stamp, revision, arch, needs: &needs };
        let made = Made {
            deb: deb::write(&about, &contents::of(&parts, Format::Deb)?, out)?,
            rpm: rpm::write(&about, &contents::of(&parts, Format::Rpm)?, out)?,
        };
        Ok((made, out.display().to_string()))
    })?;
    let bill = out.join("gdprport.cdx.json");
    fs::write(&bill, &parts.bill).with_context(|| format!("cannot write {}", bill.display()))?;
    let named = [&made.deb, &made.rpm, &bill].map(|path| path.file_name().unwrap_or_default().to_owned());
    let sums = sh::quiet(Command::new("sha256sum").args(named).current_dir(out))?;
    fs::write(out.join("SHA256SUMS"), &sums).context("cannot write SHA256SUMS")?;
    eprint!("{sums}");
    Ok(made)
}
