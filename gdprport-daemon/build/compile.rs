//! Compiling the kernel programs with a given toolchain: the daemon's build script and `xtask` both include this
//! file, so that what is measured is built like the product.

use std::path::Path;
use std::process::Command;

use super::toolchain::{Linker, Toolchain, cargo_home};

/// The target of every kernel program.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The package of the kernel programs.
pub(crate) const PACKAGE: &str = "gdprport-ebpf";

/// The checkout: this file is compiled into packages that lie in it.
const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

/// The arguments of rustc that replace where sources lie on this machine by names that are the same everywhere, so that two
/// machines build the same bytes; `more` are others than the checkout's own and those of its dependencies.
pub(crate) fn remap_flags(more: &[(&Path, &str)]) -> Vec<String> {
    let (home, workspace) = (cargo_home(), Path::new(MANIFEST).parent());
    // Of two that fit, rustc takes the last: a home of cargo below the checkout is still one.
    let all = workspace.map(|dir| (dir, "/gdprport")).into_iter().chain(more.iter().copied());
    let all = all.chain(home.as_deref().map(|dir| (dir, "/cargo")));
    all.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

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
    let mut flags = vec![
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2".into(),
        "-Clink-arg=--btf".into(),
        "-Clink-arg=--disable-expand-memcpy-in-order".into(),
    ];
    // BTF names the file of each function.
    flags.extend(remap_flags(&[(&toolchain.sources, "/rust")]));
    cargo
        .args(["build", "--release", "--package", PACKAGE, "--bin", program, "--target", TARGET])
        .args(["-Z", "build-std=core", "--color", "never", "--target-dir"])
        .arg(target_dir)
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
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
