//! Whether and where a ledger is kept, and how much of it.

use std::path::{Path, PathBuf};

use gdprport_core::sensor::Ledger;

use crate::ledger::Settings;

/// What `[ledger]` says, with what it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerConfig {
    enabled: bool,
    path: PathBuf,
    keep_days: u32,
    max_bytes: u64,
    peers: u32,
}

impl LedgerConfig {
    pub(super) fn of(written: Ledger) -> Self {
        let usual = Settings::new(Settings::PATH);
        Self {
            enabled: written.enabled.unwrap_or(true),
            path: written.path.unwrap_or(usual.path),
            keep_days: written.keep_days.unwrap_or(usual.keep_days),
            max_bytes: written.max_bytes.unwrap_or(usual.max_bytes),
            peers: written.peers.unwrap_or(usual.peers),
        }
    }

    /// Where it is, whether one is kept now or was before.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the daemon keeps one.
    #[must_use]
    pub(crate) const fn is_kept(&self) -> bool {
        self.enabled
    }

    /// What the ledger is opened with; `None`: there is none. A path of the command line wins, and asks for one.
    #[must_use]
    pub(crate) fn settings(&self, given: Option<&Path>) -> Option<Settings> {
        (self.enabled || given.is_some()).then(|| Settings {
            keep_days: self.keep_days,
            max_bytes: self.max_bytes,
            peers: self.peers,
            ..Settings::new(given.unwrap_or(&self.path))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_the_ledger_is_what_it_is_opened_with() {
        let usual = LedgerConfig::of(Ledger::default());
        assert_eq!(usual.settings(None), Some(Settings::new(Settings::PATH)));
        let written = Ledger {
            enabled: None,
            path: Some("/data/x.db".into()),
            keep_days: Some(30),
            max_bytes: Some(2 << 30),
            peers: Some(50),
        };
        let settings = LedgerConfig::of(written).settings(None).expect("enabled");
        assert_eq!(settings.path, Path::new("/data/x.db"));
        assert_eq!((settings.keep_days, settings.max_bytes, settings.peers), (30, 2 << 30, 50));
    }

    #[test]
    fn a_path_of_the_command_line_wins_over_the_file() {
        let off = LedgerConfig::of(Ledger { enabled: Some(false), ..Ledger::default() });
        assert_eq!(off.settings(None), None);
        assert_eq!(off.settings(Some(Path::new("/x"))), Some(Settings::new("/x")));
    }
}
