//! The licences of what the binary contains, each text once, for the people who get the binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::dependencies::{Crate, Dependencies};
use crate::sh;

/// How the files begin that hold a licence, or what it asks to pass on.
const NAMES: [&str; 6] = ["COPYING", "COPYRIGHT", "LICENCE", "LICENSE", "NOTICE", "UNLICENSE"];

/// What is linked beside the crates, and where its licence stands.
const BESIDE: &str = "\
The binary also contains, each under licences that are among the texts below:
  the standard library of Rust (MIT OR Apache-2.0)
  libunwind and compiler-rt of LLVM, by way of zig (Apache-2.0 WITH LLVM-exception)
  SQLite, bundled by libsqlite3-sys (public domain)
";

/// One text, and who is under it.
#[derive(Debug)]
struct Text {
    text: String,
    of: Vec<String>,
}

/// The page of all licences.
///
/// # Errors
/// A crate has no text of its licence, so that the binary must not be passed on.
pub(super) fn page(dependencies: &Dependencies) -> Result<String> {
    let apache = sh::workspace().join("LICENSE-APACHE");
    let apache = fs::read_to_string(&apache).with_context(|| format!("cannot read {}", apache.display()))?;
    let mut texts: BTreeMap<String, Text> = BTreeMap::new();
    for one in dependencies.third_party() {
        for text in texts_of(one, &apache)? {
            // The same licence is set in lines of different lengths.
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let known = texts.entry(words).or_insert_with(|| Text { text, of: Vec::new() });
            if known.of.last() != Some(&one.title()) {
                known.of.push(one.title());
            }
        }
    }
    let mut page =
        "What the binary `gdprport` contains that others wrote, and under which licences.\n\n".to_owned();
    page.push_str(BESIDE);
    page.push('\n');
    for one in dependencies.third_party() {
        let _ = writeln!(page, "{}: {}", one.title(), one.licence);
    }
    let rule = "-".repeat(80);
    for Text { text, of } in texts.values() {
        let _ = writeln!(page, "\n{rule}\n{}\n{rule}\n\n{}", of.join(", "), text.trim_end());
    }
    Ok(page)
}

fn texts_of(one: &Crate, apache: &str) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for path in licence_files(&one.folder)? {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        texts.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
    }
    if texts.is_empty() && one.licence.contains("Apache-2.0") {
        // It has no names in it: one text is everybody's.
        texts.push(apache.to_owned());
    }
    if texts.is_empty() {
        bail!("{} ({}) has no text of its licence in {}", one.title(), one.licence, one.folder.display());
    }
    Ok(texts)
}

fn licence_files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            NAMES.iter().any(|begin| name.starts_with(begin)) && !name.ends_with(".RS")
        })
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_licence_is_on_the_page_and_each_text_once() {
        let dependencies = Dependencies::read().expect("cargo answers");
        let page = page(&dependencies).expect("each crate has a text");
        for one in dependencies.third_party() {
            let named = page.matches(&one.title()).count();
            assert!(named >= 2, "{} stands in the list and above a text: {named}", one.title());
        }
        let grant = "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION";
        let apache = page.lines().filter(|line| line.contains(grant)).count();
        assert!((1..40).contains(&apache), "Apache-2.0 stands there {apache} times");
    }
}
