//! The manifests of `packaging/kubernetes`, as JSON.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::receivers::provided;
use crate::skip::Missing;

/// The folder of the manifests.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/kubernetes")
}

/// One of them, by the name of its file.
///
/// # Errors
/// [`Missing`] when there is no interpreter that reads YAML.
///
/// # Panics
/// When it is no YAML.
pub fn manifest(name: &str) -> Result<Value, Missing> {
    const SCRIPT: &str = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let python = provided("venv/bin/python")?;
    let output = Command::new(python)
        .args(["-I", "-c", SCRIPT])
        .arg(folder().join(name))
        .output()
        .expect("it can be run");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
}
