//! `run`: from a bare checkout to the running daemon, which then takes this process's place.

use std::os::unix::process::CommandExt as _;

use anyhow::{Result, anyhow};

use crate::{build, setup, sh};

/// Sets up, builds and execs `gdprport daemon run ARGS`, so that the daemon itself receives Ctrl-C and sets the exit
/// status. Returns only on failure.
pub(crate) fn run(args: &[String]) -> Result<()> {
    setup::run(setup::Scope::BUILD)?;
    let binary = build::daemon(true)?;
    let mut daemon = sh::as_root(&binary)?;
    daemon.args(["daemon", "run"]).args(args);
    eprintln!("▸ {}", sh::shown(&daemon));
    let error = daemon.exec();
    Err(anyhow!("cannot run {}: {error}", binary.display()))
}
