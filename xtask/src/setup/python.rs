//! Programs that the tests talk to and that only PyPI has, in a virtual environment of their own under `target/`.
//!
//! Versions are pinned: what a test was written against is what it runs against.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::sh;
use crate::step::note;

const PACKAGES: &[&str] = &[
    // Has a Kafka broker for tests inside (librdkafka's mock cluster).
    "confluent-kafka==2.16.1",
    // Checks Sigma rules, and reads them to evaluate them.
    "pySigma==1.5.1",
    "sigma-cli==3.1.0",
    // A collector of OpenTelemetry, in Rust.
    "rotel==0.0.1a15",
    // Models of a manifest of Fides, with the default taxonomy.
    "fideslang==3.1.4",
    // Reads and expands JSON-LD; the second one also reads it into graphs.
    "PyLD==3.3.0",
    "rdflib==7.6.0",
];

/// Where they are: `bin/` of it has the interpreter and the programs.
fn folder() -> PathBuf {
    sh::target_dir().join("venv")
}

/// Makes the environment, installs what is missing in it, and returns a summary.
///
/// # Errors
/// No Python, or no network.
pub(crate) fn provide() -> Result<String> {
    let folder = folder();
    let python = folder.join("bin/python");
    if !python.exists() {
        // The distribution's own: another one in the PATH may vanish with the shell that it belongs to.
        let Some(system) = [PathBuf::from("/usr/bin/python3")].into_iter().find(|path| path.exists()) else {
            bail!("there is no /usr/bin/python3: `apt-get install python3 python3-venv` brings it");
        };
        // An interrupted attempt may have left a part.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        sh::quiet(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    }
    let pip = || {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "--disable-pip-version-check"]);
        pip
    };
    let listed = sh::quiet(pip().args(["list", "--format", "freeze"]))?;
    let missing: Vec<&str> = missing(&listed).collect();
    if missing.is_empty() {
        return Ok(format!("all {} packages are in {}", PACKAGES.len(), folder.display()));
    }
    note(format_args!("pip install {}", missing.join(" ")));
    sh::quiet(pip().args(["install", "--quiet", "--only-binary", ":all:"]).args(&missing))
        .context("packages of the tests are missing")?;
    Ok(format!("installed {} in {}", missing.join(", "), folder.display()))
}

/// Those that a list of what is installed lacks, or has in another version.
fn missing(listed: &str) -> impl Iterator<Item = &'static str> {
    let has = |package: &str| listed.lines().any(|line| line.trim().eq_ignore_ascii_case(package));
    PACKAGES.iter().copied().filter(move |package| !has(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_a_package_is_replaced() {
        assert_eq!(missing("").count(), PACKAGES.len());
        assert_eq!(missing(&PACKAGES.join("\n").to_uppercase()).count(), 0);
        let older = PACKAGES.iter().map(|package| format!("{package}0")).collect::<Vec<_>>().join("\n");
        assert_eq!(missing(&older).count(), PACKAGES.len());
    }
}
