//! `bpf-linker`, built against the distribution's LLVM, which must be at least as new as the compiler's.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use super::apt;
use super::toolchain::{Linker, Toolchain};
use crate::sh;
use crate::step::note;

/// The release that the kernel programs are tested with.
const VERSION: &str = "0.13.0";

/// The LLVMs that this release can be built with.
const LLVMS: [u32; 3] = [21, 22, 23];

/// Whether a linker for this compiler is installed or can be built.
pub(crate) fn obtainable(toolchain: &Toolchain) -> Result<bool> {
    Ok(Linker::find().is_some_and(|linker| linker.reads(toolchain)) || llvm_for(toolchain)?.is_some())
}

/// Finds the linker or builds it.
pub(crate) fn provide(toolchain: &Toolchain) -> Result<Linker> {
    if let Some(linker) = Linker::find() {
        if linker.reads(toolchain) {
            return Ok(linker);
        }
        note(format_args!("{} is built with an LLVM older than {}", linker.path.display(), toolchain.llvm));
    }
    let llvm = llvm_for(toolchain)?
        .ok_or_else(|| anyhow!("there is no LLVM {} to build bpf-linker with", toolchain.llvm))?;
    let prefix = prefix(llvm);
    if apt::exists() {
        let package = package(llvm);
        if !apt::missing(&[&package])?.is_empty() {
            apt::install(&[&package])?;
        }
    }
    note(format_args!("cargo install bpf-linker {VERSION} with LLVM {llvm} (about a minute)"));
    let mut cargo = sh::cargo();
    cargo
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force"])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}")])
        // Outside the workspace, whose settings do not apply to the linker.
        .current_dir("/")
        .env("LLVM_PREFIX", &prefix);
    sh::quiet(&mut cargo).with_context(|| {
        format!(
            "bpf-linker is missing and could not be built; to fix this by hand, set LLVM_PREFIX={} and repeat this",
            prefix.display()
        )
    })?;
    Linker::find().filter(|linker| linker.reads(toolchain)).ok_or_else(|| {
        anyhow!("bpf-linker is installed and still not found: is cargo's bin folder in the PATH?")
    })
}

/// The oldest LLVM, installed or in apt's sources, that reads this compiler's bitcode.
fn llvm_for(toolchain: &Toolchain) -> Result<Option<u32>> {
    for llvm in LLVMS.into_iter().filter(|llvm| *llvm >= toolchain.llvm) {
        let here = prefix(llvm).join("bin/llvm-config").is_file();
        if here || (apt::exists() && apt::candidate(&package(llvm))?.is_some()) {
            return Ok(Some(llvm));
        }
    }
    Ok(None)
}

fn prefix(llvm: u32) -> PathBuf {
    Path::new("/usr/lib").join(format!("llvm-{llvm}"))
}

fn package(llvm: u32) -> String {
    format!("llvm-{llvm}-dev")
}
