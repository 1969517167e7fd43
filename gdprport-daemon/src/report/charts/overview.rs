//! The charts of all activities: drawn once, for the page and for the files beside it.

use super::super::words::Lang;
use super::alone::alone;
use super::chart::{Chart, ENCRYPTION, VIOLATIONS, VOLUME};
use super::{course, protection};
use gdprport_core::records::Records;

/// Every file that there may be.
pub(crate) const NAMES: [&str; 3] = [VOLUME, ENCRYPTION, VIOLATIONS];

/// The charts; `None`: there is nothing to show.
#[derive(Debug)]
pub(crate) struct Charts {
    /// Bytes by activity.
    pub(crate) volume: Option<Chart>,
    /// How much of each was encrypted.
    pub(crate) encryption: Option<Chart>,
    /// Violations by day.
    pub(crate) violations: Option<Chart>,
}

impl Charts {
    /// Of a record.
    pub(crate) fn of(records: &Records, lang: Lang) -> Self {
        Self {
            volume: course::volume(records, lang),
            encryption: protection::encryption(records, lang),
            violations: course::violations(records, lang),
        }
    }

    /// Their files, each with its text.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [&self.volume, &self.encryption, &self.violations];
        NAMES.into_iter().zip(all).filter_map(|(name, chart)| Some((name, alone(chart.as_ref()?))))
    }
}
