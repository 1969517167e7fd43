//! The package for Debian in a machine with systemd: the promises of `tests/tests/packages_machine.rs`.

use std::time::Duration;

use anyhow::{Result, bail};

use super::made::Made;
use crate::step::{note, step};
use crate::vm;

/// Debian 12's own.
const KERNEL: &str = "6.1";

/// The program of the promises.
const PROGRAM: &str = "packages_machine";

/// An emulated machine unpacks and restarts slowly.
const LIMIT: Duration = Duration::from_secs(900);

/// Boots the machine and runs them.
///
/// # Errors
/// It cannot be booted, or a promise is not kept in it.
pub(super) fn check(older: &Made, newer: &Made) -> Result<()> {
    step("a machine with systemd: installed, upgraded, removed, purged (takes minutes)", || {
        let program = vm::test_program(PROGRAM)?;
        let script = format!(
            "export GDPRPORT_PACKAGE={} GDPRPORT_PACKAGE_NEWER={}\nexec {} --include-ignored --nocapture",
            vm::quoted(&older.deb),
            vm::quoted(&newer.deb),
            vm::quoted(&program),
        );
        let mut passed = false;
        let ended = vm::run_under_systemd(KERNEL, script, LIMIT, |line| {
            passed |= line.starts_with("test result: ok. 1 passed");
            note(line);
        })?;
        // A program that ran no test has kept no promise.
        if !ended.status.is_success() || !passed {
            bail!("the package does not keep its promises in a machine with systemd: {}", ended.status);
        }
        Ok(((), format!("kept on the kernel {KERNEL}")))
    })
}
