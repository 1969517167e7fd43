//! `setup`: makes a machine able to build gdprport and, if asked, to test it. Every step first looks at the machine
//! as it is, so that repeating it costs a second and changes nothing; no stamp is kept, for a stamp can be wrong.

pub mod apt;
#[path = "../../../gdprport-daemon/build/compile.rs"]
pub mod compile;
pub mod fuzzer;
mod linker;
mod rust;
mod servers;
#[path = "../../../gdprport-daemon/build/toolchain.rs"]
mod toolchain;

use std::path::PathBuf;

use anyhow::Result;

use crate::sh;
use crate::step::step;
pub use toolchain::Toolchain;

/// What to prepare for.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Also the end-to-end tests' servers and tools.
    pub test_servers: bool,
}

/// Brings the machine into the state that the scope needs.
///
/// # Errors
/// What is missing and the command that mends it.
pub fn run(scope: Scope) -> Result<()> {
    build_tools()?;
    if scope.test_servers {
        step("servers and tools that the end-to-end tests talk to", || Ok(((), servers::provide()?)))?;
    }
    Ok(())
}

/// What it takes to build the kernel programs.
///
/// # Errors
/// What is missing and the command that mends it.
pub fn build_tools() -> Result<Toolchain> {
    let toolchain = step("Rust toolchain with sources: builds `core` for the kernel programs", || {
        let (toolchain, origin) = rust::provide()?;
        let outcome = format!("{origin}: rustc {}, LLVM {}", toolchain.release, toolchain.llvm);
        Ok((toolchain, outcome))
    })?;
    step("bpf-linker: makes the kernel object out of LLVM bitcode", || {
        let linker = linker::provide(&toolchain)?;
        Ok(((), linker.path.display().to_string()))
    })?;
    Ok(toolchain)
}

/// Builds the kernel programs of one `[[bin]]` of the kernel crate as the daemon's are built; returns the object.
///
/// # Errors
/// Something to build with is missing, or they do not compile; cargo has said why.
pub fn kernel_object(program: &str) -> Result<PathBuf> {
    let toolchain = build_tools()?;
    let linker = linker::provide(&toolchain)?;
    let target = sh::target_dir().join("kernel");
    let mut cargo = compile::cargo(&toolchain, &linker, &target, std::env::consts::ARCH, program);
    sh::loud(cargo.arg("--quiet").current_dir(sh::workspace()))?;
    Ok(target.join(compile::TARGET).join("release").join(program))
}

/// The toolchain's own `cargo-clippy`, none where there is none to be had.
///
/// # Errors
/// apt's own words.
pub fn kernel_clippy(toolchain: &Toolchain) -> Result<Option<PathBuf>> {
    const PACKAGE: &str = "rust-web-clippy";
    let clippy = toolchain.cargo.with_file_name("cargo-clippy");
    let is_distribution = toolchain.cargo.starts_with("/usr/bin");
    if !clippy.is_file() && is_distribution && apt::exists() && apt::candidate(PACKAGE)?.is_some() {
        apt::install(&[PACKAGE])?;
    }
    Ok(clippy.is_file().then_some(clippy))
}
