//! The files of an installation, from the table of `packaging/README.md`, and which options of a command are about them.

use anyhow::{Context as _, Result};

use crate::checkout::of_checkout;

/// A path of an installation.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) path: String,
    /// Owner and mode, and what it is.
    pub(crate) about: String,
}

/// Where the evidence log and its key are.
const EVIDENCE: &[&str] = &["/var/lib/gdprport/evidence/", "/var/lib/gdprport/evidence.key"];
/// Where the deliverer answers.
const DELIVERER: &[&str] = &["/run/gdprport-deliver/deliver.sock"];
/// What somebody writes.
const WRITTEN: &[&str] = &["/etc/gdprport/"];

/// Which paths an option is about: how the names of the commands begin that this holds for, the option's id in the definition of the
/// command line, the paths. Every command has `socket`, so this stands for the command itself too.
const OPTIONS: [(&str, &str, &[&str]); 19] = [
    ("gdprport", "policy", WRITTEN),
    ("gdprport", "files", WRITTEN),
    ("gdprport", "config", WRITTEN),
    ("gdprport-policy-apply", "socket", WRITTEN),
    ("gdprport-policy-confirm", "socket", WRITTEN),
    ("gdprport-evidence", "socket", WRITTEN),
    ("gdprport-privacy", "key", &["/etc/gdprport/keys/"]),
    ("gdprport", "ledger", &["/var/lib/gdprport/"]),
    ("gdprport", "evidence", EVIDENCE),
    ("gdprport-evidence", "socket", EVIDENCE),
    ("gdprport", "spool", &["/var/lib/gdprport/spool/"]),
    ("gdprport", "state", &["/var/lib/gdprport/spool/", "/var/lib/gdprport-deliver/"]),
    ("gdprport", "pin", &["/sys/fs/bpf/gdprport/"]),
    ("gdprport", "journald", &["/var/log/gdprport/events.ndjson"]),
    ("gdprport", "socket", &["/run/gdprport/control.sock"]),
    ("gdprport-daemon-status", "socket", DELIVERER),
    ("gdprport-deliver", "socket", DELIVERER),
    ("gdprport-doctor", "socket", DELIVERER),
    ("gdprport-sink", "socket", DELIVERER),
];

/// Every path, in the order of the table.
pub(crate) fn all() -> Result<Vec<Path>> {
    let page = of_checkout("packaging/README.md")?;
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [path, owner, about] = cells[..] else { return None };
        let path = path.strip_prefix('`')?.strip_suffix('`')?;
        path.starts_with('/').then(|| Path {
            path: path.to_owned(),
            about: if about.is_empty() { owner.to_owned() } else { format!("{owner}: {about}") },
        })
    };
    Ok(page.lines().filter(|line| line.starts_with("| `/")).filter_map(row).collect())
}

/// The paths that a command of this name with such options is about, in the order of the table.
pub(crate) fn of<'o>(command: &str, options: impl Iterator<Item = &'o str>) -> Result<Vec<Path>> {
    let mut wanted: Vec<&str> = Vec::new();
    for option in options {
        let about = OPTIONS.iter().filter(|(begin, id, _)| *id == option && command.starts_with(begin));
        wanted.extend(about.flat_map(|(_, _, paths)| paths.iter()));
    }
    let all = all()?;
    for path in &wanted {
        all.iter()
            .find(|one| one.path == **path)
            .with_context(|| format!("packaging/README.md has no row for `{path}`"))?;
    }
    Ok(all.into_iter().filter(|one| wanted.contains(&&*one.path)).collect())
}
