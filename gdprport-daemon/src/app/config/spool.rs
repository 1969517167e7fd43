//! Whether and where a spool is written.

use std::path::Path;

use gdprport_core::sensor::Spool;

use crate::sink::spool::SpoolSettings;

/// What `[spool]` says, with what it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpoolConfig {
    /// Whether there is one. Not given: if there is a `[[sink]]`, for that reads it.
    enabled: Option<bool>,
    settings: SpoolSettings,
}

impl SpoolConfig {
    pub(super) fn of(written: Spool) -> Self {
        let usual = SpoolSettings::new(SpoolSettings::DIR);
        let settings = SpoolSettings {
            dir: written.path.unwrap_or(usual.dir),
            max_bytes: written.max_bytes.unwrap_or(usual.max_bytes),
            keep: written.keep.unwrap_or(usual.keep),
            sync: written.sync.unwrap_or(usual.sync),
        };
        Self { enabled: written.enabled, settings }
    }

    /// What the spool is opened with; `None`: there is none. `read`: whether somebody reads it. A directory of the command line
    /// wins, and asks for one.
    #[must_use]
    pub(super) fn settings(&self, read: bool, given: Option<&Path>) -> Option<SpoolSettings> {
        let dir = given.unwrap_or(&self.settings.dir).to_owned();
        (self.enabled.unwrap_or(read) || given.is_some())
            .then(|| SpoolSettings { dir, ..self.settings.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gdprport_core::sensor::SpoolSync;

    use super::*;

    fn of(enabled: Option<bool>) -> SpoolConfig {
        SpoolConfig::of(Spool { enabled, ..Spool::default() })
    }

    #[test]
    fn what_is_written_of_the_spool_is_what_it_is_opened_with() {
        let written = Spool {
            enabled: None,
            path: Some("/data/spool".into()),
            max_bytes: Some(2 << 30),
            keep: Some(Duration::from_hours(12)),
            sync: Some(SpoolSync::Batch),
        };
        let expected = SpoolSettings {
            dir: "/data/spool".into(),
            max_bytes: 2 << 30,
            keep: Duration::from_hours(12),
            sync: SpoolSync::Batch,
        };
        assert_eq!(SpoolConfig::of(written).settings(true, None), Some(expected));
    }

    #[test]
    fn it_is_written_where_a_sink_reads_it_or_who_asks_wants_it() {
        let usual = Some(SpoolSettings::new(SpoolSettings::DIR));
        let none = of(None);
        assert_eq!((none.settings(false, None), none.settings(true, None)), (None, usual.clone()));
        let given = Some(SpoolSettings::new("/x"));
        assert_eq!(none.settings(false, Some(Path::new("/x"))), given);
        let (on, off) = (of(Some(true)), of(Some(false)));
        assert_eq!((on.settings(false, None), off.settings(true, None)), (usual, None));
        assert_eq!(off.settings(true, Some(Path::new("/x"))), given);
    }
}
