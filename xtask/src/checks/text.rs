//! The repository checks of text: size of files, what a file begins with, and words that belong to one
//! machine or one moment and not to the project.

use super::files::File;
use crate::suite::ELSEWHERE;

/// Files aim at 400 lines; the check leaves room for the last thought.
const MAX_LINES: usize = 420;

/// Hosts of package registries: a checkout must work with whatever registry the machine is set up for. In pieces,
/// so that this file keeps its own rule.
const REGISTRIES: [(&str, &str); 5] =
    [("crates", "io"), ("debian", "org"), ("npmjs", "org"), ("pypi", "org"), ("pythonhosted", "org")];

/// Roots of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 2] = ["work", "tmp/w"];

/// Marks of unfinished work.
const UNFINISHED: [(&str, &str); 2] = [("TO", "DO"), ("FIX", "ME")];

pub(crate) fn offences(files: &[File]) -> Vec<String> {
    files.iter().flat_map(|file| offences_in(&file.path, &file.text)).collect()
}

fn offences_in(path: &str, text: &str) -> Vec<String> {
    let mut offences = Vec::new();
    if path.ends_with(".rs") {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            offences.push(format!("{path}: {lines} lines; split it, files stay under 400"));
        }
        if !text.starts_with("//! ") {
            offences.push(format!("{path}:1: begins without `//!` that says what belongs in the file"));
        }
    }
    for (number, line) in text.lines().enumerate() {
        let mut add = |what: &str| offences.push(format!("{path}:{}: {what}", number + 1));
        if REGISTRIES.iter().any(|(name, end)| names_host(line, &format!("{name}.{end}"))) {
            add("names a package registry's host; the machine's own settings say which one is used");
        }
        if MACHINE_PATHS.iter().any(|root| names_path(line, &format!("/{root}/"))) {
            add("names a path of one machine");
        }
        if path.ends_with(".rs") && UNFINISHED.iter().any(|(a, b)| line.contains(&format!("{a}{b}"))) {
            add("marks unfinished work; finish it or leave it out");
        }
        if path.ends_with(".rs") && leaves_out_a_test(line) {
            add(
                "a test is left out for no reason that `cargo xtask test` knows: begin it with \"on demand: \"",
            );
        }
    }
    offences
}

/// Whether a line has the attribute of a test that is not run, without saying who runs it: that is a skip, which fails in CI.
fn leaves_out_a_test(line: &str) -> bool {
    let Some(attribute) = line.trim_start().strip_prefix("#[ignore") else { return false };
    let reason = attribute.strip_prefix(" = \"").unwrap_or_default();
    !ELSEWHERE.iter().any(|begin| reason.starts_with(begin))
}

/// Whether a line has an address on this host or a host below it.
fn names_host(line: &str, host: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let named = rest.split(['/', ':', '"', '`', ' ', ')', '>']).next().unwrap_or_default();
        named == host || named.strip_suffix(host).is_some_and(|below| below.ends_with('.'))
    })
}

/// Whether a line has an absolute path that begins like this, and not just one that contains it.
fn names_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '}' | ')' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offences(path: &str, text: &str) -> usize {
        offences_in(path, text).len()
    }

    #[test]
    fn a_source_file_says_what_it_is_and_stays_short() {
        assert_eq!(offences("a.rs", "//! What it is.\n"), 0);
        assert_eq!(offences("a.rs", "use std::fs;\n"), 1);
        assert_eq!(offences("a.rs", &format!("//! Long.\n{}", "\n".repeat(MAX_LINES))), 1);
        assert_eq!(offences("a.md", &"\n".repeat(MAX_LINES * 2)), 0);
    }

    #[test]
    fn a_test_that_is_left_out_says_who_runs_it() {
        let left_out = |rest: &str| offences("a.rs", &format!("//! A.\n    #[ig{rest}\n"));
        assert_eq!(left_out("nore = \"on demand: it is slow\"]"), 0);
        assert_eq!(left_out("nore = \"kept by `cargo xtask vm`: it sets the clock\"]"), 0);
        assert_eq!(left_out("nore = \"it measures\"]"), 1);
        assert_eq!(left_out("nore]"), 1);
    }

    #[test]
    fn registries_and_machine_paths_are_found_where_they_are_meant() {
        let host = ["crates", "io"].join(".");
        assert_eq!(offences("a.md", &format!("from https://static.{host}/x")), 1);
        assert_eq!(offences("a.md", &format!("published on {host}, see https://not{host}/")), 0);
        let root = ["", "work", ""].join("/");
        assert_eq!(offences("a.md", &format!("cd {root}main")), 1);
        assert_eq!(offences("a.md", &format!("/usr{root}main and ./net{root}x")), 0);
    }
}
