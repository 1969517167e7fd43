//! `run`: from a bare checkout to the running daemon, which then takes this process's place.

use std::os::unix::process::CommandExt as _;

use anyhow::{Result, anyhow};

use crate::{build, setup, sh};

/// Sets up, builds and becomes `gdprport daemon run ARGS`. Returns only when that fails: the daemon itself, and not
/// a parent of it, gets Ctrl-C and gives the exit status.
///
/// # Errors
/// Set-up, compilation or start failed.
pub fn run(args: &[String]) -> Result<()> {
    setup::run(setup::Scope { test_servers: false })?;
    let binary = build::daemon(true)?;
    let mut daemon = sh::as_root(&binary)?;
    daemon.args(["daemon", "run"]).args(args);
    eprintln!("▸ {}", sh::shown(&daemon));
    let error = daemon.exec();
    Err(anyhow!("cannot run {}: {error}", binary.display()))
}
