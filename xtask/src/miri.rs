//! `miri`: interprets the tests of the pure parts, which checks every memory access against the rules of the language.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::sh;
use crate::step::{note, step};

/// Tests that are interpreted: what handles raw records and bytes from outside.
const TESTS: [&str; 4] = ["decode", "hostile", "identity", "posture"];

/// Inputs per property test: interpreted, one takes about a second.
const CASES: &str = "4";

/// Tests that only repeat others for longer or that run a schema validator: interpreted, they would take hours.
const SKIPPED: [&str; 8] = [
    "any_segments_keep_their_promises",
    "every_seed_of_the_core",
    "as_the_schema_says",
    "a_capture_cut_at_any_byte",
    "a_capture_byte_by_byte",
    "both_directions_interleaved",
    "byte_by_byte_reads_the_same",
    "repeated_and_reordered",
];

/// Interprets the tests of the ABI and of the core's parsers.
///
/// # Errors
/// There is no Miri here, or it found something.
pub(crate) fn run() -> Result<()> {
    step("Miri: interprets tests", || Ok(((), provide()?)))?;
    step("the ABI between kernel side and daemon", || {
        interpret(miri("gdprport-common").args(["--features", "user"]), &[])
    })?;
    step("the core's parsers", || interpret(&mut miri("gdprport-core"), &TESTS))
}

/// Finds Miri in rustup's nightly or adds it.
fn provide() -> Result<String> {
    let installed = || sh::quiet(Command::new("cargo").args(["+nightly", "miri", "--version"]));
    if sh::find("rustup").is_none() {
        bail!("Miri comes with rustup's nightly only, and there is no rustup here");
    }
    if let Ok(version) = installed() {
        return Ok(version.trim().to_owned());
    }
    note("rustup component add miri rust-src --toolchain nightly");
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "miri", "rust-src", "--toolchain", "nightly"]);
    sh::quiet(&mut rustup)?;
    Ok(installed()?.trim().to_owned())
}

fn miri(package: &str) -> Command {
    let place: PathBuf = sh::target_dir().join("miri");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["+nightly", "miri", "test", "--quiet", "--lib", "--package", package, "--target-dir"])
        .arg(place)
        .current_dir(sh::workspace())
        // Property tests read their environment, and a test may read a file of the checkout.
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("PROPTEST_CASES", CASES)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    cargo
}

fn interpret(cargo: &mut Command, tests: &[&str]) -> Result<((), String)> {
    cargo.arg("--").args(tests);
    for skipped in SKIPPED {
        cargo.args(["--skip", skipped]);
    }
    sh::loud(cargo)?;
    Ok(((), "nothing found".into()))
}
