//! Compiling the kernel programs with a given toolchain: the daemon's build script and `xtask` both include this
//! file, so that what is measured is built like the product.

use std::path::Path;
use std::process::Command;

use super::toolchain::{Linker, Toolchain};

/// The target of every kernel program.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The package of the kernel programs.
pub(crate) const PACKAGE: &str = "gdprport-ebpf";

/// A cargo that builds the object of `program`, without what an outer cargo set up for the host. The object ends up in
/// `TARGET/release` below `target_dir`. Run the command in a folder of the workspace. `arch` is the host's architecture,
/// as cargo names it.
pub(crate) fn cargo(
    toolchain: &Toolchain,
    linker: &Linker,
    target_dir: &Path,
    arch: &str,
    program: &str,
) -> Command {
    let mut cargo = Command::new(&toolchain.cargo);
    // BTF is generated from debug information; aya refuses an object without it. Left to its default, the linker turns
    // copies of more than a few words into loops over bytes: half a microsecond for each connection.
    let flags = [
        &*format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
        "-Clink-arg=--disable-expand-memcpy-in-order",
    ]
    .join("\x1f");
    cargo
        .args(["build", "--release", "--package", PACKAGE, "--bin", program, "--target", TARGET])
        .args(["-Z", "build-std=core", "--color", "never", "--target-dir"])
        .arg(target_dir)
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &linker.path)
        // The workspace's release profile is for the daemon: here bpf-linker optimises across crates, and stripping
        // would remove the BTF.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none");
    for key in [
        "LD_LIBRARY_PATH",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "CARGO_BUILD_TARGET",
    ] {
        cargo.env_remove(key);
    }
    cargo
}
