//! `docs/reliability.md` names a test for each of its promises: here it is held to that.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a file of tests may be, by the name that the page gives it.
fn file_of(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let places =
        [root.join("tests/tests"), root.join("gdprport-daemon/src"), root.join("gdprport-daemon/tests")];
    places.iter().map(|place| place.join(format!("{name}.rs"))).find(|file| file.exists())
}

#[test]
fn the_reliability_page_names_only_files_with_tests() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = fs::read_to_string(page).expect("the page is part of the checkout");
    let mut named = 0;
    for name in text.split('`').skip(1).step_by(2).filter(|code| code.contains("::") && !code.contains(' ')) {
        let (file, test) = name.rsplit_once("::").expect("it has the colons");
        if test == "name" {
            continue;
        }
        let path = file_of(file).unwrap_or_else(|| panic!("there is no file of tests {file}: {name}"));
        let source = fs::read_to_string(&path).expect("it exists");
        assert!(source.contains(&format!("fn {test}(")), "{} has no test {test}", path.display());
        named += 1;
    }
    assert!(named > 30, "the page names its tests: {named}");
}
