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

/// Which paths an option is about, by its id in the definition of the command line.
const OPTIONS: [(&str, &[&str]); 10] = [
    ("policy", &["/etc/gdprport/"]),
    ("files", &["/etc/gdprport/"]),
    ("config", &["/etc/gdprport/"]),
    ("key", &["/etc/gdprport/keys/"]),
    ("ledger", &["/var/lib/gdprport/"]),
    ("spool", &["/var/lib/gdprport/spool/"]),
    ("state", &["/var/lib/gdprport/spool/", "/var/lib/gdprport-deliver/"]),
    ("pin", &["/sys/fs/bpf/gdprport/"]),
    ("journald", &["/var/log/gdprport/events.ndjson"]),
    ("socket", &["/run/gdprport/control.sock", "/run/gdprport-deliver/deliver.sock"]),
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

/// The paths that a command with such options is about, in the order of the table.
pub(crate) fn of<'o>(options: impl Iterator<Item = &'o str>) -> Result<Vec<Path>> {
    let mut wanted: Vec<&str> = Vec::new();
    for option in options {
        let paths = OPTIONS.iter().find(|(id, _)| *id == option).map_or(&[][..], |(_, paths)| paths);
        wanted.extend(paths);
    }
    let all = all()?;
    for path in &wanted {
        all.iter()
            .find(|one| one.path == **path)
            .with_context(|| format!("packaging/README.md has no row for `{path}`"))?;
    }
    Ok(all.into_iter().filter(|one| wanted.contains(&&*one.path)).collect())
}
