//! Programs that only PyPI has, in virtual environments of their own under `target/`: what the tests talk to, and what links
//! the packaged binary.
//!
//! Versions are pinned: what a test was written against is what it runs against.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::sh;
use crate::step::note;

/// A virtual environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Environment {
    folder: &'static str,
    packages: &'static [&'static str],
}

/// What the end-to-end tests talk to.
pub(super) const TESTS: Environment = Environment { folder: "venv", packages: TESTED };

/// What links the packaged binary.
pub(crate) const LINKING: Environment = Environment {
    folder: "packaging/venv",
    packages: &[
        // A linker that knows the symbols of every version of glibc.
        "ziglang==0.17.1",
        // Makes cargo use it.
        "cargo-zigbuild==0.24.1",
    ],
};

const TESTED: &[&str] = &[
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

impl Environment {
    /// Where it is: `bin/` of it has the interpreter and the programs.
    pub(crate) fn folder(self) -> PathBuf {
        sh::target_dir().join(self.folder)
    }

    /// The pinned version of one of its packages.
    pub(crate) fn version(self, package: &str) -> Option<&'static str> {
        self.packages.iter().find_map(|pinned| pinned.strip_prefix(package)?.strip_prefix("=="))
    }

    /// Makes the environment, installs what is missing in it, and returns a summary.
    ///
    /// # Errors
    /// No Python, or no network.
    pub(crate) fn provide(self) -> Result<String> {
        let folder = self.folder();
        let python = folder.join("bin/python");
        if !python.exists() {
            // The distribution's own: another one in the PATH may vanish with the shell that it belongs to.
            let Some(system) = [PathBuf::from("/usr/bin/python3")].into_iter().find(|path| path.exists())
            else {
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
        let missing: Vec<&str> = self.missing(&listed).collect();
        if missing.is_empty() {
            return Ok(format!("all {} packages are in {}", self.packages.len(), folder.display()));
        }
        note(format_args!("pip install {}", missing.join(" ")));
        sh::quiet(pip().args(["install", "--quiet", "--only-binary", ":all:"]).args(&missing))
            .with_context(|| format!("{} could not be installed", missing.join(", ")))?;
        Ok(format!("installed {} in {}", missing.join(", "), folder.display()))
    }

    /// Those that a list of what is installed lacks, or has in another version.
    fn missing(self, listed: &str) -> impl Iterator<Item = &'static str> {
        let has = |package: &str| listed.lines().any(|line| line.trim().eq_ignore_ascii_case(package));
        self.packages.iter().copied().filter(move |package| !has(package))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_a_package_is_replaced() {
        assert_eq!(TESTS.missing("").count(), TESTED.len());
        assert_eq!(TESTS.missing(&TESTED.join("\n").to_uppercase()).count(), 0);
        let older = TESTED.iter().map(|package| format!("{package}0")).collect::<Vec<_>>().join("\n");
        assert_eq!(TESTS.missing(&older).count(), TESTED.len());
    }
}
