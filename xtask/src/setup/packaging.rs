//! What makes packages: the linker for an old C library, from PyPI, and `rpmbuild`, from the distribution's packages. `dpkg-deb` is
//! on every Debian.

use anyhow::{Result, bail};

use super::{apt, python};
use crate::sh;
use crate::step::step;

/// Programs, and the package of Debian that brings each.
const PROGRAMS: [(&str, &str); 4] =
    [("dpkg-deb", "dpkg"), ("rpmbuild", "rpm"), ("objdump", "binutils"), ("objcopy", "binutils")];

/// What [`crate::package`] needs beyond that to try packages in roots of Debian's releases.
const ROOTS: [(&str, &str); 1] = [("mmdebstrap", "mmdebstrap")];

/// Installs what is missing.
///
/// # Errors
/// What is missing and the command that installs it.
pub(crate) fn provide() -> Result<()> {
    step("tools that make packages", || Ok(((), programs(&PROGRAMS)?)))?;
    step("zig, which links for an old C library, in a virtual environment", || {
        Ok(((), python::LINKING.provide()?))
    })
}

/// The same for what makes roots.
///
/// # Errors
/// As there.
pub(crate) fn provide_roots() -> Result<()> {
    step("mmdebstrap: roots of Debian's releases", || Ok(((), programs(&ROOTS)?)))
}

fn programs(wanted: &[(&str, &str)]) -> Result<String> {
    let missing = || -> Vec<&str> {
        let mut packages: Vec<&str> = wanted
            .iter()
            .filter(|(program, _)| sh::find(program).is_none())
            .map(|(_, package)| *package)
            .collect();
        packages.dedup();
        packages
    };
    let packages = missing();
    if packages.is_empty() {
        return Ok("here".into());
    }
    if !apt::exists() {
        bail!("{} comes from Debian's packages, and there is no apt-get here", packages.join(", "));
    }
    apt::install(&packages)?;
    Ok(format!("installed {}", packages.join(", ")))
}
