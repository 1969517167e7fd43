//! Debian's packages: what is installed, what is available, and installing without removing or starting anything.

use std::fs;
use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context as _, Result};

use crate::{sh, step};

/// Debian runs this script before a package starts its service; without the script, it may.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Marks our own script.
const MARK: &str = "# Temporary: no service starts while the set-up of gdprport installs packages.";

/// Whether this machine has Debian's package manager.
pub(crate) fn exists() -> bool {
    sh::find("apt-get").is_some()
}

/// Those of the packages that are not installed.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    // Fails for unknown names, yet lists the known ones: the list counts, not the status.
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .context("cannot run dpkg-query")?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let installed = |name: &str| listed.lines().any(|line| line.split_once(' ') == Some((name, "installed")));
    Ok(packages.iter().copied().filter(|name| !installed(name)).collect())
}

/// The version that apt would install, none when no source offers the package.
pub(crate) fn candidate(package: &str) -> Result<Option<String>> {
    if !has_lists() {
        update()?;
    }
    let policy = sh::quiet(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"))?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:")).map(str::trim);
    Ok(version.filter(|version| *version != "(none)").map(str::to_owned))
}

/// Whether apt knows any package that is not installed: a fresh machine or a container has no lists at all.
fn has_lists() -> bool {
    let lists = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    lists.into_iter().any(|file| file.file_name().to_string_lossy().contains("_Packages"))
}

/// Updates the package lists.
pub(crate) fn update() -> Result<()> {
    step::note("apt-get update");
    sh::quiet(sh::as_root("apt-get")?.args(["update", "--quiet"])).map(drop)
}

/// Installs packages; nothing is removed for them and no service is started.
///
/// # Errors
/// apt fails; the error begins with the command to run by hand.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    step::note(format_args!("apt-get install {}", packages.join(" ")));
    let install = || {
        let mut apt = sh::as_root("env")?;
        apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet"])
            .args(["--no-install-recommends", "--no-remove", "-o", "Dpkg::Use-Pty=0"])
            // Another apt may be at work, such as the one that installs security updates.
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(packages);
        let _unstarted = NoServices::hold()?;
        sh::quiet(&mut apt).map(drop)
    };
    // Old lists name versions that are gone.
    install().or_else(|_| update().and_then(|()| install())).with_context(|| {
        format!("packages are missing; fix this as root with `apt-get install {}`", packages.join(" "))
    })
}

/// Downloads packages and their missing dependencies into a new folder without installing anything. Conflicts are not
/// checked.
pub(crate) fn download(packages: &[&str], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("partial"))
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let fetch = || {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "--download-only", "--yes", "--quiet", "--no-install-recommends"])
            // Nothing of the machine is changed, so no lock and no other user is needed.
            .args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"])
            .args(["-o", &format!("Dir::Cache::archives={}/", folder.display())])
            .args(packages);
        sh::quiet(&mut apt).map(drop)
    };
    // Old lists name versions that are gone.
    fetch().or_else(|_| update().and_then(|()| fetch()))
}

/// While held, installing a package starts no service: the tests start their own, on their own ports, and a developer
/// has not asked for a database server that runs from now on.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn hold() -> Result<Self> {
        if fs::read_to_string(POLICY).is_ok_and(|script| !script.contains(MARK)) {
            return Ok(Self { ours: false });
        }
        // Refuses only as long as this process lives: left behind by a kill, it has no effect.
        let script = format!("#!/bin/sh\n{MARK}\n[ -d /proc/{} ] || exit 0\nexit 101\n", process::id());
        let mut install = sh::as_root("install")?;
        install.args(["-m", "755", "/dev/stdin", POLICY]);
        sh::feed(&mut install, &script)?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if !self.ours {
            return;
        }
        let removed = sh::as_root("rm").and_then(|mut rm| sh::quiet(rm.arg("-f").arg(POLICY)));
        if let Err(error) = removed {
            step::note(format_args!("{POLICY} could not be removed and is not needed any more: {error:#}"));
        }
    }
}
