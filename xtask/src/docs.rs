//! `docs`: the pages of `docs/` and those that they link to as a book, by mdBook.
//!
//! The pages stay where GitHub shows them. What mdBook reads is a copy of them in the same places, so that every relative link is
//! the same in both. That links lead somewhere is a check of `lint`, which needs no mdBook.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::checks::{self, Page, leads_elsewhere, resolved};
use crate::sh;
use crate::step::step;

/// The version of mdBook that the book was last looked at with.
const VERSION: &str = "0.5.4";

/// Builds the book.
///
/// # Errors
/// There is no mdBook, or it refuses a page.
pub(crate) fn run(install: bool) -> Result<()> {
    let mdbook = provided(install)?;
    let folder = sh::target_dir().join("book");
    let pages = step("the pages and what they link to", || {
        let pages = stage(&folder)?;
        Ok((pages, format!("{pages} files in {}", folder.join("src").display())))
    })?;
    step("mdbook build", || {
        sh::quiet(Command::new(mdbook).arg("build").arg(&folder))?;
        let index = folder.join("html/index.html");
        if !index.exists() {
            bail!("mdBook wrote no {}", index.display());
        }
        Ok(((), format!("{} of {pages} files", index.display())))
    })
}

/// mdBook, from the `PATH` or from `target/`.
fn provided(install: bool) -> Result<PathBuf> {
    let root = sh::target_dir().join("mdbook");
    let own = root.join("bin/mdbook");
    if let Some(found) = sh::find("mdbook").or_else(|| own.exists().then(|| own.clone())) {
        return Ok(found);
    }
    if !install {
        bail!(
            "mdBook is not installed: `cargo xtask docs --install` builds it in {} (three minutes), or `cargo install mdbook`",
            root.display()
        );
    }
    step(&format!("cargo install mdbook {VERSION}"), || {
        let mut cargo = sh::cargo();
        cargo.args(["install", "mdbook", "--version", VERSION, "--locked", "--no-default-features"]);
        cargo.args(["--features", "search", "--root"]).arg(&root);
        sh::loud(&mut cargo)?;
        Ok((own.clone(), own.display().to_string()))
    })
}

/// Copies the configuration, the table of contents, its pages and every file that they link to; returns how many.
fn stage(folder: &Path) -> Result<usize> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let source = folder.join("src");
    let contents = read(checks::SUMMARY)?;
    let mut paths = BTreeSet::new();
    // From the front: a link that was replaced may be what another one was before.
    let (mut summary, mut rest) = (String::new(), contents.as_str());
    for link in Page::of(&contents).links {
        let Some((path, _)) = resolved(checks::SUMMARY, &link.target) else {
            bail!("{}:{}: {} leaves the checkout", checks::SUMMARY, link.line, link.target);
        };
        if let Some((before, after)) = rest.split_once(&format!("]({})", link.target)) {
            summary.push_str(&format!("{before}]({path})"));
            rest = after;
        }
        paths.insert(path);
    }
    summary.push_str(rest);
    let linked: Vec<String> = paths.iter().map(|path| linked(path)).collect::<Result<Vec<_>>>()?.concat();
    paths.extend(linked);
    for path in &paths {
        let to = source.join(path);
        fs::create_dir_all(to.parent().context("has a parent")?)?;
        fs::copy(sh::workspace().join(path), &to).with_context(|| format!("cannot copy {path}"))?;
    }
    fs::write(source.join("SUMMARY.md"), summary)?;
    fs::copy(sh::workspace().join("docs/book.toml"), folder.join("book.toml"))?;
    Ok(paths.len())
}

/// The files that a page links to, without folders.
fn linked(path: &str) -> Result<Vec<String>> {
    let page = Page::of(&read(path)?);
    let links = page.links.iter().filter(|link| !leads_elsewhere(&link.target));
    let paths = links.filter_map(|link| Some(resolved(path, &link.target)?.0));
    Ok(paths.filter(|path| sh::workspace().join(path).is_file()).collect())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(sh::workspace().join(path)).with_context(|| format!("cannot read {path}"))
}
