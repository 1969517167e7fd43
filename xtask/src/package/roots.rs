//! Packages tried in clean roots of Debian's releases: installed, upgraded, removed, purged, as `roots.sh` does it there. All mounts
//! live in a private mount namespace and end with it.
//!
//! There is no systemd running in them; `machine` has one. No root of RHEL can be had from Debian's archive, so the package with
//! RPM is tried in one of Debian that has rpm, with a preset as RHEL's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::made::Made;
use crate::step::{note, step};
use crate::{setup, sh, vm};

/// What is done in a root, by the format of the package.
const SCRIPTS: [(&str, &str); 2] = [("deb", include_str!("roots.sh")), ("rpm", include_str!("roots_rpm.sh"))];

/// Runs a script in a root that is this process's own: with the kernel's file systems and a network that nobody else is in.
const ENTER: &str = "\
set -e
mount --bind \"$1\" \"$1\"
mount -t proc proc \"$1/proc\"
mount --rbind /sys \"$1/sys\"
mount --rbind /dev \"$1/dev\"
ip link set lo up
exec chroot \"$1\" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 bash /packages/check \"$2\" \"$3\"
";

/// A release, and what is in it beside the essential packages.
#[derive(Debug, Clone, Copy)]
struct Release {
    suite: &'static str,
    name: &'static str,
    format: &'static str,
    include: &'static str,
}

const RELEASES: [Release; 5] = [
    Release { suite: "bullseye", name: "Debian 11", format: "deb", include: "systemd" },
    Release { suite: "bookworm", name: "Debian 12", format: "deb", include: "systemd" },
    Release { suite: "trixie", name: "Debian 13", format: "deb", include: "systemd" },
    Release { suite: "testing", name: "Debian testing", format: "deb", include: "systemd" },
    Release { suite: "bookworm", name: "Debian 12 with rpm", format: "rpm", include: "systemd,rpm" },
];

/// Bootstrapped roots are used again for so long.
const FRESH: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Tries both packages in each root, or in those that are named.
///
/// # Errors
/// Not root, a root cannot be had, or a promise is not kept in one.
pub(super) fn check(older: &Made, newer: &Made, only: &[String]) -> Result<()> {
    if !sh::is_root() {
        bail!("trying packages in roots needs root: run it again as root");
    }
    setup::packaging::provide_roots()?;
    if let Some(unknown) = only.iter().find(|suite| RELEASES.iter().all(|release| release.suite != **suite)) {
        bail!("no root is called {unknown}: there are {}", RELEASES.map(|release| release.suite).join(", "));
    }
    let mut failed = Vec::new();
    for release in RELEASES {
        if !only.is_empty() && !only.iter().any(|suite| suite == release.suite) {
            continue;
        }
        let what = format!("{}: installed, upgraded, removed, purged", release.name);
        let tried =
            bootstrap(release).and_then(|archive| step(&what, || try_in(release, &archive, older, newer)));
        if let Err(error) = tried {
            eprintln!("{error:#}");
            failed.push(release.name);
        }
    }
    if !failed.is_empty() {
        bail!("packages do not keep their promises on {}", failed.join(", "));
    }
    Ok(())
}

/// The archive of a bare root.
fn bootstrap(release: Release) -> Result<PathBuf> {
    let folder = sh::target_dir().join("packaging/roots");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let archive = folder.join(format!("{}-{}.tar", release.suite, release.format));
    let is_fresh = fs::metadata(&archive)
        .and_then(|meta| meta.modified())
        .is_ok_and(|made| made.elapsed().is_ok_and(|age| age < FRESH));
    if is_fresh {
        return Ok(archive);
    }
    step(&format!("mmdebstrap: a bare root of {}", release.name), || {
        // Renamed once it is complete, so that an interrupted run leaves nothing that looks like a root.
        let partial = archive.with_extension("partial.tar");
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap
            .args(["--quiet", "--variant=minbase", &format!("--include={}", release.include)])
            // A mirror may be behind by weeks; what it has is signed all the same.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .arg(release.suite)
            .arg(&partial)
            .arg(vm::mirror()?);
        sh::quiet(&mut mmdebstrap)?;
        fs::rename(&partial, &archive).with_context(|| format!("cannot write {}", archive.display()))?;
        Ok(((), archive.display().to_string()))
    })?;
    Ok(archive)
}

/// One root, with both packages in it, removed afterwards.
fn try_in(release: Release, archive: &Path, older: &Made, newer: &Made) -> Result<((), String)> {
    let root = tempdir()?;
    let done = fill(&root, archive, release, older, newer).and_then(|names| enter(&root, &names));
    fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    Ok(((), done?))
}

fn tempdir() -> Result<PathBuf> {
    let made = sh::quiet(Command::new("mktemp").args(["--directory", "--tmpdir", "gdprport-root.XXXXXX"]))?;
    Ok(PathBuf::from(made.trim()))
}

fn fill(root: &Path, archive: &Path, release: Release, older: &Made, newer: &Made) -> Result<[String; 2]> {
    sh::quiet(Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("--directory").arg(root))?;
    // As a root that one may enter, whoever made it.
    sh::quiet(Command::new("chmod").arg("0755").arg(root))?;
    let packages = root.join("packages");
    fs::create_dir(&packages).with_context(|| format!("cannot make {}", packages.display()))?;
    let of = |made: &Made| if release.format == "deb" { made.deb.clone() } else { made.rpm.clone() };
    let mut names = [String::new(), String::new()];
    for (name, from) in names.iter_mut().zip([of(older), of(newer)]) {
        let file = from.file_name().context("a package has a name")?;
        fs::copy(&from, packages.join(file)).with_context(|| format!("cannot copy {}", from.display()))?;
        *name = format!("/packages/{}", file.display());
    }
    let script =
        SCRIPTS.iter().find(|(format, _)| *format == release.format).map_or("", |(_, script)| script);
    fs::write(packages.join("check"), script).context("cannot write the script")?;
    Ok(names)
}

/// Runs the script and returns its last line; the others are passed on.
fn enter(root: &Path, [older, newer]: &[String; 2]) -> Result<String> {
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private", "--net", "--", "sh", "-c", ENTER, "sh"]);
    let output =
        inside.arg(root).args([older, newer]).stdin(Stdio::null()).output().context("cannot run unshare")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{}{}", said, String::from_utf8_lossy(&output.stderr));
    }
    let mut lines: Vec<&str> = said.lines().filter(|line| line.starts_with("· ")).collect();
    let last = lines.pop().unwrap_or("· nothing was said").trim_start_matches("· ").to_owned();
    lines.into_iter().for_each(note);
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_accepts_what_is_done_in_a_root() {
        for (format, script) in SCRIPTS {
            let file = tempfile::NamedTempFile::new().expect("a file");
            fs::write(file.path(), script).expect("it is written");
            sh::quiet(Command::new("bash").arg("-n").arg(file.path()))
                .unwrap_or_else(|error| panic!("{format}: {error:#}"));
        }
    }
}
