//! Finding what building the kernel programs needs: a Rust toolchain with the sources of `core`, and `bpf-linker`. No
//! installing (that is `cargo xtask setup`) and no state of its own: the daemon's build script and `xtask` both include
//! this file, so that they can never disagree.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the toolchain to use instead of the candidates: a rustup toolchain's name, or the path of a sysroot.
pub(crate) const OVERRIDE: &str = "GDPRPORT_EBPF_TOOLCHAIN";

/// The oldest rustc that the kernel crate's dependencies accept.
const MIN_RUSTC: &str = env!("CARGO_PKG_RUST_VERSION");

/// A place where a toolchain may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// What [`OVERRIDE`] names. When it is set, nothing else is considered.
    Override(String),
    /// rustup's `nightly`.
    Nightly,
    /// The distribution's own packages, under `/usr`.
    Distribution,
}

impl Candidate {
    /// The candidates in the order in which they are preferred.
    pub(crate) fn all() -> Vec<Self> {
        match env::var(OVERRIDE) {
            Ok(name) if !name.is_empty() => vec![Self::Override(name)],
            _ => vec![Self::Nightly, Self::Distribution],
        }
    }

    /// Checks that the toolchain exists and is complete.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn inspect(&self) -> Result<Toolchain, Lack> {
        let bin = match self {
            Self::Override(name) if name.contains('/') => Path::new(name).join("bin"),
            Self::Override(name) => rustup_bin(name)?,
            Self::Nightly => rustup_bin("nightly")?,
            Self::Distribution => PathBuf::from("/usr/bin"),
        };
        Toolchain::inspect(&bin)
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Override(name) => write!(f, "the toolchain `{name}` ({OVERRIDE})"),
            Self::Nightly => f.write_str("rustup's nightly"),
            Self::Distribution => f.write_str("the distribution's Rust packages"),
        }
    }
}

/// Why a candidate cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// There is no such toolchain.
    Absent,
    /// It has no sources of the standard library, from which `core` is built for the kernel.
    Sources,
    /// Its compiler is older than [`MIN_RUSTC`]; holds its version.
    TooOld(String),
    /// It exists but does not run; holds its output.
    Broken(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not installed"),
            Self::Sources => f.write_str("has no rust-src"),
            Self::TooOld(version) => write!(f, "is rustc {version}, and {MIN_RUSTC} is needed"),
            Self::Broken(output) => write!(f, "does not run: {output}"),
        }
    }
}

/// A toolchain that can build `core` for the kernel.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    /// Its `cargo`.
    pub cargo: PathBuf,
    /// Its `rustc`.
    pub rustc: PathBuf,
    /// Its release, as printed by `rustc -vV`.
    pub release: String,
    /// Major version of the LLVM whose bitcode it writes.
    pub llvm: u32,
    /// Where the sources of its standard library are.
    pub sources: PathBuf,
}

impl Toolchain {
    fn inspect(bin: &Path) -> Result<Self, Lack> {
        let (cargo, rustc) = (bin.join("cargo"), bin.join("rustc"));
        if !rustc.is_file() || !cargo.is_file() {
            return Err(Lack::Absent);
        }
        let about = stdout_of(Command::new(&rustc).arg("-vV"))?;
        let field = |key: &str| about.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let (Some(release), Some(llvm)) = (field("release:"), field("LLVM version:")) else {
            return Err(Lack::Broken("`rustc -vV` names no release and LLVM version".into()));
        };
        if !is_new_enough(release) {
            return Err(Lack::TooOld(release.into()));
        }
        let sysroot = stdout_of(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
        if !sources.join("library/core/Cargo.toml").is_file() {
            return Err(Lack::Sources);
        }
        Ok(Self { llvm: major_minor(llvm).0, release: release.into(), cargo, rustc, sources })
    }
}

/// The linker that turns LLVM bitcode into a kernel object.
#[derive(Debug, Clone)]
pub(crate) struct Linker {
    /// Where it is.
    pub path: PathBuf,
    /// Major version of the LLVM it was built with; none when it is linked statically and cannot be read.
    pub llvm: Option<u32>,
}

impl Linker {
    /// Finds `bpf-linker` in the `PATH` and where cargo installs (which `sudo` removes from the `PATH`).
    pub(crate) fn find() -> Option<Self> {
        let dirs = env::var_os("PATH").unwrap_or_default();
        let path = env::split_paths(&dirs)
            .chain(cargo_home().map(|home| home.join("bin")))
            .map(|dir| dir.join("bpf-linker"))
            .find(|path| path.is_file())?;
        stdout_of(Command::new(&path).arg("--version")).ok()?;
        let llvm = linked_llvm(&fs::read(&path).ok()?);
        Some(Self { path, llvm })
    }

    /// Whether it reads what this compiler writes: bitcode is readable by the same LLVM and newer ones.
    pub(crate) fn reads(&self, toolchain: &Toolchain) -> bool {
        self.llvm.is_none_or(|llvm| llvm >= toolchain.llvm)
    }
}

/// Where cargo keeps what it installs, and the sources of dependencies.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
}

/// The folder of a rustup toolchain's programs. The query never makes rustup install it.
fn rustup_bin(name: &str) -> Result<PathBuf, Lack> {
    let mut rustup = Command::new("rustup");
    rustup.args(["which", "--toolchain", name, "rustc"]).env("RUSTUP_AUTO_INSTALL", "0");
    let path = stdout_of(&mut rustup).map_err(|_| Lack::Absent)?;
    Path::new(path.trim()).parent().map(Path::to_path_buf).ok_or(Lack::Absent)
}

/// Runs a program for its standard output, without the caller's own cargo leaking into it.
fn stdout_of(command: &mut Command) -> Result<String, Lack> {
    let name = command.get_program().to_owned();
    for key in ["RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(key);
    }
    let broken = |output: &dyn fmt::Display| Lack::Broken(format!("{}: {output}", name.display()));
    let output = command.output().map_err(|error| broken(&error))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(broken(&stderr.lines().next().unwrap_or("failed without output")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a rustc of this version builds the kernel crate.
pub(crate) fn is_new_enough(version: &str) -> bool {
    major_minor(version) >= major_minor(MIN_RUSTC)
}

/// `1.96.0-nightly` → `(1, 96)`; what is no number counts as zero.
fn major_minor(version: &str) -> (u32, u32) {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The LLVM that an executable is linked with dynamically: `libLLVM.so.22.1` or `libLLVM-16.so.1`.
fn linked_llvm(elf: &[u8]) -> Option<u32> {
    const NAMES: [&[u8]; 2] = [b"libLLVM.so.", b"libLLVM-"];
    let digits = NAMES.iter().find_map(|name| {
        let at = elf.windows(name.len()).position(|window| window == *name)?;
        let rest = elf.get(at + name.len()..)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        rest.get(..end).filter(|digits| !digits.is_empty())
    })?;
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{is_new_enough, linked_llvm, major_minor};

    #[test]
    fn versions_of_rustup_and_distributions_are_read() {
        assert_eq!(major_minor("1.97.0-nightly"), (1, 97));
        assert_eq!(major_minor("1.96.0+dfsg1-1~deb12u2"), (1, 96));
        assert_eq!(major_minor("22.1.8"), (22, 1));
        assert!(is_new_enough("1.100.0"));
        assert!(!is_new_enough("1.63.0"));
    }

    #[test]
    fn the_linkers_llvm_is_found_among_its_libraries() {
        assert_eq!(linked_llvm(b"\0libc.so.6\0libLLVM.so.22.1\0"), Some(22));
        assert_eq!(linked_llvm(b"\0libLLVM-16.so.1\0"), Some(16));
        assert_eq!(linked_llvm(b"\0libc.so.6\0"), None);
    }
}
