//! Servers that cannot be installed beside each other: those of the second kind are unpacked under `target/` instead.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::apt;
use crate::sh;
use crate::step::note;

/// The packages, and the program that shows that they are there.
const SYSLOG_NG: ([&str; 1], &str) = (["syslog-ng-core"], "usr/sbin/syslog-ng");

/// Unpacks what is not there yet, and returns a summary.
///
/// # Errors
/// No apt, no network, or a program that the packages should hold and do not.
pub(crate) fn provide() -> Result<String> {
    let (packages, program) = SYSLOG_NG;
    let folder = sh::target_dir().join("syslog-ng");
    if folder.join(program).is_file() {
        return Ok(format!("in {}", folder.display()));
    }
    if !apt::exists() {
        bail!("{} comes from Debian's packages, and there is no apt-get here", packages.join(", "));
    }
    let (debs, partial) = (folder.with_extension("packages"), folder.with_extension("partial"));
    for left in [&debs, &partial, &folder] {
        if left.exists() {
            fs::remove_dir_all(left).with_context(|| format!("cannot remove {}", left.display()))?;
        }
    }
    note(format_args!("apt-get install --download-only {}", packages.join(" ")));
    apt::download(&packages, &debs)?;
    for entry in fs::read_dir(&debs).with_context(|| format!("cannot read {}", debs.display()))? {
        let path = entry.context("cannot read a directory")?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            sh::quiet(Command::new("dpkg-deb").arg("--extract").arg(&path).arg(&partial))?;
        }
    }
    fs::remove_dir_all(&debs).with_context(|| format!("cannot remove {}", debs.display()))?;
    if !partial.join(program).is_file() {
        bail!("{} has no {program}", packages.join(", "));
    }
    // Renamed once it is complete, so that an interrupted run leaves nothing that looks like it.
    fs::rename(&partial, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(format!("unpacked {} into {}", packages.join(", "), folder.display()))
}
