//! The package for Debian, by `dpkg-deb`, which sorts, clamps times to `SOURCE_DATE_EPOCH` and knows the format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::artefact::Architecture;
use super::elf::Needs;
use super::entry::{Entry, Kind};
use super::stamp::{Form, Stamp};
use super::tree;
use crate::sh;

/// What a package says of itself.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) stamp: &'a Stamp,
    pub(super) revision: u32,
    pub(super) arch: Architecture,
    pub(super) needs: &'a Needs,
}

/// Who answers for the package: whoever gives it to others puts their own address here.
const MAINTAINER: &str = "gdprport maintainers <maintainers@gdprport.invalid>";

const DESCRIPTION: &str = "\
watches the TCP ports through which personal data travels
 gdprport names the process at the end of every connection on the TCP ports
 through which personal data travels (databases, queues, directories, mail),
 and reports how the connection is encrypted and whether a policy allows it.
 What it sees is sent as JSON events; what it could not see is counted.
 .
 Without a policy the built-in catalog of services is watched.
";

/// The scripts of `packaging/debian`.
const SCRIPTS: [&str; 4] = ["preinst", "postinst", "prerm", "postrm"];

/// Writes the package into a folder and returns where it is.
///
/// # Errors
/// `dpkg-deb` fails, or the disk does not take it.
pub(super) fn write(about: &About<'_>, entries: &[Entry], out: &Path) -> Result<PathBuf> {
    let stage = out.join("deb");
    let changelog = Entry {
        place: "usr/share/doc/gdprport/changelog.Debian.gz".into(),
        mode: 0o644,
        kind: Kind::Plain,
        bytes: tree::gzip(changelog(about)?.as_bytes())?,
    };
    let mut all = entries.to_vec();
    all.push(changelog);
    all.sort_by(|a, b| a.place.cmp(&b.place));
    tree::write(&stage, &all, about.stamp.epoch)?;
    let control: Vec<Entry> = control_files(about, &all, md5sums(&stage, &all)?)?
        .into_iter()
        .map(|(name, text)| Entry {
            place: format!("DEBIAN/{name}"),
            mode: if SCRIPTS.contains(&name) { 0o755 } else { 0o644 },
            kind: Kind::Plain,
            bytes: text.into_bytes(),
        })
        .collect();
    tree::add(&stage, &control, about.stamp.epoch)?;
    let name = format!("gdprport_{}_{}.deb", version(about), about.arch.debian());
    let package = out.join(name);
    let mut dpkg = Command::new("dpkg-deb");
    dpkg
        // Debian 11 reads no zstd. The blocks of more threads would be others.
        .args(["--root-owner-group", "-Zxz", "--threads-max=1", "--build"])
        .args([&stage, &package])
        .env("SOURCE_DATE_EPOCH", about.stamp.epoch.to_string());
    sh::quiet(&mut dpkg)?;
    fs::remove_dir_all(&stage).with_context(|| format!("cannot remove {}", stage.display()))?;
    Ok(package)
}

/// `0.1.0-1`.
pub(super) fn version(about: &About<'_>) -> String {
    format!("{}-{}", about.stamp.version, about.revision)
}

fn changelog(about: &About<'_>) -> Result<String> {
    let (version, day) = (version(about), about.stamp.time(Form::Rfc2822)?);
    Ok(format!(
        "gdprport ({version}) unstable; urgency=medium\n\n  * What is new is in changelog.gz beside this.\n\n \
         -- {MAINTAINER}  {day}\n"
    ))
}

fn control_files(
    about: &About<'_>,
    entries: &[Entry],
    md5sums: String,
) -> Result<BTreeMap<&'static str, String>> {
    let kept = entries.iter().filter(|entry| entry.kind == Kind::Configuration);
    let mut files = BTreeMap::from([
        ("control", control(about, entries)),
        ("conffiles", kept.map(|entry| format!("/{}\n", entry.place)).collect()),
        ("md5sums", md5sums),
    ]);
    for name in SCRIPTS {
        let path = sh::workspace().join("packaging/debian").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files.insert(name, text);
    }
    Ok(files)
}

fn control(about: &About<'_>, entries: &[Entry]) -> String {
    let (version, arch) = (version(about), about.arch.debian());
    let (major, minor) = about.needs.glibc;
    // As dpkg-gencontrol counts: each file in whole KiB.
    let size: u64 = entries.iter().map(|entry| (entry.bytes.len() as u64).div_ceil(1024)).sum();
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key}: {value}");
    };
    line("Package", "gdprport");
    line("Version", &version);
    line("Architecture", arch);
    line("Maintainer", MAINTAINER);
    line("Installed-Size", &size.to_string());
    // The scripts make users with systemd-sysusers, which a container without systemd can have by itself.
    line(
        "Depends",
        &format!(
            "libc6 (>= {major}.{minor}), init-system-helpers (>= 1.54), systemd | systemd-standalone-sysusers | \
             systemd-sysusers"
        ),
    );
    line("Recommends", "ca-certificates, logrotate");
    line("Section", "net");
    line("Priority", "optional");
    line("Description", DESCRIPTION.trim_end());
    text
}

/// The digests that `dpkg --verify` compares with.
fn md5sums(stage: &Path, entries: &[Entry]) -> Result<String> {
    let mut md5sum = Command::new("md5sum");
    let replaced = entries.iter().filter(|entry| entry.kind == Kind::Plain);
    sh::quiet(md5sum.args(replaced.map(|entry| &entry.place)).current_dir(stage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::contents::{self, tests};
    use crate::package::entry::Format;

    /// The files of a package, from `dpkg-deb --contents`: place, mode as `ls` shows it, and owner.
    fn listed(package: &Path) -> Vec<(String, String, String)> {
        let listing =
            sh::quiet(Command::new("dpkg-deb").arg("--contents").arg(package)).expect("it reads it");
        let lines = listing.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines
            .map(|words| {
                let [mode, owner, _, _, _, place] = words[..] else {
                    panic!("not a line of a file: {words:?}")
                };
                (place.trim_start_matches("./").to_owned(), mode.to_owned(), owner.to_owned())
            })
            .collect()
    }

    fn packed(folder: &Path, revision: u32) -> PathBuf {
        let stamp = Stamp { version: "1.2.3", epoch: 1_795_996_129 };
        let needs = Needs { glibc: (2, 30), others: Vec::new() };
        let about = About { stamp: &stamp, revision, arch: Architecture::X86, needs: &needs };
        let entries = contents::of(&tests::parts(), Format::Deb).expect("made");
        write(&about, &entries, folder).expect("dpkg-deb is on every Debian")
    }

    #[test]
    fn the_deb_holds_each_file_with_its_mode_and_roots() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = listed(&packed(dir.path(), 1));
        for (place, mode) in tests::EXPECTED.into_iter().chain([
            ("usr/share/doc/gdprport/changelog.Debian.gz", 0o644),
            ("usr/share/doc/gdprport/changelog.gz", 0o644),
            ("usr/share/doc/gdprport/copyright", 0o644),
            ("usr/share/zsh/vendor-completions/_gdprport", 0o644),
        ]) {
            let shown = if mode == 0o755 { "-rwxr-xr-x" } else { "-rw-r--r--" };
            let found = files.iter().find(|(path, _, _)| path == place);
            assert_eq!(found.map(|(_, mode, _)| mode.as_str()), Some(shown), "{place}");
        }
        for (place, mode, owner) in &files {
            assert_eq!(owner, "root/root", "{place}");
            assert!(["drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"].contains(&mode.as_str()), "{place}: {mode}");
        }
    }

    #[test]
    fn the_deb_asks_for_what_the_binary_needs() {
        let dir = tempfile::tempdir().expect("a folder");
        let package = packed(dir.path(), 7);
        assert!(package.ends_with("gdprport_1.2.3-7_amd64.deb"), "{}", package.display());
        let field = |name: &str| {
            sh::quiet(Command::new("dpkg-deb").arg("--field").arg(&package).arg(name)).expect("it reads it")
        };
        assert_eq!(field("Version").trim(), "1.2.3-7");
        assert!(field("Depends").starts_with("libc6 (>= 2.30), "), "{}", field("Depends"));
        let conffiles = sh::quiet(Command::new("dpkg-deb").arg("--info").arg(&package).arg("conffiles"));
        assert_eq!(conffiles.expect("it has them"), "/etc/logrotate.d/gdprport\n");
    }

    #[test]
    fn the_same_files_make_the_same_bytes_in_any_folder() {
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let read = |dir: &Path| fs::read(packed(dir, 1)).expect("it is there");
        assert!(read(one.path()) == read(&other.path().join("")), "two packages of the same files differ");
    }

    #[test]
    fn a_shell_accepts_every_script() {
        for name in SCRIPTS {
            let path = sh::workspace().join("packaging/debian").join(name);
            sh::quiet(Command::new("sh").arg("-n").arg(&path)).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        }
    }
}
