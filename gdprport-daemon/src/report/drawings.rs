//! What is drawn of a record: made once, for the page and for the files beside it.

use super::charts::Charts;
use super::map::View;
use super::words::Lang;
use gdprport_core::records::Records;

/// The drawings of a record.
#[derive(Debug)]
pub(crate) struct Drawings {
    /// The map; `None`: nothing is on it.
    pub(crate) view: Option<View>,
    /// The charts of all activities.
    pub(crate) charts: Charts,
}

impl Drawings {
    /// Of a record, in one language.
    pub(crate) fn of(records: &Records, lang: Lang) -> Self {
        Self { view: View::of(records, lang), charts: Charts::of(records, lang) }
    }

    /// Their files, each with its text: those of the map first.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.view.iter().flat_map(View::files).chain(self.charts.files())
    }
}
