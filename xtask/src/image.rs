//! `image`: the directory that a container image is made of, by `packaging/container/Containerfile`: the program, the shared
//! libraries that it is linked with, and empty directories where things are mounted. No program of a container engine is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::sh;
use crate::step::step;

/// Where mounts go, and what the program writes. A read-only root has no way to make them.
const EMPTY: [&str; 9] = [
    "dev",
    "etc/gdprport",
    "proc",
    "run/gdprport",
    "run/netns",
    "sys",
    "tmp",
    "var/lib/gdprport",
    "var/log/gdprport",
];

/// Files that are mounted from the host, so that users have their names.
const MOUNTED: [&str; 2] = ["etc/group", "etc/passwd"];

/// Makes the directory.
///
/// # Errors
/// There is no such program, or a library that it is linked with is not here.
pub(crate) fn run(binary: Option<PathBuf>, out: Option<PathBuf>) -> Result<()> {
    let binary = binary.unwrap_or_else(|| sh::target_dir().join("release/gdprport"));
    if !binary.is_file() {
        bail!(
            "{} is not there: `cargo xtask build --release` makes it, or name another with --binary",
            binary.display()
        );
    }
    let out = out.unwrap_or_else(|| sh::target_dir().join("image"));
    step("the root of an image", || {
        let root = out.join("root");
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
        }
        for name in EMPTY {
            fs::create_dir_all(root.join(name)).with_context(|| format!("cannot make {}", root.display()))?;
        }
        for name in MOUNTED {
            fs::write(root.join(name), "")?;
        }
        copy(&binary, &root, Path::new("/usr/bin/gdprport"))?;
        let libraries = libraries(&binary)?;
        for library in &libraries {
            copy(library, &root, library)?;
        }
        let recipe = sh::workspace().join("packaging/container/Containerfile");
        fs::copy(recipe, out.join("Containerfile")).context("cannot copy the Containerfile")?;
        let linked = match libraries.len() {
            0 => "linked statically".to_owned(),
            count => format!("{count} shared libraries"),
        };
        Ok(((), format!("{linked}; `podman build --tag gdprport {}`", out.display())))
    })
}

fn copy(from: &Path, root: &Path, to: &Path) -> Result<()> {
    let to = root.join(to.strip_prefix("/").unwrap_or(to));
    fs::create_dir_all(to.parent().context("has a parent")?)?;
    // The contents, where the name is a link.
    fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display())).map(drop)
}

/// The shared libraries of a program, the loader among them.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(binary).output().context("cannot run ldd (package libc-bin)")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        // A program without a loader has none.
        if said.contains("not a dynamic executable") || complaint.contains("not a dynamic executable") {
            return Ok(Vec::new());
        }
        bail!("ldd {}: {complaint}", binary.display());
    }
    listed(&said)
}

/// Those that `ldd` lists.
fn listed(said: &str) -> Result<Vec<PathBuf>> {
    if let Some(line) = said.lines().find(|line| line.contains("not found")) {
        bail!("a library is not on this machine: {}", line.trim());
    }
    let words = said.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(words.map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shared_library_is_listed_and_the_kernels_is_not() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x0000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x0000)\n";
        let expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(listed(said).expect("all are there"), expected.map(PathBuf::from));
        assert!(listed("\tlibx.so.1 => not found\n").is_err());
        assert_eq!(listed("\tstatically linked\n").expect("none"), [] as [PathBuf; 0]);
    }
}
