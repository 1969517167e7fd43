//! Skipping a case by name when what it needs is not there. The unit tests of the daemon use this too.
//!
//! Only a program that is not installed leads to a skip, or a part of the kernel that this machine lacks. Anything else
//! that a case needs and does not get is a failure.

use std::fmt;
use std::io::Write as _;

/// What a case needs and this host does not have: usually a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing and which package brings it.
    pub what: String,
}

impl Missing {
    /// What the machine itself lacks.
    #[must_use]
    pub fn of(what: &str) -> Self {
        Self { what: format!("{what} is missing") }
    }

    /// `program` was looked for and not found; `package` would bring it.
    #[must_use]
    pub fn program(program: &str, package: &str) -> Self {
        Self { what: format!("{program} is not installed (package {package})") }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Prints that `case` was skipped, and appends it to the file that `GDPRPORT_SKIPS` names.
///
/// # Panics
/// When that file cannot be written: an uncounted skip would look like a pass.
pub fn announce(case: &str, why: &Missing) {
    let line = format!("SKIPPED {case}: {why}\n");
    print!("{line}");
    if let Some(path) = std::env::var_os("GDPRPORT_SKIPS") {
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|e| panic!("cannot append to GDPRPORT_SKIPS={}: {e}", path.display()));
    }
}

/// Whether the kernel has Multipath TCP.
///
/// # Errors
/// If it has not.
pub fn mptcp() -> Result<(), Missing> {
    let there = std::fs::exists("/proc/sys/net/mptcp").unwrap_or(false);
    there.then_some(()).ok_or_else(|| Missing::of("MPTCP"))
}

/// The first of `candidates` that exists, or what is missing.
///
/// # Errors
/// [`Missing`] naming `package`, when none of them exists.
pub fn installed(candidates: &[&str], package: &str) -> Result<std::path::PathBuf, Missing> {
    candidates
        .iter()
        .map(std::path::PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| Missing::program(candidates.first().copied().unwrap_or(package), package))
}

/// Takes the value out of a `Result<_, Missing>`, or announces the enclosing test as skipped and returns.
#[macro_export]
macro_rules! need {
    ($found:expr) => {
        match $found {
            Ok(value) => value,
            Err(missing) => {
                fn here() {}
                let case = std::any::type_name_of_val(&here).trim_end_matches("::here");
                $crate::skip::announce(case, &missing);
                return;
            }
        }
    };
}
