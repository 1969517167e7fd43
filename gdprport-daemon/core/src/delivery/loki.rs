//! The keys of `type = "loki"`.

use schemars::JsonSchema;

use super::over_http::{HttpSettings, over_http};
use crate::written::{At, Loc, Named, Node, Read, Report, TableReader, Text, tables};

over_http! {
    /// Grafana Loki.
    "a sink of type loki" => struct RawLoki as "Loki" {
        url = "\"https://loki.example.org:3100\"",
        /// The tenant (`X-Scope-OrgID`).
        tenant: Text,
        /// Whether id, kind, port and process go along as structured metadata; Loki has it from 3.0 on.
        structured_metadata: bool,
    }
}

/// How Loki is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LokiSettings {
    /// Where it is.
    pub http: HttpSettings,
    /// The tenant, in ASCII.
    pub tenant: Option<String>,
    /// Whether id, kind, port and process go along as structured metadata.
    pub structured_metadata: bool,
}

impl LokiSettings {
    pub(super) fn of(mut raw: RawLoki, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        let http = raw.shared().check(table, report);
        if let Some(At { value, loc }) = &raw.tenant
            && !value.chars().all(|c| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c))
        {
            let help = "Loki takes letters, digits and `!-_.*'()`".to_owned();
            report.error(*loc, "this is no tenant", help);
            return None;
        }
        Some(Self {
            http: http?,
            tenant: raw.tenant.map(|at| at.value.0),
            structured_metadata: raw.structured_metadata.is_none_or(|at| at.value),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.http.place()
    }
}
