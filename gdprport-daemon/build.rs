//! Builds the kernel programs into `OUT_DIR/gdprport`, from where `host::probes` embeds them. It only
//! builds: what is missing on the machine is named here and installed by `cargo xtask setup`.

#[path = "build/compile.rs"]
mod compile;
#[path = "build/toolchain.rs"]
mod toolchain;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use compile::TARGET;
use toolchain::{Candidate, Lack, Linker, Toolchain};

const PROBES: &str = "gdprport-probes";

/// What the object depends on; anything else may change without a rebuild.
const INPUTS: [&str; 8] = [
    "build.rs",
    "build",
    "../Cargo.toml",
    "../Cargo.lock",
    "../gdprport-common/Cargo.toml",
    "../gdprport-common/src",
    "../gdprport-ebpf/Cargo.toml",
    "../gdprport-ebpf/src",
];

fn main() {
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rerun-if-env-changed={}", toolchain::OVERRIDE);
    if let Err(sentence) = find()
        .map_err(|lack| format!("the kernel programs cannot be built: {lack}; run `cargo xtask setup`"))
        .and_then(|(toolchain, linker)| build(&toolchain, &linker))
    {
        println!("cargo::error={sentence}");
    }
}

/// The first toolchain that is complete, with a linker that fits it.
fn find() -> Result<(Toolchain, Linker), String> {
    let linker = Linker::find().ok_or("`bpf-linker` is not installed")?;
    let mut lacks = Vec::new();
    for candidate in Candidate::all() {
        match candidate.inspect() {
            Ok(toolchain) if linker.reads(&toolchain) => return Ok((toolchain, linker)),
            Ok(toolchain) => {
                let built = linker.llvm.unwrap_or_default();
                lacks.push(format!(
                    "{candidate} writes LLVM {} and `bpf-linker` reads up to {built}",
                    toolchain.llvm
                ));
            }
            Err(Lack::Absent) => lacks.push(format!("{candidate}: not installed")),
            Err(lack) => lacks.push(format!("{candidate} {lack}")),
        }
    }
    Err(lacks.join("; "))
}

fn build(toolchain: &Toolchain, linker: &Linker) -> Result<(), String> {
    // An upgraded compiler or linker produces another object.
    println!("cargo::rerun-if-changed={}", toolchain.rustc.display());
    println!("cargo::rerun-if-changed={}", linker.path.display());

    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    let target_dir = kernel_target_dir(&out_dir);
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let output = compile::cargo(toolchain, linker, &target_dir, &arch, PROBES)
        .current_dir("..")
        .output()
        .map_err(|error| format!("cannot run {}: {error}", toolchain.cargo.display()))?;
    // From the first diagnostic on: earlier lines, and cargo's last one, are progress.
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    let is_progress = |line: &&str| !line.starts_with("error") && !line.starts_with("warning");
    for line in diagnostics.lines().skip_while(is_progress).filter(|line| !line.starts_with("    Finished")) {
        println!("cargo::warning={line}");
    }
    if !output.status.success() {
        return Err(format!(
            "the kernel programs do not compile with rustc {} (its output is above)",
            toolchain.release
        ));
    }
    let object = target_dir.join(TARGET).join("release").join(PROBES);
    install(&object, &out_dir.join("gdprport"))
}

/// One folder for every profile, so that `core` is compiled once and not for debug and release each.
fn kernel_target_dir(out_dir: &Path) -> PathBuf {
    out_dir
        .ancestors()
        .find(|dir| dir.ends_with("build"))
        .and_then(|build| build.parent()?.parent())
        .unwrap_or(out_dir)
        .join("kernel")
}

/// Puts the object where the daemon embeds it from. The same object stays untouched, to avoid a rebuild.
fn install(object: &Path, place: &Path) -> Result<(), String> {
    let built = fs::read(object).map_err(|error| format!("cannot read {}: {error}", object.display()))?;
    if fs::read(place).is_ok_and(|present| present == built) {
        return Ok(());
    }
    fs::write(place, built).map_err(|error| format!("cannot write {}: {error}", place.display()))
}
