//! What the fuzzer starts from and what it has found, for the property tests of every layer.

#![expect(clippy::disallowed_methods, reason = "tests read files of the checkout")]

use std::fs;
use std::path::Path;

/// Asserts that `holds` for every input of the corpus of a target.
pub fn seeds(target: &str, holds: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seen = 0;
    for seed in fs::read_dir(&folder).expect("a folder of the fuzzer").flatten() {
        holds(&fs::read(seed.path()).expect("a seed"));
        seen += 1;
    }
    assert!(seen > 0, "no seed in {}", folder.display());
}
