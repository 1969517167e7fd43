//! The pages as other programs read them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use gdprport_tests::need;
use gdprport_tests::skip::installed;

use super::every_command;
use crate::page::Written;
use crate::{commands, everything, write};

fn pages() -> Vec<Written> {
    let mut written = everything().expect("everything is written");
    written.retain(|one| one.path.starts_with("man/"));
    written
}

fn in_a_folder(written: &[Written]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for one in written {
        write(&folder.path().join(&one.path), &one.text).expect("it is written");
    }
    folder
}

#[test]
fn every_command_has_a_page_with_every_section() {
    let pages = pages();
    for (name, command) in every_command() {
        let of = commands::name(&command);
        let path = format!("man/{}.{}", of.name, of.section);
        let page = pages.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("{name}: no {path}"));
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "FILES",
            "ENVIRONMENT",
            "EXAMPLES",
            "DOCUMENTATION",
            "\"SEE ALSO\"",
        ] {
            assert!(page.text.contains(&format!("\n.SH {section}\n")), "{path} has no {section}");
        }
    }
}

#[test]
fn the_synopsis_has_every_form_with_its_values() {
    let pages = pages();
    let synopsis = |path: &str| {
        let page = pages.iter().find(|page| page.path == path).expect("it is written");
        let (_, from) = page.text.split_once("\n.SH SYNOPSIS\n").expect("a synopsis");
        from.split_once("\n.SH ").expect("a description").0.replace("\\-", "-")
    };
    assert!(!synopsis("man/gdprport.1").contains("--socket]"), "{}", synopsis("man/gdprport.1"));
    let explain = synopsis("man/gdprport-policy-explain.1");
    for form in ["--port NAME|NUMBER", "--flow ID", "--row N"] {
        assert!(explain.contains(form), "{explain}");
    }
}

#[test]
fn pages_name_only_pages_that_are_there() {
    let pages = pages();
    let there: BTreeSet<&str> = pages.iter().filter_map(|page| page.path.strip_prefix("man/")).collect();
    for page in &pages {
        let (_, others) = page.text.split_once("\n.SH \"SEE ALSO\"\n").expect("it names others");
        let named: Vec<_> = others
            .trim()
            .split(", ")
            .map(|name| name.replace("\\fB", "").replace("\\fR(", ".").replace(')', "").replace("\\-", "-"))
            .collect();
        assert!(
            named.len() > 1 && named.iter().all(|name| there.contains(&**name)),
            "{}: {named:?}",
            page.path
        );
    }
}

#[test]
fn the_pages_are_the_same_each_time() {
    let twice = [pages(), pages()].map(|pages| pages.into_iter().map(|page| page.text).collect::<Vec<_>>());
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn man_shows_every_page_without_a_warning() {
    let man = need!(installed(&["/usr/bin/man"], "man-db"));
    need!(installed(&["/usr/bin/groff"], "groff-base"));
    let pages = pages();
    let folder = in_a_folder(&pages);
    for page in &pages {
        let mut command = Command::new(&man);
        command.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(folder.path().join(&page.path));
        let shown = command.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output().expect("man runs");
        let complaints = String::from_utf8_lossy(&shown.stderr);
        assert!(shown.status.success() && complaints.is_empty(), "{}: {complaints}", page.path);
        assert!(String::from_utf8_lossy(&shown.stdout).contains("SEE ALSO"), "{}", page.path);
    }
}

#[test]
fn mandoc_finds_no_mistake_in_any_page() {
    let mandoc = need!(installed(&["/usr/bin/mandoc"], "mandoc"));
    let pages = pages();
    let folder = in_a_folder(&pages);
    for page in &pages {
        let said = lint(&mandoc, &folder.path().join(&page.path));
        // A page without a date is the same on any day.
        let mistakes: Vec<_> =
            said.lines().filter(|line| !line.contains("STYLE") && !line.contains("missing date")).collect();
        assert!(mistakes.is_empty(), "{}: {mistakes:#?}", page.path);
    }
}

fn lint(mandoc: &Path, page: &Path) -> String {
    let output =
        Command::new(mandoc).args(["-T", "lint", "-W", "warning"]).arg(page).output().expect("mandoc runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
