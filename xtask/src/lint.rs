//! `lint`: everything that is checked without running the product. All checks run; the error names those that fail.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::setup::Toolchain;
use crate::step::{note, step};
use crate::{checks, setup, sh};

type Check<'a> = (&'a str, &'a dyn Fn() -> Result<String>);

pub(crate) fn run() -> Result<()> {
    let toolchain = setup::build_tools()?;
    let checks: [Check<'_>; 6] = [
        ("format", &|| {
            ok(sh::cargo().args(["fmt", "--all", "--check"]))?;
            ok(sh::cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
        }),
        ("repository checks", &checks::run),
        ("lints of the kernel programs", &|| kernel_clippy(&toolchain)),
        ("lints", &|| {
            let mut cargo = sh::cargo();
            // With every feature, so that the parts that only `vm` builds are checked too.
            cargo.args([
                "clippy",
                "--workspace",
                "--exclude",
                "gdprport-ebpf",
                "--all-targets",
                "--all-features",
                "--quiet",
            ]);
            ok(cargo.args(["--", "-D", "warnings"]))
        }),
        ("documentation", &|| {
            let mut cargo = sh::cargo();
            cargo.args(["doc", "--workspace", "--exclude", "gdprport-ebpf", "--no-deps", "--quiet"]);
            ok(cargo.env("RUSTDOCFLAGS", "-D warnings"))
        }),
        ("dependencies", &dependencies),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(error) = step(name, || Ok(((), check()?))) {
            eprintln!("{error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

fn ok(command: &mut Command) -> Result<String> {
    sh::loud(command)?;
    Ok("clean".into())
}

/// The kernel crate can be checked only with the toolchain that builds it.
fn kernel_clippy(toolchain: &Toolchain) -> Result<String> {
    let Some(clippy) = setup::kernel_clippy(toolchain)? else {
        return Ok("not checked: the toolchain that builds them has no clippy".into());
    };
    let mut cargo = Command::new(clippy);
    cargo
        .args(["clippy", "--package", "gdprport-ebpf", "--release", "--quiet", "-Z", "build-std=core"])
        .args(["--target", "bpfel-unknown-none", "--target-dir"])
        .arg(sh::target_dir().join("kernel-lints"))
        .args(["--", "-D", "warnings"])
        .current_dir(sh::workspace())
        .env("CARGO", &toolchain.cargo)
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    ok(&mut cargo)
}

/// Licences, bans and sources by `deny.toml`; without cargo-deny at least the sources, from the lock file.
fn dependencies() -> Result<String> {
    if sh::find("cargo-deny").is_some() {
        return ok(sh::cargo().args(["deny", "check", "licenses", "bans", "sources"]));
    }
    for name in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock = read(&sh::workspace().join(name))?;
        let foreign: Vec<&str> = foreign_sources(&lock).collect();
        if !foreign.is_empty() {
            bail!("{name} takes dependencies from elsewhere than the registry: {}", foreign.join(", "));
        }
    }
    note("licences and bans not checked: cargo-deny is not installed (`cargo install cargo-deny --locked`)");
    Ok("all from the registry".into())
}

/// The packages of a lock file that come neither from this workspace nor from a registry.
fn foreign_sources(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .filter(|source| !source.starts_with("\"registry+"))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::foreign_sources;

    #[test]
    fn a_dependency_from_a_repository_is_foreign() {
        let lock =
            "name = \"a\"\nsource = \"registry+x\"\n\nname = \"b\"\nsource = \"git+y\"\n\nname = \"own\"\n";
        assert_eq!(foreign_sources(lock).collect::<Vec<_>>(), ["\"git+y\""]);
    }
}
