//! The keys of `type = "otlp"`: a collector of OpenTelemetry, over HTTP with protobuf.

use schemars::JsonSchema;

use super::over_http::{HttpSettings, over_http};
use crate::written::{At, Loc, Named, Node, Read, Report, TableReader, Text, tables};

over_http! {
    /// A collector of OpenTelemetry.
    "a sink of type otlp" => struct RawOtlp as "Otlp" {
        url = "\"https://otel.example.org:4318\"",
    }
}

/// How a collector is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpSettings {
    /// Where it is.
    pub http: HttpSettings,
}

impl OtlpSettings {
    pub(super) fn of(mut raw: RawOtlp, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        raw.shared().check(table, report).map(|http| Self { http })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.http.place()
    }
}
