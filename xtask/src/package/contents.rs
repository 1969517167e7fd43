//! Which files a package holds, where and with which mode. One table for both formats; everything belongs to root.
//!
//! Directories are not packed but made by `gdprport.tmpfiles`, with the groups that `gdprport.sysusers` makes: a package cannot
//! know their numbers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::dependencies::Dependencies;
use super::entry::{Entry, Format, Kind};
use super::stamp::Stamp;
use super::{licences, sbom, tree};
use crate::{man, sh};

/// Where its documents go.
const DOC: &str = "usr/share/doc/gdprport";

/// What is not in the checkout as it stands.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) binary: Vec<u8>,
    /// The bill of materials.
    pub(super) bill: String,
    /// The licences of what others wrote.
    pub(super) licences: String,
    /// Man pages, by name.
    pub(super) man: Files,
    /// Completions, by shell and name.
    pub(super) completions: Completions,
}

impl Parts {
    /// Makes and reads them.
    ///
    /// # Errors
    /// One cannot be made or read.
    pub(super) fn collect(binary: &Path, dependencies: &Dependencies, stamp: &Stamp) -> Result<Self> {
        let (man, completions) = documentation()?;
        Ok(Self {
            binary: read(binary)?,
            bill: sbom::cyclonedx(dependencies, stamp)?,
            licences: licences::page(dependencies)?,
            man,
            completions,
        })
    }
}

/// Files of the checkout that have a place of their own.
const FIXED: [(&str, &str); 8] = [
    ("packaging/gdprport.service", "usr/lib/systemd/system/gdprport.service"),
    ("packaging/gdprport-deliver.service", "usr/lib/systemd/system/gdprport-deliver.service"),
    ("packaging/gdprport-audit.service", "usr/lib/systemd/system/gdprport-audit.service"),
    ("packaging/gdprport-audit.timer", "usr/lib/systemd/system/gdprport-audit.timer"),
    ("packaging/gdprport.sysusers", "usr/lib/sysusers.d/gdprport.conf"),
    ("packaging/gdprport.tmpfiles", "usr/lib/tmpfiles.d/gdprport.conf"),
    ("packaging/policy.example.toml", "usr/share/doc/gdprport/policy.example.toml"),
    ("packaging/gdprport.example.toml", "usr/share/doc/gdprport/gdprport.example.toml"),
];

/// Pages that the help, errors, findings and manual pages name as `docs/PAGE.md`, with what these point to: decisions, pictures.
const PAGES: (&str, &str) = ("docs", "usr/share/doc/gdprport/docs");

/// What a page is, and what it shows.
const PAGE_ENDS: [&str; 2] = [".md", ".svg"];

/// Files of the checkout that keep their names.
const FOLDERS: [(&str, &str); 5] = [
    ("docs/schema", "usr/share/gdprport/schema"),
    ("packaging/grafana", "usr/share/doc/gdprport/grafana"),
    ("packaging/kubernetes", "usr/share/doc/gdprport/kubernetes"),
    ("packaging/prometheus", "usr/share/doc/gdprport/prometheus"),
    ("packaging/siem", "usr/share/doc/gdprport/siem"),
];

const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// All files, by their places.
///
/// # Errors
/// One cannot be read, or two have the same place.
pub(super) fn of(parts: &Parts, format: Format) -> Result<Vec<Entry>> {
    let plain = |place: String, bytes: Vec<u8>| Entry { place, mode: 0o644, kind: Kind::Plain, bytes };
    let of_checkout = |name: &str| read(&sh::workspace().join(name));
    let mut entries = vec![
        Entry { mode: 0o755, ..plain("usr/bin/gdprport".into(), parts.binary.clone()) },
        Entry {
            kind: Kind::Configuration,
            ..plain("etc/logrotate.d/gdprport".into(), of_checkout("packaging/gdprport.logrotate")?)
        },
        plain(format!("{DOC}/gdprport.cdx.json"), parts.bill.clone().into()),
        plain(format!("{DOC}/THIRD-PARTY.txt"), parts.licences.clone().into()),
    ];
    for (from, to) in FIXED {
        entries.push(plain(to.into(), of_checkout(from)?));
    }
    for (from, to) in FOLDERS {
        for (name, bytes) in files_below(&sh::workspace().join(from))? {
            entries.push(plain(format!("{to}/{name}"), bytes));
        }
    }
    for (name, bytes) in files_below(&sh::workspace().join(PAGES.0))? {
        if PAGE_ENDS.iter().any(|end| name.ends_with(end)) {
            entries.push(plain(format!("{}/{name}", PAGES.1), bytes));
        }
    }
    for (name, bytes) in &parts.man {
        let Some((_, section)) = name.rsplit_once('.') else { bail!("the man page {name} has no section") };
        entries.push(plain(format!("usr/share/man/man{section}/{name}.gz"), tree::gzip(bytes)?));
    }
    for (shell, name, bytes) in &parts.completions {
        let folder = match (*shell, format) {
            ("bash", _) => "bash-completion/completions",
            ("fish", _) => "fish/vendor_completions.d",
            (_, Format::Deb) => "zsh/vendor-completions",
            (_, Format::Rpm) => "zsh/site-functions",
        };
        entries.push(plain(format!("usr/share/{folder}/{name}"), bytes.clone()));
    }
    let (mit, apache) = (of_checkout("LICENSE-MIT")?, of_checkout("LICENSE-APACHE")?);
    let changes = of_checkout("CHANGELOG.md")?;
    match format {
        Format::Deb => {
            entries.push(plain(format!("{DOC}/copyright"), copyright(&mit).into_bytes()));
            entries.push(plain(format!("{DOC}/changelog.gz"), tree::gzip(&changes)?));
        }
        Format::Rpm => {
            entries.push(plain("usr/share/licenses/gdprport/LICENSE-MIT".into(), mit));
            entries.push(plain("usr/share/licenses/gdprport/LICENSE-APACHE".into(), apache));
            entries.push(plain(format!("{DOC}/CHANGELOG.md"), changes));
        }
    }
    entries.sort_by(|a, b| a.place.cmp(&b.place));
    if let Some(twice) = entries.windows(2).find(|pair| pair[0].place == pair[1].place) {
        bail!("two files of the package are {}", twice[0].place);
    }
    Ok(entries)
}

/// As Debian has it: what is ours in full, and where the rest stands.
fn copyright(mit: &[u8]) -> String {
    format!(
        "gdprport is licensed, as you choose, under the MIT License, which follows, or under the Apache License 2.0, which\n\
         on Debian is in /usr/share/common-licenses/Apache-2.0. What others wrote of it, and their licences, is in\n\
         /{DOC}/THIRD-PARTY.txt.\n\n{}",
        String::from_utf8_lossy(mit)
    )
}

/// Files by their names.
type Files = Vec<(String, Vec<u8>)>;
/// Completions, by shell and name.
type Completions = Vec<(&'static str, String, Vec<u8>)>;

/// Man pages and completions, written and read. A package without them would be taken for a whole one.
fn documentation() -> Result<(Files, Completions)> {
    man::run()?;
    let target = sh::target_dir();
    let man = files_below(&target.join("man"))?;
    if man.is_empty() {
        bail!("no manual page was written below {}", target.display());
    }
    let mut completions = Vec::new();
    for shell in SHELLS {
        let files = files_below(&target.join("completions").join(shell))?;
        if files.is_empty() {
            bail!("no completion of {shell} was written below {}", target.display());
        }
        completions.extend(files.into_iter().map(|(name, bytes)| (shell, name, bytes)));
    }
    Ok((man, completions))
}

/// The files below a folder, by their names in it; none if there is no such folder.
fn files_below(folder: &Path) -> Result<Files> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folder.exists().then(|| folder.to_owned()).into_iter().collect();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry.context("cannot read a directory")?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                files.push((name, read(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Parts of a package, with a page and completions as `cargo xtask man` writes them, and without a build.
    pub(in crate::package) fn parts() -> Parts {
        let file = |name: &str| (name.to_owned(), b"x\n".to_vec());
        Parts {
            // Small, so that it is compressed at once.
            binary: fs::read("/bin/true").expect("every host has it"),
            bill: "{}\n".into(),
            licences: "all\n".into(),
            man: vec![file("gdprport.1"), file("gdprport.toml.5"), file("gdprport-deliver.8")],
            completions: vec![
                ("bash", "gdprport".into(), b"x\n".to_vec()),
                ("fish", "gdprport.fish".into(), b"x\n".to_vec()),
                ("zsh", "_gdprport".into(), b"x\n".to_vec()),
            ],
        }
    }

    /// The files of a package and their modes, without those of folders that grow.
    pub(in crate::package) const EXPECTED: [(&str, u32); 24] = [
        ("etc/logrotate.d/gdprport", 0o644),
        ("usr/bin/gdprport", 0o755),
        ("usr/lib/systemd/system/gdprport-audit.service", 0o644),
        ("usr/lib/systemd/system/gdprport-audit.timer", 0o644),
        ("usr/lib/systemd/system/gdprport-deliver.service", 0o644),
        ("usr/lib/systemd/system/gdprport.service", 0o644),
        ("usr/lib/sysusers.d/gdprport.conf", 0o644),
        ("usr/lib/tmpfiles.d/gdprport.conf", 0o644),
        ("usr/share/bash-completion/completions/gdprport", 0o644),
        ("usr/share/doc/gdprport/THIRD-PARTY.txt", 0o644),
        ("usr/share/doc/gdprport/docs/README.md", 0o644),
        ("usr/share/doc/gdprport/docs/audit.md", 0o644),
        ("usr/share/doc/gdprport/docs/help/sinks.md", 0o644),
        ("usr/share/doc/gdprport/docs/pictures/map.svg", 0o644),
        ("usr/share/doc/gdprport/gdprport.cdx.json", 0o644),
        ("usr/share/doc/gdprport/gdprport.example.toml", 0o644),
        ("usr/share/doc/gdprport/grafana/gdprport.json", 0o644),
        ("usr/share/doc/gdprport/policy.example.toml", 0o644),
        ("usr/share/doc/gdprport/prometheus/gdprport.rules.yml", 0o644),
        ("usr/share/doc/gdprport/siem/README.md", 0o644),
        ("usr/share/fish/vendor_completions.d/gdprport.fish", 0o644),
        ("usr/share/gdprport/schema/event.schema.json", 0o644),
        ("usr/share/gdprport/schema/policy.schema.json", 0o644),
        ("usr/share/man/man1/gdprport.1.gz", 0o644),
    ];

    #[test]
    fn each_unit_and_each_example_of_the_checkout_is_packed() {
        let packed = of(&parts(), Format::Deb).expect("made");
        for (name, bytes) in files_below(&sh::workspace().join("packaging")).expect("it is there") {
            // What packages and images are made with is not in them.
            if name == "README.md"
                || ["container/", "debian/", "rpm/"].iter().any(|made| name.starts_with(made))
            {
                continue;
            }
            assert!(packed.iter().any(|entry| entry.bytes == bytes), "packaging/{name} is in no package");
        }
    }

    /// `gdprport help` says where they are.
    #[test]
    fn pages_are_where_the_help_says_they_are() {
        let help = sh::workspace().join("gdprport-daemon/src/ui/help/installed.rs");
        let said = fs::read_to_string(help).expect("it is there");
        assert!(said.contains(&format!("DOCS: &str = \"/{}\";", PAGES.1)), "{said}");
    }

    #[test]
    fn only_logrotates_file_is_an_administrators() {
        for format in [Format::Deb, Format::Rpm] {
            let packed = of(&parts(), format).expect("made");
            let kept = packed.iter().filter(|entry| entry.kind == Kind::Configuration);
            assert_eq!(
                kept.map(|entry| entry.place.as_str()).collect::<Vec<_>>(),
                ["etc/logrotate.d/gdprport"]
            );
        }
    }
}
