//! The repository checks that no other tool knows, one a file, run by `lint` and held by tests. What they read: the text
//! of every file, where the pages of documentation link to, and which file of the crates imports what from which.

mod attributes;
mod cycles;
mod files;
mod imports;
mod layers;
mod links;
mod markdown;
mod modules;
mod names;
mod purity;
mod resolve;
#[cfg(test)]
mod tests;
mod text;
mod tokens;

use anyhow::{Result, bail};

use crate::sh;
use files::File;
use imports::Imports;
use modules::Modules;

pub(crate) use links::SUMMARY;
pub(crate) use markdown::{Page, leads_elsewhere, resolved};

/// Checks the checkout.
///
/// # Errors
/// All offences, one a line.
pub(crate) fn run() -> Result<String> {
    let files = files::read(sh::workspace())?;
    let offences = offences(&files)?;
    if !offences.is_empty() {
        bail!("{}", offences.join("\n"));
    }
    Ok(format!("{} files", files.len()))
}

fn offences(files: &[File]) -> Result<Vec<String>> {
    let imports = Imports::of(&Modules::read(files)?);
    let parts = [
        text::offences(files),
        links::offences(files),
        names::offences(files),
        layers::offences(files, &imports.own),
        purity::offences(&imports.foreign),
        cycles::offences(&imports.own),
    ];
    Ok(parts.concat())
}
