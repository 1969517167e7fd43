//! The package for distributions with RPM, by `rpmbuild`, which finds out itself which versions of the C library it needs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::deb::About;
use super::entry::{Entry, Kind};
use super::stamp::Form;
use super::tree;
use crate::sh;

/// What makes the package depend on its files alone, and not on the machine; names and values of macros.
const MACROS: [(&str, &str); 9] = [
    ("_buildhost", "reproducible"),
    ("use_source_date_epoch_as_buildtime", "1"),
    ("clamp_mtime_to_source_date_epoch", "1"),
    ("source_date_epoch_from_changelog", "0"),
    // One thread: the blocks of more would be others. RHEL 8 and later read it.
    ("_binary_payload", "w19.zstdio"),
    // The binary is complete: nothing is stripped, compressed or taken out of it.
    ("__os_install_post", "%{nil}"),
    ("debug_package", "%{nil}"),
    ("_build_id_links", "none"),
    ("_docdir_fmt", "%{NAME}"),
];

/// Writes the package into a folder and returns where it is.
///
/// # Errors
/// `rpmbuild` fails, or the disk does not take it.
pub(super) fn write(about: &About<'_>, entries: &[Entry], out: &Path) -> Result<PathBuf> {
    // rpmbuild knows no paths that depend on where it is started.
    let top = fs::canonicalize(out).with_context(|| format!("no folder {}", out.display()))?.join("rpm");
    let stage = top.join("stage");
    tree::write(&stage, entries, about.stamp.epoch)?;
    let list = top.join("files");
    tree::put(&list, files(entries).as_bytes(), 0o644)?;
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.args(["-bb", "--quiet", "--target", &format!("{}-linux", about.arch.name())]);
    let mut define = |name: &str, value: &str| {
        rpmbuild.args(["--define", &format!("{name} {value}")]);
    };
    for (name, value) in MACROS {
        define(name, value);
    }
    define("_topdir", &top.display().to_string());
    define("gdprport_version", about.stamp.version);
    define("gdprport_revision", &about.revision.to_string());
    define("gdprport_day", &about.stamp.time(Form::Day)?);
    define("gdprport_stage", &stage.display().to_string());
    define("gdprport_files", &list.display().to_string());
    rpmbuild
        .arg(sh::workspace().join("packaging/rpm/gdprport.spec"))
        .env("SOURCE_DATE_EPOCH", about.stamp.epoch.to_string())
        .env("LC_ALL", "C");
    sh::quiet(&mut rpmbuild)?;
    let arch = about.arch.name();
    let name = format!("gdprport-{}-{}.{arch}.rpm", about.stamp.version, about.revision);
    let (made, package) = (top.join("RPMS").join(arch).join(&name), out.join(&name));
    if !made.is_file() {
        bail!("rpmbuild made no {}", made.display());
    }
    fs::rename(&made, &package).with_context(|| format!("cannot write {}", package.display()))?;
    fs::remove_dir_all(&top).with_context(|| format!("cannot remove {}", top.display()))?;
    Ok(package)
}

/// Folders of our own. Those below them belong to the package too, or removing it would leave them.
const OWN: [&str; 3] = ["usr/share/doc/gdprport", "usr/share/gdprport", "usr/share/licenses/gdprport"];

/// The list of files as a spec has it. Only directories of our own belong to the package.
fn files(entries: &[Entry]) -> String {
    let mut list = String::new();
    let parents = entries.iter().flat_map(|entry| Path::new(&entry.place).ancestors().skip(1));
    let own: BTreeSet<&Path> =
        parents.filter(|folder| OWN.iter().any(|own| folder.starts_with(own))).collect();
    for folder in own {
        let _ = writeln!(list, "%dir %attr(755, root, root) /{}", folder.display());
    }
    for Entry { place, mode, kind, .. } in entries {
        let mark = match kind {
            Kind::Configuration => "%config(noreplace) ",
            Kind::Plain if place.starts_with("usr/share/licenses/") => "%license ",
            Kind::Plain if place.starts_with("usr/share/doc/") || place.starts_with("usr/share/man/") => {
                "%doc "
            }
            Kind::Plain => "",
        };
        let _ = writeln!(list, "{mark}%attr({mode:o}, root, root) /{place}");
    }
    list
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gdprport_tests::need;
    use gdprport_tests::skip::installed;

    use super::*;
    use crate::package::artefact::Architecture;
    use crate::package::contents::{self, tests};
    use crate::package::elf::Needs;
    use crate::package::entry::Format;
    use crate::package::stamp::Stamp;

    fn packed(folder: &Path) -> PathBuf {
        let stamp = Stamp { version: "1.2.3", epoch: 1_795_996_129 };
        let needs = Needs { glibc: (2, 30), others: Vec::new() };
        let about = About { stamp: &stamp, revision: 4, arch: Architecture::X86, needs: &needs };
        let entries = contents::of(&tests::parts(), Format::Rpm).expect("made");
        write(&about, &entries, folder).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn asked(package: &Path, question: &[&str]) -> String {
        let mut rpm = Command::new("rpm");
        sh::quiet(rpm.args(["--query", "--package"]).args(question).arg(package)).expect("rpm reads it")
    }

    #[test]
    fn the_rpm_holds_each_file_with_its_mode_and_roots() {
        need!(installed(&["/usr/bin/rpmbuild"], "rpm"));
        let dir = tempfile::tempdir().expect("a folder");
        let package = packed(dir.path());
        assert!(package.ends_with("gdprport-1.2.3-4.x86_64.rpm"), "{}", package.display());
        let format =
            "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILEFLAGS:fflags}\n]";
        let listing = asked(&package, &["--queryformat", format]);
        let files: Vec<Vec<&str>> = listing.lines().map(|line| line.split(' ').collect()).collect();
        for (place, mode) in tests::EXPECTED.into_iter().chain([
            ("usr/share/doc/gdprport/CHANGELOG.md", 0o644),
            ("usr/share/licenses/gdprport/LICENSE-APACHE", 0o644),
            ("usr/share/licenses/gdprport/LICENSE-MIT", 0o644),
            ("usr/share/zsh/site-functions/_gdprport", 0o644),
        ]) {
            let found = files.iter().find(|file| file[0].trim_start_matches('/') == place);
            assert_eq!(found.map(|file| file[1]), Some(format!("100{mode:o}").as_str()), "{place}");
        }
        for file in &files {
            assert_eq!(file[2], "root/root", "{file:?}");
            let flags = file.get(3).copied().unwrap_or_default();
            assert_eq!(flags.contains('c'), file[0] == "/etc/logrotate.d/gdprport", "{file:?}");
        }
        let scripts = asked(&package, &["--scripts"]);
        for begin in ["postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet"] {
            assert!(scripts.contains(begin), "{scripts}");
        }
    }

    #[test]
    fn the_rpm_is_the_same_bytes_from_any_folder() {
        need!(installed(&["/usr/bin/rpmbuild"], "rpm"));
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let deeper = other.path().join("deeper");
        fs::create_dir(&deeper).expect("a folder");
        let read = |dir: &Path| fs::read(packed(dir)).expect("it is there");
        assert!(read(one.path()) == read(&deeper), "two packages of the same files differ");
    }
}
