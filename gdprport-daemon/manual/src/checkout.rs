//! Files of the checkout that this was built from.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A file of the checkout that this was built from.
pub(crate) fn of_checkout(path: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
}
