//! The product as the bench runs it: its command line, its policies, and removing what it leaves.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::context::Context;
use super::instrument::Instrument;

/// What the daemon has beside its policy. The ledger it has by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// As the package starts it, on a host with a receiver: its hooks are pinned, and there is a spool.
    Packaged,
    /// Neither: where what is measured is not about them.
    Bare,
}

/// The command line of the daemon with this policy.
pub(crate) fn gdprport(
    context: &Context,
    policy: &[PathBuf],
    output: &Path,
    setup: Setup,
) -> Result<Vec<String>> {
    let text = match setup {
        Setup::Packaged => {
            let spool = context.dir.join("spool");
            // Each round begins with an empty one.
            let _ = fs::remove_dir_all(&spool);
            format!("[spool]\nenabled = true\npath = \"{}\"\n", spool.display())
        }
        Setup::Bare => String::new(),
    };
    let config = context.write("gdprport.toml", &text)?;
    let path = |path: &Path| path.display().to_string();
    let mut argv = vec![path(&context.gdprport), "daemon".into(), "run".into()];
    for file in policy {
        argv.extend(["--policy".into(), path(file)]);
    }
    argv.extend(["--config".into(), path(&config), "--events".into(), path(output)]);
    argv.extend(["--socket".into(), path(&context.dir.join("control.sock"))]);
    // As in the product, and never the host's own.
    argv.extend(["--ledger".into(), path(&context.dir.join("ledger.db"))]);
    if setup == Setup::Packaged {
        argv.extend(["--pin".into(), path(&context.pins)]);
    }
    Ok(argv)
}

/// Removes the hooks that a stopped daemon has left for the next one.
pub(crate) fn unpin(instrument: &mut Instrument, gdprport: &Path, pins: &Path) -> Result<()> {
    let (program, pins) = (gdprport.display().to_string(), pins.display().to_string());
    let done = instrument.run(&[&program, "daemon", "unpin", "--pin", &pins], false, false)?;
    if !done.success {
        bail!("hooks stay pinned: {}", done.stderr.trim());
    }
    Ok(())
}

/// Declares ports on which everything is allowed, and of which every event is sent.
pub(crate) fn policy(ports: impl IntoIterator<Item = u16>) -> String {
    declared(ports, "emit = \"every\"\n")
}

/// The same with this line about what is sent, or none.
pub(crate) fn declared(ports: impl IntoIterator<Item = u16>, emit: &str) -> String {
    let mut text = "version = 1\n".to_owned();
    for port in ports {
        let _ = write!(
            text,
            "\n[[port]]\nname = \"bench-{port}\"\nport = {port}\n{emit}\
             \n[[port.allow]]\nrole = \"serving\"\ndirection = \"in\"\npeers = [\"any\"]\n\
             \n[[port.allow]]\nrole = \"calling\"\ndirection = \"out\"\npeers = [\"any\"]\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The watched port of the tests.
    const WATCHED: u16 = 47_001;

    #[test]
    fn the_judged_subject_says_nothing_of_what_is_sent() {
        let (default, every) = (declared([WATCHED], ""), policy([WATCHED]));
        assert!(!default.contains("emit"), "{default}");
        assert_eq!(every.replace("emit = \"every\"\n", ""), default);
    }
}
