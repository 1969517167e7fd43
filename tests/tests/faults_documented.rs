//! `docs/reliability.md` names files and folders of tests for each of its promises: each of them exists and has tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The place of tests that a name in the page stands for: a file of `tests/tests`, or a folder of a crate.
fn place_of(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match name {
        _ if name.ends_with(".rs") => Some(root.join("tests/tests").join(name)),
        _ if name.starts_with("gdprport-") && name.ends_with('/') => Some(root.join(name)),
        _ => None,
    }
}

/// Whether a file, or any file below a folder, has a test.
fn has_test(place: &Path) -> bool {
    match fs::read_dir(place) {
        Ok(entries) => entries.flatten().any(|entry| has_test(&entry.path())),
        Err(_) => fs::read_to_string(place).is_ok_and(|text| text.contains("#[test]")),
    }
}

#[test]
fn the_reliability_page_names_only_files_with_tests() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = fs::read_to_string(page).expect("the page is part of the checkout");
    let places =
        |text: &str| -> Vec<PathBuf> { text.split('`').skip(1).step_by(2).filter_map(place_of).collect() };
    for place in places(&text) {
        assert!(has_test(&place), "{} does not exist or has no test", place.display());
    }
    let (mut promises, mut in_table) = (0, false);
    for line in text.lines() {
        let last_cell = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        in_table = line.starts_with('|') && (in_table || last_cell.trim() == "tests");
        if in_table && last_cell.contains('`') {
            promises += 1;
        } else {
            assert!(!in_table || ["tests", "---"].contains(&last_cell.trim()), "no tests are named: {line}");
        }
    }
    assert!(promises > 30, "the page names the tests of its promises: {promises}");
}
