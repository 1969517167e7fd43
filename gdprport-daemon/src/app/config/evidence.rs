//! Whether and where an evidence log is kept.

use std::path::Path;
use std::time::Duration;

use gdprport_core::delivery::SecretRef;
use gdprport_core::sensor::Evidence;

use crate::sink::evidence::EvidenceSettings;

/// What `[evidence]` says, with what it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct EvidenceConfig {
    /// Whether there is one; `None`: as whoever starts the daemon has it.
    enabled: Option<bool>,
    settings: EvidenceSettings,
}

impl EvidenceConfig {
    pub(super) fn of(written: Evidence) -> Self {
        let usual = EvidenceSettings::default();
        let day = Duration::from_hours(24);
        let settings = EvidenceSettings {
            dir: written.path.unwrap_or(usual.dir),
            key: written.key.unwrap_or(usual.key),
            keep: written.keep_days.map_or(usual.keep, |days| day * days),
            max_bytes: written.max_bytes.unwrap_or(usual.max_bytes),
        };
        Self { enabled: written.enabled, settings }
    }

    /// What the log is opened with; `None`: there is none. A directory of the command line wins, and asks for one. `usual`: whether
    /// one is kept where the configuration does not say.
    #[must_use]
    pub(crate) fn settings(&self, given: Option<&Path>, usual: bool) -> Option<EvidenceSettings> {
        (given.is_some() || self.enabled.unwrap_or(usual)).then(|| self.place(given))
    }

    /// The log of this host: whoever starts the daemon may keep one, which the configuration does not say, but its directory does.
    #[must_use]
    pub(crate) fn of_host(&self) -> Option<EvidenceSettings> {
        self.settings(None, self.settings.dir.exists())
    }

    /// Where a log is, whether or not one is kept now. The key of a directory of the command line is beside it.
    #[must_use]
    pub(crate) fn place(&self, given: Option<&Path>) -> EvidenceSettings {
        match given {
            Some(dir) => EvidenceSettings {
                dir: dir.to_owned(),
                key: SecretRef::File(dir.with_extension("key")),
                ..self.settings.clone()
            },
            None => self.settings.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_the_log_is_what_it_is_opened_with() {
        assert_eq!(EvidenceConfig::of(Evidence::default()).settings(None, false), None);
        let on = Evidence { enabled: Some(true), ..Evidence::default() };
        assert_eq!(EvidenceConfig::of(on).settings(None, false), Some(EvidenceSettings::default()));
        let written = Evidence {
            enabled: Some(true),
            path: Some("/data/log".into()),
            key: Some(SecretRef::Credential("log-key".into())),
            keep_days: Some(90),
            max_bytes: Some(1 << 32),
        };
        let settings = EvidenceConfig::of(written).settings(None, false).expect("enabled");
        assert_eq!(
            (settings.dir.as_path(), settings.key),
            (Path::new("/data/log"), SecretRef::Credential("log-key".into()))
        );
        assert_eq!((settings.keep, settings.max_bytes), (Duration::from_hours(90 * 24), 1 << 32));
    }

    #[test]
    fn the_service_keeps_one_unless_the_configuration_says_no() {
        let said = |enabled| EvidenceConfig::of(Evidence { enabled, ..Evidence::default() });
        assert_eq!(said(None).settings(None, true), Some(EvidenceSettings::default()));
        assert_eq!(said(Some(false)).settings(None, true), None);
    }

    #[test]
    fn a_directory_of_the_command_line_has_its_key_beside_it() {
        let off = EvidenceConfig::of(Evidence::default());
        let settings = off.settings(Some(Path::new("/x/log")), false).expect("asked for");
        assert_eq!(settings.key, SecretRef::File("/x/log.key".into()));
    }
}
