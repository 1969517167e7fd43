//! The toolchain that builds `core` for the kernel's machine. The daemon's build folder defines what a
//! usable one is, shared with its build script; this file completes or installs one.

use std::process::Command;

use anyhow::{Result, anyhow, bail};

use super::toolchain::{Candidate, Lack, OVERRIDE, Toolchain, is_new_enough};
use super::{apt, linker};
use crate::sh;
use crate::step::note;

/// Debian has a newer Rust for its browsers under names of its own.
const FAMILIES: [[&str; 3]; 2] = [["rustc-web", "cargo-web", "rust-web-src"], ["rustc", "cargo", "rust-src"]];

/// The first candidate that is complete, or can be completed, and has a linker for its bitcode.
///
/// # Errors
/// None is usable; the error states how to get one.
pub(crate) fn provide() -> Result<(Toolchain, Candidate)> {
    let mut remedy = match Candidate::all().as_slice() {
        [Candidate::Override(_)] => format!("name another toolchain in {OVERRIDE}, or unset it"),
        _ => format!(
            "fix this with `rustup toolchain install nightly --component rust-src`, or name a toolchain that has \
             rust-src in {OVERRIDE}"
        ),
    };
    for candidate in Candidate::all() {
        match candidate.inspect().or_else(|lack| complete(&candidate, lack)) {
            Ok(toolchain) if linker::obtainable(&toolchain)? => return Ok((toolchain, candidate)),
            Ok(Toolchain { llvm, .. }) => {
                note(format_args!(
                    "{candidate}: no linker for the bitcode of its LLVM {llvm} can be had here"
                ));
                remedy = format!("install the development files of LLVM {llvm} (Debian: llvm-{llvm}-dev)");
            }
            Err(error) => note(format_args!("{candidate}: {error:#}")),
        }
    }
    bail!("no Rust toolchain here can build the kernel programs, for the reasons above; {remedy}")
}

/// Completes a toolchain, unless the user has picked it by name.
fn complete(candidate: &Candidate, lack: Lack) -> Result<Toolchain> {
    match (candidate, lack) {
        (Candidate::Nightly, Lack::Sources) => {
            note(format_args!("{candidate} has no rust-src; adding it"));
            let mut rustup = Command::new("rustup");
            rustup.args(["component", "add", "rust-src", "--toolchain", "nightly"]);
            // Without a network, fail soon.
            rustup.env("RUSTUP_MAX_RETRIES", "1");
            sh::quiet(&mut rustup)
                .map_err(|_| anyhow!("has no rust-src and it cannot be fetched; going on without"))?;
        }
        (Candidate::Distribution, Lack::Absent | Lack::Sources | Lack::TooOld(_)) if apt::exists() => {
            apt::install(&packages()?)?;
        }
        (_, lack) => bail!("{lack}"),
    }
    candidate.inspect().map_err(|lack| anyhow!("still {lack}"))
}

/// The distribution's packages of a Rust that is new enough.
fn packages() -> Result<[&'static str; 3]> {
    let offered = || -> Result<Option<[&'static str; 3]>> {
        for family in FAMILIES {
            if apt::candidate(family[0])?.is_some_and(|version| is_new_enough(&version)) {
                return Ok(Some(family));
            }
        }
        Ok(None)
    };
    if let Some(family) = offered()? {
        return Ok(family);
    }
    apt::update()?;
    offered()?.ok_or_else(|| {
        anyhow!(
            "apt's sources offer no Rust that is new enough; on Debian 12 it is in the suite bookworm-security, \
             to be added to /etc/apt/sources.list"
        )
    })
}
