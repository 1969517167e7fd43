//! `package`: the packages for Debian and for distributions with RPM, with one binary that runs on all of them.
//!
//! Belongs here: what the command does, in order. How the binary is built is in `artefact`, what it needs of a C library in
//! `elf`, what it is made of in `dependencies`, `sbom` and `licences`, which files a package holds in `contents`, how it becomes
//! a file in `deb` and `rpm`, both and what is beside them in `made`. `--check` installs them:
//! `roots` and `machine`. `--twice` builds them again: `twice`.

mod artefact;
mod contents;
mod deb;
mod dependencies;
mod elf;
mod entry;
mod licences;
mod machine;
mod made;
mod roots;
mod rpm;
mod sbom;
mod stamp;
mod tree;
mod twice;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{setup, sh};
use artefact::Architecture;
use made::pack;
use stamp::Stamp;

/// The arguments of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the packages go; `packages` in the build's folder when left out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which package of this version it is
    #[arg(long, value_name = "N", default_value_t = 1)]
    revision: u32,
    /// Pack this program instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// For this architecture; another than this machine's is built with its standard library from source
    #[arg(long, value_enum, default_value_t = Architecture::HERE)]
    arch: Architecture,
    /// Afterwards install, upgrade, remove and purge them: in roots of Debian's releases, and in a machine with systemd
    #[arg(long)]
    check: bool,
    /// Only these roots, and no machine
    #[arg(long, value_name = "SUITE", requires = "check")]
    root: Vec<String>,
    /// Afterwards build them again from a clone in another directory, and compare every byte
    #[arg(long)]
    twice: bool,
}

/// Makes the packages, and checks them where that is asked for.
///
/// # Errors
/// Something to build with is missing, it does not compile, or a check failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(setup::Scope { packaging: true, ..setup::Scope::BUILD })?;
    let out = options.out.clone().unwrap_or_else(|| sh::target_dir().join("packages"));
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let stamp = Stamp::read()?;
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => artefact::build(options.arch, &stamp)?,
    };
    let made = pack(&binary, options.arch, &stamp, options.revision, &out)?;
    if options.check {
        let next = out.join("next");
        fs::create_dir_all(&next).with_context(|| format!("cannot make {}", next.display()))?;
        let newer = pack(&binary, options.arch, &stamp, options.revision + 1, &next)?;
        roots::check(&made, &newer, &options.root)?;
        if options.root.is_empty() {
            machine::check(&made, &newer)?;
        }
    }
    if options.twice {
        twice::check(&made, options.revision)?;
    }
    Ok(())
}
