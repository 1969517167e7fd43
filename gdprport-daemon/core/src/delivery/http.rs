//! The keys of `type = "http"`: the shared ones and none besides.

use schemars::JsonSchema;

use super::over_http::{HttpSettings, over_http};
use crate::written::{At, Loc, Named, Node, Read, Report, TableReader, Text, tables};

over_http! {
    /// A receiver of events over HTTP.
    "a sink of type http" => struct RawHttp as "Http" {
        url = "\"https://logs.example.org/ingest\"",
    }
}

impl HttpSettings {
    pub(super) fn of(mut raw: RawHttp, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        raw.shared().check(table, report)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.url.shown().to_owned()
    }
}
