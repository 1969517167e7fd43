//! Values that are written as a text or as a table in one line: `emit` and `tls`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::model::TlsVersion;
use crate::policy::declared::{Emit, TlsDemand};
use crate::written::quoted;
use crate::written::{At, Report};
use crate::written::{Node, Read, TEXT_MAX, TableReader, Text};
use crate::written::{schema, tables};

tables! {
    /// What is demanded of the encryption: either `min`, or the other two.
    "`tls`" => struct RawTls as "Tls" {
        required {}
        optional {
            /// The least version.
            min: Text,
            /// `false`: TLS is not required.
            required: bool,
            /// Why not.
            why: Text,
        }
        later {}
    }

    /// One event for many flows.
    "`emit`" => struct RawSummary as "Summary" {
        required {
            /// How often, such as "60s".
            summary: Text = "\"60s\"",
        }
        optional {}
        later {}
    }
}

schema!(
    Emit,
    json_schema!({ "anyOf": [
        { "enum": ["every", "violations"] },
        {
            "type": "object",
            "properties": { "summary": { "type": "string", "minLength": 1 } },
            "required": ["summary"],
            "additionalProperties": false,
        },
    ]})
);

impl Read for Emit {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        const HELP: &str = "write \"every\", \"violations\" or { summary = \"60s\" }";
        match node.value {
            DeValue::String(text) if text == "every" => Some(Self::Every),
            DeValue::String(text) if text == "violations" => Some(Self::Violations),
            DeValue::Table(_) => {
                let summary = RawSummary::read(node, report)?.summary?;
                let every = humantime::parse_duration(&summary.value).ok();
                let bounds = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
                match every.filter(|every| bounds.contains(every)) {
                    Some(every) => Some(Self::Summary { every }),
                    None => {
                        let message =
                            format!("{} is no time from one second to one day", quoted(&summary.value));
                        report.error(
                            summary.loc,
                            message,
                            "write it as \"60s\", \"5m\" or \"1h\"".to_owned(),
                        );
                        None
                    }
                }
            }
            _ => {
                node.refuse(HELP.trim_start_matches("write "), report);
                None
            }
        }
    }
}

schema!(
    TlsDemand,
    json_schema!({ "anyOf": [
        {
            "type": "object",
            "properties": { "min": { "enum": ["1.2", "1.3"] } },
            "required": ["min"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": {
                "required": { "const": false },
                "why": { "type": "string", "minLength": 1, "maxLength": TEXT_MAX },
            },
            "required": ["required", "why"],
            "additionalProperties": false,
        },
    ]})
);

/// Never `None`: a port whose demand was refused is not warned that it has none as well.
impl Read for TlsDemand {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        const HELP: &str = "write { min = \"1.3\" }, { min = \"1.2\" } or { required = false, why = … }";
        let DeValue::Table(_) = node.value else {
            node.refuse(HELP.trim_start_matches("write "), report);
            return Some(Self::None);
        };
        let before = report.errors();
        let raw = RawTls::read(node, report).filter(|_| report.errors() == before);
        let Some(RawTls { min, required, why }) = raw else { return Some(Self::None) };
        match (min, required, why) {
            (Some(min), None, None) => match &*min.value.0 {
                "1.2" => return Some(Self::AtLeast(TlsVersion::Tls12)),
                "1.3" => return Some(Self::AtLeast(TlsVersion::Tls13)),
                other => {
                    let message = format!("{} is no version of TLS that can be demanded", quoted(other));
                    report.error(min.loc, message, "write \"1.2\" or \"1.3\"".to_owned());
                }
            },
            (None, Some(At { value: false, .. }), Some(why)) => {
                return Some(Self::NotRequired { why: why.value.0.into() });
            }
            (None, Some(At { value: false, loc }), None) => {
                let help = "add `why = \"…\"`".to_owned();
                report.missing(loc, "`tls` does not say why none is required", help);
            }
            (None, Some(At { value: true, loc }), _) => {
                report.missing(loc, "`tls` does not say which version is required", HELP.to_owned());
            }
            (Some(_), Some(At { value: false, loc }), _) => {
                report.error(loc, "`required = false` contradicts `min`", HELP.to_owned());
            }
            (Some(_), Some(At { value: true, loc }), _) => {
                let help = "remove it: `min` says so".to_owned();
                report.error(loc, "`required = true` adds nothing to `min`", help);
            }
            (_, None, Some(why)) => {
                report.error(why.loc, "`why` belongs to `required = false`", HELP.to_owned());
            }
            (None, None, None) => report.missing(node.loc, "`tls` demands nothing", HELP.to_owned()),
        }
        Some(Self::None)
    }
}
