//! `man`: the manual pages and the completions of shells, in `target/man` and `target/completions`.
//!
//! The program that writes them (`gdprport-daemon/manual`) is linked with the definition of the command line, so it is built like the
//! daemon, and is no part of it.

use anyhow::Result;

use crate::setup;
use crate::sh;
use crate::step::step;

/// Sets up what building needs, and writes them.
pub(crate) fn run() -> Result<()> {
    setup::run(setup::Scope::BUILD)?;
    step("manual pages and completions", || {
        let mut cargo = sh::cargo();
        // The same pages without optimisation, which takes minutes.
        cargo.args(["run", "--quiet", "--package", "gdprport-manual", "--"]).arg(sh::target_dir());
        Ok(((), sh::quiet(&mut cargo)?.trim().to_owned()))
    })
}
