//! The container runtimes: Debian's packages, unpacked into a folder that lies over the host's root in a machine. Nothing
//! is installed on the host, and no script of a package is run; `runtimes.sh` does in the machine what those would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::tools;
use crate::setup::apt;
use crate::sh;
use crate::step::{note, step};

/// Runtimes, what they call, and what makes an image without a registry.
const PACKAGES: [&str; 19] = [
    "aardvark-dns",
    "busybox-static",
    "catatonit",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "crun",
    "curl",
    "dbus",
    "docker.io",
    "fuse-overlayfs",
    "iptables",
    "kmod",
    "netavark",
    "nftables",
    "podman",
    "runc",
    "slirp4netns",
    "uidmap",
];

/// What a machine finds in a complete folder, or on the host that it lies over: apt fetches nothing that is installed.
const PROGRAMS: [&str; 5] =
    ["usr/sbin/dockerd", "usr/bin/podman", "usr/bin/containerd", "usr/sbin/runc", "usr/bin/crun"];

/// Folders that are links into `/usr` on every Debian: as folders of their own they would hide those links.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// The folder, after [`provide`].
///
/// # Errors
/// As there.
pub(super) fn folder() -> Result<PathBuf> {
    step("container runtimes, unpacked and not installed", || provide(&sh::target_dir().join("vm")))
}

/// Fetches and unpacks what is not there yet; returns the folder and a description of it.
///
/// # Errors
/// No apt, no network, or a runtime that the packages should hold and do not.
fn provide(home: &Path) -> Result<(PathBuf, String)> {
    let root = home.join("runtimes");
    if root.exists() {
        let described = format!("in {}", root.display());
        return Ok((root, described));
    }
    if !apt::exists() {
        bail!("container runtimes come from Debian's packages, and there is no apt-get here");
    }
    let debs = home.join("runtimes-packages");
    note(format_args!("apt-get install --download-only {}", PACKAGES.join(" ")));
    apt::download(&PACKAGES, &debs)?;
    // Renamed once it is complete, so that an interrupted run leaves nothing that looks like it.
    let partial = home.join("runtimes-partial");
    let mut count = 0;
    for deb in tools::files(&debs, "deb")? {
        sh::quiet(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(&partial))?;
        count += 1;
    }
    for name in MERGED {
        merge(&partial.join(name), &partial.join("usr").join(name))?;
    }
    for program in PROGRAMS {
        if !partial.join(program).is_file() && !Path::new("/").join(program).is_file() {
            bail!("none of the packages of container runtimes has {program}");
        }
    }
    fs::rename(&partial, &root).with_context(|| format!("cannot make {}", root.display()))?;
    fs::remove_dir_all(&debs).with_context(|| format!("cannot remove {}", debs.display()))?;
    let described = format!("unpacked {count} packages into {}", root.display());
    Ok((root, described))
}

/// Moves what is below one folder to the same place below another.
fn merge(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() || from.is_symlink() {
        return Ok(());
    }
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    sh::quiet(Command::new("cp").args(["--archive", "--no-target-directory"]).arg(from).arg(to))?;
    fs::remove_dir_all(from).with_context(|| format!("cannot remove {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_outside_of_usr_does_not_hide_the_hosts_link() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (from, to) = (dir.path().join("sbin"), dir.path().join("usr/sbin"));
        fs::create_dir_all(from.join("below")).expect("a fresh directory");
        fs::write(from.join("below/modprobe"), "new").expect("a fresh file");
        fs::create_dir_all(&to).expect("a fresh directory");
        fs::write(to.join("runc"), "there").expect("a fresh file");
        merge(&from, &to).expect("both are folders");
        assert!(!from.exists());
        assert_eq!(fs::read_to_string(to.join("below/modprobe")).expect("moved"), "new");
        assert_eq!(fs::read_to_string(to.join("runc")).expect("kept"), "there");
        merge(&from, &to).expect("there is nothing to move");
    }
}
