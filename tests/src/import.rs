//! What tools that import a record make of one: the libraries of PyPI, without a network.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::receivers::provided;
use crate::skip::Missing;
use crate::temp::TempDir;

/// Reads `record.fides.yml`, `record.jsonld` and `record.csv` of a directory, and compares the keys of Fideslang's default taxonomy
/// with those of a file. What came out of it is in the answer; see `import.py`.
///
/// # Errors
/// [`Missing`] when the libraries are not installed.
///
/// # Panics
/// When one of them refuses a file.
pub fn import(dir: &Path, taxonomy: &Path) -> Result<Value, Missing> {
    let python = provided("venv/bin/python")?;
    let has = Command::new(&python).args(["-c", "import fideslang, pyld, rdflib"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return Err(Missing::of(
            "fideslang, PyLD and rdflib (`cargo xtask setup --test-servers` brings them)",
        ));
    }
    let own = TempDir::new();
    let script = own.write("import.py", include_str!("import.py"));
    let output = Command::new(python).arg(script).args([dir, taxonomy]).output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).expect("JSON"))
}
