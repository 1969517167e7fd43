//! Whether and where a ledger is kept, and how much of it, as it is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::ledger::Settings;

/// Days that can be kept: ten years.
const DAYS_MAX: u32 = 3_660;

/// Bytes that it may have: less holds no day of a busy host, and more than that is no ledger.
const SIZE: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;

/// Addresses that can be kept one by one.
const PEERS_MAX: u32 = 1_000_000;

/// The part `[ledger]` as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LedgerConfig {
    /// Whether there is one.
    enabled: bool,
    /// The database.
    #[serde(deserialize_with = "path")]
    path: PathBuf,
    /// Days that are kept.
    #[serde(deserialize_with = "days")]
    keep: u32,
    /// Bytes that the database may have.
    #[serde(deserialize_with = "size")]
    max_size: u64,
    /// Addresses kept one by one for a day, port, direction and identity.
    #[serde(deserialize_with = "peers")]
    peers: u32,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        let Settings { path, keep_days, max_bytes, peers, .. } = Settings::new(Settings::PATH);
        Self { enabled: true, path, keep: keep_days, max_size: max_bytes, peers }
    }
}

impl LedgerConfig {
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
            keep_days: self.keep,
            max_bytes: self.max_size,
            peers: self.peers,
            ..Settings::new(given.unwrap_or(&self.path))
        })
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.is_absolute() && path.file_name().is_some() {
        Ok(path)
    } else {
        Err(de::Error::custom(format!("{}: write the path of a file, from the root", path.display())))
    }
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    const DAY: u64 = 86_400;
    let seconds = humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format!("{error}: write it as \"400d\"")))
        .map(|duration: Duration| duration.as_secs())?;
    u32::try_from(seconds / DAY)
        .ok()
        .filter(|days| (1..=DAYS_MAX).contains(days) && seconds.is_multiple_of(DAY))
        .ok_or_else(|| de::Error::custom(format!("must be whole days, from 1d to {DAYS_MAX}d")))
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    super::size::size(deserializer, SIZE)
}

fn peers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let peers = u32::deserialize(deserializer)?;
    if (1..=PEERS_MAX).contains(&peers) {
        Ok(peers)
    } else {
        Err(de::Error::custom(format!("must be from 1 to {PEERS_MAX}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LedgerConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_of_the_ledger_is_taken() {
        let text = "path = \"/data/x.db\"\nkeep = \"30d\"\nmax_size = \"2GiB\"\npeers = 50\n";
        let settings = parse(text).expect("valid").settings(None).expect("enabled");
        assert_eq!(settings.path, Path::new("/data/x.db"));
        assert_eq!((settings.keep_days, settings.max_bytes, settings.peers), (30, 2 << 30, 50));
        assert_eq!(parse("").expect("valid").settings(None), Some(Settings::new(Settings::PATH)));
    }

    #[test]
    fn a_path_of_the_command_line_wins_over_the_file() {
        let off = parse("enabled = false\n").expect("valid");
        assert_eq!(off.settings(None), None);
        assert_eq!(off.settings(Some(Path::new("/x"))), Some(Settings::new("/x")));
    }

    #[test]
    fn mistakes_say_how_it_is_written() {
        for (text, part) in [
            ("path = \"ledger.db\"", "from the root"),
            ("keep = \"12h\"", "whole days"),
            ("keep = \"0d\"", "whole days"),
            ("keep = \"400\"", "write it as \"400d\""),
            ("max_size = \"256MB\"", "write it as \"256MiB\""),
            ("max_size = \"99999999999GiB\"", "from 1MiB"),
            ("max_size = \"12KiB\"", "from 1MiB"),
            ("peers = 0", "from 1 to"),
            ("limit = 1", "unknown field"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
