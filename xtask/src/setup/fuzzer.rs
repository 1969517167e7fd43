//! What the fuzz targets need to build besides the toolchain: a C++ compiler for the fuzzer itself, and the runtime of
//! `AddressSanitizer`, which rustup's toolchains include and Debian has in LLVM's packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::apt;
use super::toolchain::Toolchain;
use crate::sh;

/// The runtime of `AddressSanitizer` that a toolchain can link.
#[derive(Debug)]
pub(crate) enum Sanitizer {
    Own,
    Llvm(PathBuf),
    /// Not available.
    None,
}

/// Finds a C++ compiler or installs one, and returns which.
///
/// # Errors
/// There is none and none can be installed.
pub(crate) fn compiler() -> Result<String> {
    for name in ["c++", "g++", "clang++"] {
        if let Some(path) = sh::find(name) {
            return Ok(path.display().to_string());
        }
    }
    if !apt::exists() {
        bail!("there is no C++ compiler, and the fuzzer is written in C++: install g++ or clang++");
    }
    apt::install(&["g++"])?;
    Ok("installed g++".into())
}

/// Finds the runtime for this toolchain and machine, or installs it.
pub(crate) fn sanitizer(toolchain: &Toolchain, target: &str) -> Result<(Sanitizer, String)> {
    let sysroot = sh::quiet(
        Command::new(&toolchain.rustc).args(["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN"),
    )?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib");
    if holds(&libraries, "_rt.asan.a") {
        return Ok((Sanitizer::Own, "the toolchain's own".into()));
    }
    let arch = target.split('-').next().unwrap_or_default();
    let llvm = toolchain.llvm;
    let runtime =
        PathBuf::from(format!("/usr/lib/llvm-{llvm}/lib/clang/{llvm}/lib/linux/libclang_rt.asan-{arch}.so"));
    let package = format!("libclang-rt-{llvm}-dev");
    if !runtime.is_file() && apt::exists() && apt::candidate(&package)?.is_some() {
        apt::install(&[&package])?;
    }
    if runtime.is_file() {
        let place = runtime.display().to_string();
        return Ok((Sanitizer::Llvm(runtime), place));
    }
    Ok((
        Sanitizer::None,
        "none for this toolchain: panics, limits and promises are checked without it".into(),
    ))
}

fn holds(folder: &Path, end: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("librustc-") && name.ends_with(end)
    })
}
