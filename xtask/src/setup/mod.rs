//! `setup`: makes a machine able to build gdprport and, if asked, to test it. Every step first checks what is
//! there, so that repeating it takes a second and changes nothing; there is no stamp file, which could be wrong.

pub(crate) mod apt;
#[path = "../../../gdprport-daemon/build/compile.rs"]
pub(crate) mod compile;
pub(crate) mod fuzzer;
mod linker;
pub(crate) mod packaging;
pub(crate) mod python;
mod rust;
mod servers;
#[path = "../../../gdprport-daemon/build/toolchain.rs"]
mod toolchain;
mod unpacked;

use std::path::PathBuf;

use anyhow::Result;

use crate::sh;
use crate::step::step;
pub(crate) use toolchain::Toolchain;

/// What to prepare for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// Also the end-to-end tests' servers and tools.
    pub(crate) test_servers: bool,
    /// Also what makes packages.
    pub(crate) packaging: bool,
}

impl Scope {
    /// What building needs and nothing else.
    pub(crate) const BUILD: Self = Self { test_servers: false, packaging: false };
}

/// Installs what the scope needs and the machine lacks.
///
/// # Errors
/// What is missing and the command that installs it.
pub(crate) fn run(scope: Scope) -> Result<()> {
    build_tools()?;
    if scope.test_servers {
        step("servers and tools that the end-to-end tests talk to", || Ok(((), servers::provide()?)))?;
        step("servers that conflict with those, unpacked", || Ok(((), unpacked::provide()?)))?;
        step("programs that only PyPI has, in a virtual environment", || Ok(((), python::TESTS.provide()?)))?;
    }
    if scope.packaging {
        packaging::provide()?;
    }
    Ok(())
}

/// Installs what the kernel programs need to build.
///
/// # Errors
/// What is missing and the command that installs it.
pub(crate) fn build_tools() -> Result<Toolchain> {
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
/// Something to build with is missing, or they do not compile; cargo has printed the reason.
pub(crate) fn kernel_object(program: &str) -> Result<PathBuf> {
    let toolchain = build_tools()?;
    let linker = linker::provide(&toolchain)?;
    let target = sh::target_dir().join("kernel");
    let mut cargo = compile::cargo(&toolchain, &linker, &target, std::env::consts::ARCH, program);
    sh::loud(cargo.arg("--quiet").current_dir(sh::workspace()))?;
    Ok(target.join(compile::TARGET).join("release").join(program))
}

/// The toolchain's own `cargo-clippy`, if there is one or it can be installed.
pub(crate) fn kernel_clippy(toolchain: &Toolchain) -> Result<Option<PathBuf>> {
    const PACKAGE: &str = "rust-web-clippy";
    let clippy = toolchain.cargo.with_file_name("cargo-clippy");
    let is_distribution = toolchain.cargo.starts_with("/usr/bin");
    if !clippy.is_file() && is_distribution && apt::exists() && apt::candidate(PACKAGE)?.is_some() {
        apt::install(&[PACKAGE])?;
    }
    Ok(clippy.is_file().then_some(clippy))
}
