//! The binary of the packages: optimised, linked for an old C library, without a path of the machine that built it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::dependencies::Dependencies;
use super::elf::{self, GLIBC, Needs};
use super::sbom;
use super::stamp::Stamp;
use crate::setup::python::LINKING;
use crate::setup::{self, compile};
use crate::sh;
use crate::step::{note, step};

/// An architecture that packages are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Architecture {
    /// As Debian's amd64
    #[value(name = "x86_64")]
    X86,
    /// As Debian's arm64
    #[value(name = "aarch64")]
    Arm,
}

impl Architecture {
    /// This machine's.
    pub(super) const HERE: Self = if cfg!(target_arch = "aarch64") { Self::Arm } else { Self::X86 };

    /// As Rust and RPM name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    /// As Debian names it.
    pub(super) const fn debian(self) -> &'static str {
        match self {
            Self::X86 => "amd64",
            Self::Arm => "arm64",
        }
    }

    fn triple(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }
}

/// Builds it and returns where it is.
///
/// # Errors
/// It does not compile, or needs more of a machine than is promised.
pub(super) fn build(arch: Architecture, stamp: &Stamp) -> Result<PathBuf> {
    let triple = arch.triple();
    let (major, minor) = GLIBC;
    let built = step(&format!("gdprport for {triple} with glibc {major}.{minor} (takes minutes)"), || {
        sh::loud(&mut zigbuild(arch, stamp)?)?;
        let built = sh::target_dir().join(&triple).join("release/gdprport");
        let path = built.display().to_string();
        Ok((built, path))
    })?;
    let binary = sh::target_dir().join("packaging").join(arch.name()).join("gdprport");
    step("what it needs of a machine, and the list of its crates in it", || {
        let needs = Needs::of(&built)?;
        needs.check()?;
        fs::create_dir_all(binary.parent().unwrap_or(Path::new(".")))
            .with_context(|| format!("cannot make the folder of {}", binary.display()))?;
        let list = sbom::auditable(&Dependencies::read()?)?;
        if arch == Architecture::HERE {
            elf::with_section(&built, &binary, sbom::AUDITABLE, &list)?;
        } else {
            note(
                "objcopy knows this machine's architecture only: the list of crates is beside the binary alone",
            );
            fs::copy(&built, &binary).with_context(|| format!("cannot write {}", binary.display()))?;
        }
        let (major, minor) = needs.glibc;
        Ok(((), format!("glibc {major}.{minor} or newer")))
    })?;
    Ok(binary)
}

/// cargo-zigbuild, which makes cargo link with zig.
fn zigbuild(arch: Architecture, stamp: &Stamp) -> Result<Command> {
    let bin = LINKING.folder().join("bin");
    let (triple, (major, minor)) = (arch.triple(), GLIBC);
    let mut cargo = Command::new(bin.join("cargo-zigbuild"));
    cargo
        .args(["zigbuild", "--release", "--locked", "--package", "gdprport-daemon"])
        .args(["--target", &format!("{triple}.{major}.{minor}")])
        .arg("--target-dir")
        .arg(sh::target_dir())
        .current_dir(sh::workspace())
        // zig is started as a module of the `python3` that it finds.
        .env("PATH", first_in_path(&bin)?)
        .env("SOURCE_DATE_EPOCH", stamp.epoch.to_string());
    let (sysroot, hash) = if arch == Architecture::HERE {
        about_rustc(Path::new(&env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())))?
    } else {
        // Nobody can be asked for another machine's standard library everywhere, so it is built too.
        let toolchain = setup::build_tools()?;
        cargo
            .args(["-Z", "build-std=std,panic_unwind"])
            .env("CARGO", &toolchain.cargo)
            .env("RUSTC", &toolchain.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env_remove("RUSTUP_TOOLCHAIN");
        about_rustc(&toolchain.rustc)?
    };
    // With the sources of the standard library installed, rustc names them by their place here instead of by this.
    let sources = (Path::new(&sysroot).join("lib/rustlib/src/rust"), format!("/rustc/{hash}"));
    let flags = compile::remap_flags(&[(&sources.0, &sources.1)]);
    let prefixes = flags.iter().map(|flag| flag.replace("--remap-path-prefix", "-ffile-prefix-map"));
    cargo
        .env(format!("CFLAGS_{}", triple.replace('-', "_")), prefixes.collect::<Vec<_>>().join(" "))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTFLAGS");
    Ok(cargo)
}

fn first_in_path(bin: &Path) -> Result<std::ffi::OsString> {
    let rest = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(bin.to_owned()).chain(env::split_paths(&rest)))
        .with_context(|| format!("{} cannot stand in the PATH", bin.display()))
}

/// The sysroot of a rustc and the commit that it was built from.
fn about_rustc(rustc: &Path) -> Result<(String, String)> {
    let ask = |args: &[&str]| sh::quiet(Command::new(rustc).args(args).current_dir(sh::workspace()));
    let about = ask(&["-vV"])?;
    let hash = about.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    Ok((ask(&["--print", "sysroot"])?.trim().to_owned(), hash.to_owned()))
}
