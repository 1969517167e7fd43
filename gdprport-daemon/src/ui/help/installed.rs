//! Where the longer pages are: those that topics, findings, errors and manual pages name as `docs/PAGE.md`.

use std::path::Path;

/// Where a package puts them (`xtask/src/package/contents.rs`).
pub const DOCS: &str = "/usr/share/doc/gdprport/docs";

/// That place, if they are there: a program that was built from the source has them beside its source.
pub(in crate::ui) fn docs() -> Option<&'static str> {
    Path::new(DOCS).is_dir().then_some(DOCS)
}
