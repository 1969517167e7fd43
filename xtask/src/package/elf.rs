//! What a binary needs of the machine that it runs on, by its dynamic section, and a section more for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// The oldest C library that it runs with: Debian 11's. RHEL 9 has 2.34, Debian 12 2.36.
pub(super) const GLIBC: (u32, u32) = (2, 31);

/// The C library's own parts, which every distribution has in one package.
const C_LIBRARY: [&str; 7] =
    ["libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libutil.so", "ld-linux"];

/// What a binary needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    /// The newest version of the C library that one of its symbols has.
    pub(super) glibc: (u32, u32),
    /// Libraries that do not come with the C library.
    pub(super) others: Vec<String>,
}

impl Needs {
    /// Reads them.
    ///
    /// # Errors
    /// It is no program that is linked with glibc.
    pub(super) fn of(binary: &Path) -> Result<Self> {
        let mut readelf = Command::new("readelf");
        readelf.args(["--wide", "--dynamic", "--version-info"]).arg(binary).env("LC_ALL", "C");
        let Some(needs) = Self::from_readelf(&sh::quiet(&mut readelf)?) else {
            bail!("{} is not linked with glibc, whose names of users it needs", binary.display());
        };
        Ok(needs)
    }

    fn from_readelf(text: &str) -> Option<Self> {
        let versions =
            text.lines().filter_map(|line| line.split_once("Name: GLIBC_")).filter_map(|(_, rest)| {
                let mut numbers = rest.split_whitespace().next()?.split('.').map(str::parse);
                Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
            });
        let libraries = text.lines().filter(|line| line.contains("(NEEDED)")).filter_map(|line| {
            let (_, name) = line.split_once('[')?;
            name.split(']').next()
        });
        let is_other = |name: &&str| !C_LIBRARY.iter().any(|begin| name.starts_with(begin));
        let others: BTreeSet<String> = libraries.filter(is_other).map(str::to_owned).collect();
        Some(Self { glibc: versions.max()?, others: others.into_iter().collect() })
    }

    /// Whether it runs where it is promised to run.
    ///
    /// # Errors
    /// It needs a newer C library, or another library.
    pub(super) fn check(&self) -> Result<()> {
        let ((major, minor), (most, newest)) = (self.glibc, GLIBC);
        if self.glibc > GLIBC {
            bail!("the binary needs glibc {major}.{minor}, and is promised to run with {most}.{newest}");
        }
        if !self.others.is_empty() {
            bail!("the binary needs libraries that its packages do not ask for: {}", self.others.join(", "));
        }
        Ok(())
    }
}

/// Copies a binary with one section more, which is not loaded.
///
/// # Errors
/// `objcopy` fails, for example because it does not know the architecture.
pub(super) fn with_section(from: &Path, to: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let content = to.with_extension("section");
    fs::write(&content, bytes).with_context(|| format!("cannot write {}", content.display()))?;
    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--add-section={name}={}", content.display())).arg(from).arg(to);
    let done = sh::quiet(&mut objcopy).map(drop);
    fs::remove_file(&content).with_context(|| format!("cannot remove {}", content.display()))?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const READELF: &str = "\
Dynamic section at offset 0x1:
  Tag        Type                         Name/Value
 0x0000000000000001 (NEEDED)             Shared library: [libpthread.so.0]
 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
Version needs section '.gnu.version_r' contains 2 entries:
  0x0000: Version: 1  File: libc.so.6  Cnt: 2
  0x0010:   Name: GLIBC_2.9  Flags: none  Version: 3
  0x0020:   Name: GLIBC_2.30  Flags: none  Version: 2
  0x0040:   Name: GCC_4.2.0  Flags: none  Version: 4
";

    #[test]
    fn the_newest_version_is_by_number_and_not_by_letter() {
        let needs = Needs::from_readelf(READELF).expect("it is linked with glibc");
        assert_eq!(needs, Needs { glibc: (2, 30), others: vec!["libgcc_s.so.1".into()] });
        assert!(Needs::from_readelf("There is no dynamic section in this file.\n").is_none());
    }

    #[test]
    fn a_binary_for_a_newer_library_is_refused() {
        assert!(Needs { glibc: GLIBC, others: Vec::new() }.check().is_ok());
        let newer = Needs { glibc: (2, 34), others: Vec::new() }.check();
        assert!(newer.is_err_and(|error| error.to_string().contains("2.34")));
        assert!(Needs { glibc: (2, 2), others: vec!["libssl.so.3".into()] }.check().is_err());
    }
}
