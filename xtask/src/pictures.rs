//! `pictures`: the pictures of README.md, drawn again by the program's own code. Tests hold that they are as it draws them.

use anyhow::Result;

use crate::sh;
use crate::step::step;

/// Draws them.
///
/// # Errors
/// The daemon does not build, or what it draws breaks a promise of a picture.
pub(crate) fn run() -> Result<()> {
    step("docs/pictures", || {
        let mut cargo = sh::cargo();
        cargo.args(["test", "--quiet", "--package", "gdprport-daemon", "--lib", "picture"]);
        sh::loud(cargo.env("GDPRPORT_BLESS", "1"))?;
        Ok(((), "drawn".into()))
    })
}
