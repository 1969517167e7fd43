//! The files that the checks read: every text of the checkout, or the few that a test makes up.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Hidden folders whose files belong to the project; the others are the editors' and git's.
const HIDDEN: [&str; 2] = [".cargo", ".ci"];

/// One text, by its path from the root of the checkout.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every text below this folder. Walks the folders instead of asking git, so that a checkout without git, or of another
/// user, is checked too.
pub(crate) fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    Ok(files)
}

fn walk(dir: &Path, below: &str, files: &mut Vec<File>) -> Result<()> {
    let cannot = || format!("cannot read {}", dir.display());
    let mut entries =
        fs::read_dir(dir).with_context(cannot)?.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().with_context(cannot)?;
        let path = format!("{below}{name}");
        let is_skipped = name == "target" || name.starts_with('.') && !HIDDEN.contains(&&*name);
        if is_skipped {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && name != "Cargo.lock" {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            // Captures and corpora are not text.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File { path, text });
            }
        }
    }
    Ok(())
}
