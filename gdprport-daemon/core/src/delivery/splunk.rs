//! The keys of `type = "splunk"`: an HTTP Event Collector.

use std::time::Duration;

use schemars::JsonSchema;

use super::over_http::{Auth, HttpSettings, over_http, within};
use crate::written::{At, Loc, Named, Node, Period, Read, Report, TableReader, Text, tables};

over_http! {
    /// Splunk's HTTP Event Collector.
    "a sink of type splunk" => struct RawSplunk as "Splunk" {
        url = "\"https://splunk.example.org:8088\"",
        /// The index; without it the one of the token.
        index: Text,
        /// The source type.
        sourcetype: Text,
        /// The source.
        source: Text,
        /// Whether Splunk is asked until it has indexed the events. The token must have acknowledgement switched on.
        ack: bool,
        /// How long it may take to index them, before they are sent again.
        ack_timeout: Period,
    }
}

/// How a collector is reached, and what events are filed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplunkSettings {
    /// Where it is.
    pub http: HttpSettings,
    /// The index; without it the one of the token.
    pub index: Option<String>,
    /// The source type.
    pub sourcetype: String,
    /// The source.
    pub source: String,
    /// Whether Splunk is asked until it has indexed the events.
    pub ack: bool,
    /// How long that may take.
    pub ack_timeout: Duration,
}

/// Indexers write what they have at the latest every 30 s or so; queues come before that.
const ACK_TIMEOUT: Duration = Duration::from_secs(120);

impl SplunkSettings {
    pub(super) fn of(mut raw: RawSplunk, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        let http = raw.shared().check(table, report);
        let ack = raw.ack.is_some_and(|at| at.value);
        if let Some(At { loc, .. }) = raw.ack_timeout.filter(|_| !ack) {
            report.error(loc, "`ack_timeout` has no effect without `ack = true`", None);
        }
        let ack_timeout = within(raw.ack_timeout, ACK_TIMEOUT, report);
        let http = http?;
        if !matches!(http.auth, Auth::Token(_)) {
            report.missing(
                table,
                "a sink of type splunk has no `token`",
                "add `token = \"file:/…\"`".to_owned(),
            );
            return None;
        }
        let text = |written: Option<At<Text>>, unless: &str| {
            written.map_or_else(|| unless.to_owned(), |at| at.value.0)
        };
        Some(Self {
            http,
            index: raw.index.map(|at| at.value.0),
            sourcetype: text(raw.sourcetype, "gdprport:event"),
            source: text(raw.source, "gdprport"),
            ack,
            ack_timeout,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.http.place()
    }
}
