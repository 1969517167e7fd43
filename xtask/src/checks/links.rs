//! The repository checks of documentation: every relative link leads to a file that is there, every anchor to a heading, and
//! the table of contents of the book has every page of `docs/` once.

use std::collections::{BTreeMap, BTreeSet};

use super::files::File;
use super::markdown::{Page, leads_elsewhere, resolved};

/// The table of contents.
pub(crate) const SUMMARY: &str = "docs/SUMMARY.md";

/// Words of others, with links of their own.
const FOREIGN: [&str; 2] = ["tests/fixtures/", "/testdata/"];

pub(super) fn offences(files: &[File]) -> Vec<String> {
    let pages: BTreeMap<&str, Page> = files
        .iter()
        .filter(|file| file.path.ends_with(".md") && !FOREIGN.iter().any(|part| file.path.contains(part)))
        .map(|file| (&*file.path, Page::of(&file.text)))
        .collect();
    let mut offences = dead(files, &pages);
    if pages.contains_key(SUMMARY) {
        offences.extend(unlisted(&pages));
    }
    offences
}

/// Links that lead nowhere.
fn dead(files: &[File], pages: &BTreeMap<&str, Page>) -> Vec<String> {
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        paths.insert(&file.path);
        paths.extend(file.path.match_indices('/').map(|(end, _)| &file.path[..end]));
    }
    let mut offences = Vec::new();
    for (path, page) in pages {
        for link in page.links.iter().filter(|link| !leads_elsewhere(&link.target)) {
            let mut add = |what: &str| {
                offences.push(format!("{path}:{}: the link to {} {what}", link.line, link.target));
            };
            let Some((to, anchor)) = resolved(path, &link.target) else {
                add("leaves the checkout");
                continue;
            };
            if !paths.contains(&*to) {
                add("leads to no file");
                continue;
            }
            let is_known = |anchor: &str| pages.get(&*to).is_none_or(|page| page.anchors.contains(anchor));
            if anchor.is_some_and(|anchor| !is_known(anchor)) {
                add("leads to a file that has no such heading");
            }
        }
    }
    offences
}

/// Pages of `docs/` that the book lacks or has twice, and links of its pages to pages that it lacks.
fn unlisted(pages: &BTreeMap<&str, Page>) -> Vec<String> {
    let mut listed: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in pages[SUMMARY].links.iter().filter_map(|link| resolved(SUMMARY, &link.target)) {
        *listed.entry(path).or_default() += 1;
    }
    let mut offences = Vec::new();
    for path in pages.keys().filter(|path| path.starts_with("docs/") && **path != SUMMARY) {
        match listed.get(*path) {
            Some(1) => {}
            Some(count) => offences.push(format!("{SUMMARY}: {path} is listed {count} times")),
            None => offences.push(format!("{SUMMARY}: {path} is missing")),
        }
    }
    for (path, page) in pages.iter().filter(|(path, _)| listed.contains_key(**path)) {
        for link in page.links.iter().filter(|link| !leads_elsewhere(&link.target)) {
            let Some((to, _)) = resolved(path, &link.target) else { continue };
            if to.ends_with(".md") && !listed.contains_key(&to) && to != SUMMARY {
                offences.push(format!("{path}:{}: {to} is no page of the book ({SUMMARY})", link.line));
            }
        }
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<File> =
            files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
        offences(&files)
    }

    #[test]
    fn links_that_lead_nowhere_are_named_with_their_line() {
        let files = [
            ("README.md", "[a](docs/a.md)\n[b](docs/a.md#two)\n[c](c.md)\n[d](../d.md)\n[e](docs)\n"),
            ("docs/a.md", "# One\n\n[up](../README.md) [out](https://example.org/x)\n"),
        ];
        let expected = [
            "README.md:2: the link to docs/a.md#two leads to a file that has no such heading",
            "README.md:3: the link to c.md leads to no file",
            "README.md:4: the link to ../d.md leaves the checkout",
        ];
        assert_eq!(found(&files), expected);
    }

    #[test]
    fn the_book_has_every_page_once_and_no_way_out() {
        let files = [
            ("docs/SUMMARY.md", "- [a](a.md)\n- [b](b.md)\n- [b](b.md)\n- [r](../README.md)\n"),
            ("docs/a.md", "[x](../NOTES.md)\n"),
            ("docs/b.md", ""),
            ("docs/c.md", ""),
            ("README.md", ""),
            ("NOTES.md", ""),
        ];
        let expected = [
            "docs/SUMMARY.md: docs/b.md is listed 2 times",
            "docs/SUMMARY.md: docs/c.md is missing",
            "docs/a.md:1: NOTES.md is no page of the book (docs/SUMMARY.md)",
        ];
        assert_eq!(found(&files), expected);
    }

    #[test]
    fn texts_of_others_are_not_checked() {
        assert_eq!(found(&[("tests/fixtures/a/README.md", "[a](a.md)")]), [] as [&str; 0]);
    }
}
