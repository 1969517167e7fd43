//! `gdprport-manual`: writes the manual pages and the completions of shells into a folder. `cargo xtask man` calls it.
//!
//! The text of a page has one owner: the definition of the command line, or a page of `docs/`. Here it only changes its form.

mod after;
mod checkout;
mod commands;
mod completions;
mod configuration;
mod files;
mod markdown;
mod page;
mod pages;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use page::Written;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(out), None) = (arguments.next(), arguments.next()) else {
        bail!("name one folder: `man` and `completions` are written into it");
    };
    let out = PathBuf::from(out);
    let written = everything()?;
    for folder in [MAN, COMPLETIONS] {
        let folder = out.join(folder);
        // What an older one has left would be packaged too.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
    }
    for Written { path, text } in &written {
        write(&out.join(path), text)?;
    }
    println!(
        "{} files in {} and {}",
        written.len(),
        out.join(MAN).display(),
        out.join(COMPLETIONS).display()
    );
    Ok(())
}

/// The folder of the pages.
const MAN: &str = "man";

/// The folder of the completions.
const COMPLETIONS: &str = "completions";

/// Every file, by its path in the folder that is written.
fn everything() -> Result<Vec<Written>> {
    let mut written = commands::pages()?;
    written.extend(pages::pages()?);
    let mut written: Vec<Written> =
        written.into_iter().map(|one| Written { path: format!("{MAN}/{}", one.path), ..one }).collect();
    written.extend(
        completions::all()
            .into_iter()
            .map(|one| Written { path: format!("{COMPLETIONS}/{}", one.path), ..one }),
    );
    Ok(written)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    fs::write(path, text).with_context(cannot)
}
