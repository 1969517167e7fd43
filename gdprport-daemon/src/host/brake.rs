//! The mark of the emergency brake: while it is there no daemon enforces anything, also after a restart.
//!
//! It stands beside the configuration, where only root writes.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Its name.
const NAME: &str = "enforcement.off";

/// Bytes of it that are read.
const READ: usize = 4_096;

/// The mark, there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brake(PathBuf);

/// That it was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pulled {
    /// Since when; `None`: that cannot be read.
    pub(crate) since: Option<Timestamp>,
    /// Why, as somebody wrote it; empty if nobody did.
    pub(crate) why: String,
}

impl fmt::Display for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("somebody has pulled the emergency brake")?;
        if let Some(since) = self.since {
            write!(f, " at {since:.0}")?;
        }
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        f.write_str("; `sudo gdprport enforce on` lets it go")
    }
}

impl Brake {
    /// The one of a daemon with this configuration.
    #[must_use]
    pub(crate) fn beside(configuration: &Path) -> Self {
        Self(configuration.with_file_name(NAME))
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is pulled. What cannot be looked at counts as pulled: nobody is to be locked out by a mistake.
    #[must_use]
    pub(crate) fn pulled(&self) -> Option<Pulled> {
        let found = match fs::symlink_metadata(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            found => found,
        };
        let since = found.as_ref().ok().and_then(|meta| Timestamp::try_from(meta.modified().ok()?).ok());
        let text = if found.is_ok_and(|meta| meta.is_file()) {
            fs::read(&self.0).unwrap_or_default()
        } else {
            Vec::new()
        };
        let why = String::from_utf8_lossy(text.get(..READ).unwrap_or(&text)).trim().to_owned();
        Some(Pulled { since, why })
    }

    /// Pulls it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn pull(&self, why: &str) -> io::Result<()> {
        fs::write(&self.0, format!("{why}\n"))
    }

    /// Lets it go. False: it was not pulled.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub(crate) fn let_go(&self) -> io::Result<bool> {
        match fs::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_pulled_until_it_is_let_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let brake = Brake::beside(&dir.path().join("gdprport.toml"));
        assert_eq!((brake.pulled(), brake.let_go().expect("nothing to do")), (None, false));
        brake.pull("nobody can log in").expect("it is written");
        brake.pull("the database is down").expect("twice");
        let pulled = brake.pulled().expect("it is pulled");
        assert_eq!((pulled.why.as_str(), pulled.since.is_some()), ("the database is down", true));
        assert!(brake.let_go().expect("it is removed"));
        assert_eq!(brake.pulled(), None);
    }

    #[test]
    fn what_cannot_be_read_counts_as_pulled() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(Brake::beside(&file.join("gdprport.toml")).pulled().is_some(), "below a file is nothing");
        fs::create_dir(dir.path().join(NAME)).expect("a directory");
        assert_eq!(Brake::beside(&file).pulled().map(|pulled| pulled.why), Some(String::new()));
    }
}
