//! The keys of `type = "elastic"`: Elasticsearch, and OpenSearch, which takes the same.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::over_http::{HttpSettings, over_http};
use crate::written::{At, Loc, Named, Node, Read, Report, TableReader, Text, quoted, schema, tables};

over_http! {
    /// Elasticsearch or OpenSearch.
    "a sink of type elastic" => struct RawElastic as "Elastic" {
        url = "\"https://elastic.example.org:9200\"",
        /// The data stream.
        data_stream: DataStream,
    }
}

/// The name of a data stream: `TYPE-DATASET-NAMESPACE` by custom. What Elasticsearch allows of an index's name, without what
/// would be another path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataStream(pub String);

schema!(DataStream, schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,99}$" }));

impl DataStream {
    fn is_name(text: &str) -> bool {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        (1..=100).contains(&text.len())
            && text.chars().all(inner)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
    }
}

impl Read for DataStream {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if Self::is_name(&text) {
            return Some(Self(text.0));
        }
        let help =
            "write lower-case letters, digits, `.`, `_` and `-`, such as \"logs-gdprport.events-default\""
                .to_owned();
        report.error(node.loc, format!("{} is no name of a data stream", quoted(&text)), help);
        None
    }
}

/// How a cluster is reached, and where events go in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticSettings {
    /// Where it is.
    pub http: HttpSettings,
    /// The data stream.
    pub data_stream: String,
}

/// Matches the built-in template of `logs-*-*`, unless a better one is installed.
const DATA_STREAM: &str = "logs-gdprport.events-default";

impl ElasticSettings {
    pub(super) fn of(mut raw: RawElastic, table: Loc, report: &mut Report<'_>) -> Option<Self> {
        let http = raw.shared().check(table, report)?;
        let data_stream = raw.data_stream.map_or_else(|| DATA_STREAM.to_owned(), |at| at.value.0);
        Some(Self { http, data_stream })
    }

    /// Where it is, with the data stream: another one is another receiver.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} {}", self.http.place(), self.data_stream)
    }
}
