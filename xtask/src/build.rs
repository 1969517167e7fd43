//! `build`: the daemon with its kernel programs. The daemon's build script builds the kernel programs.

use std::path::PathBuf;

use anyhow::Result;

use crate::setup;
use crate::sh;
use crate::step::step;

/// Builds after setting up what is missing.
pub(crate) fn run(release: bool) -> Result<()> {
    setup::run(setup::Scope::BUILD)?;
    daemon(release).map(drop)
}

/// Builds the daemon and returns where it is.
pub(crate) fn daemon(release: bool) -> Result<PathBuf> {
    cargo(release, &[])
}

/// Builds it with optimisation while another command of cargo shows what it compiles.
pub(crate) fn daemon_beside() -> Result<PathBuf> {
    cargo(true, &["--quiet"])
}

fn cargo(release: bool, args: &[&str]) -> Result<PathBuf> {
    let profile = if release { "release" } else { "debug" };
    step(&format!("building gdprport ({profile}; the first time takes minutes)"), || {
        let mut cargo = sh::cargo();
        cargo.args(["build", "--package", "gdprport-daemon"]).args(args);
        if release {
            cargo.arg("--release");
        }
        sh::loud(&mut cargo)?;
        let binary = sh::target_dir().join(profile).join("gdprport");
        let path = binary.display().to_string();
        Ok((binary, path))
    })
}
