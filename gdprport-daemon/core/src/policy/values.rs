//! The single values of the policy file that have a grammar of their own: ports, protocols, modes, ….
//!
//! Belongs here: one type, its JSON Schema and its reading each, with what would be right when it is not. The tables
//! that they stand in are `raw`'s.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::problem::{At, Report, quoted};
use super::raw::{RawSummary, RawTls};
use super::read::{Node, OneOrMany, Read, TEXT_MAX, Text};
use super::{Emit, TlsDemand};
use crate::catalog;
use crate::model::{Direction, TlsVersion};

/// Implements `JsonSchema` for a type whose schema is written out.
macro_rules! schema {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

/// The only version of the format there is.
#[derive(Debug)]
pub(super) struct Version;

schema!(Version, json_schema!({ "const": 1 }));

impl Read for Version {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        if node.integer() == Some(1) {
            return Some(Self);
        }
        report.error(node.loc, "the version is not known", "this program reads `version = 1`".to_owned());
        None
    }
}

/// Port numbers from the first through the last; 1 ≤ first ≤ last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub first: u16,
    pub last: u16,
}

schema!(
    Numbers,
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 65535 },
        { "type": "string", "pattern": "^[0-9]{1,5} *- *[0-9]{1,5}$" },
    ]})
);

impl Read for Numbers {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        const NUMBER: &str = "a port is a number from 1 to 65535";
        let port = |number: i64| u16::try_from(number).ok().filter(|port| *port > 0);
        let (message, help) = match node.value {
            DeValue::Integer(written) => match node.integer().and_then(port) {
                Some(port) => return Some(Self { first: port, last: port }),
                None => (format!("{} is no port", quoted(written.as_str())), NUMBER.to_owned()),
            },
            DeValue::String(written) => match written.split_once('-') {
                None => (
                    format!("{} is no range of ports", quoted(written)),
                    "write one port without quotes and a range as \"5432-5439\"".to_owned(),
                ),
                Some((first, last)) => {
                    let end = |text: &str| text.trim().parse::<i64>().ok().and_then(port);
                    match (end(first), end(last)) {
                        (Some(first), Some(last)) if first <= last => return Some(Self { first, last }),
                        (Some(first), Some(last)) => (
                            format!("the range {} runs backwards", quoted(written)),
                            format!("write \"{last}-{first}\""),
                        ),
                        _ => (format!("{} is no range of ports", quoted(written)), NUMBER.to_owned()),
                    }
                }
            },
            _ => {
                node.refuse("a port number, a range such as \"5432-5439\", or a list of them", report);
                return None;
            }
        };
        report.error(node.loc, message, help);
        None
    }
}

/// Where the service runs.
#[derive(Debug)]
pub(super) enum RawService {
    Local,
    Remote(OneOrMany<Text>),
}

schema!(
    RawService,
    json_schema!({ "anyOf": [
        { "const": "local" },
        { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
    ]})
);

impl Read for RawService {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        match node.value {
            DeValue::String(text) if text == "local" => Some(Self::Local),
            DeValue::String(text) => {
                let help = format!(
                    "write \"local\" if it is served here, or a list of where it runs: [\"{}\"]",
                    text.escape_debug()
                );
                report.error(node.loc, format!("{} is no service", quoted(text)), help);
                None
            }
            _ => OneOrMany::read(node, report).map(Self::Remote),
        }
    }
}

/// A protocol of the catalog.
#[derive(Debug)]
pub(super) struct Protocol(pub &'static catalog::Service);

schema!(
    Protocol,
    json_schema!({ "enum": catalog::SERVICES.iter().map(|service| service.id).collect::<Vec<_>>() })
);

impl Read for Protocol {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if let Some(service) = catalog::by_id(&text) {
            return Some(Self(service));
        }
        let ids = || catalog::SERVICES.iter().map(|service| service.id);
        let help = report.did_you_mean(&text, ids()).unwrap_or_else(|| {
            format!("the catalog has {}; leave the key out for another", ids().collect::<Vec<_>>().join(", "))
        });
        report.error(node.loc, format!("the catalog has no protocol {}", quoted(&text)), help);
        None
    }
}

/// What is done about violations: nothing but to tell.
#[derive(Debug)]
pub(super) struct Mode;

schema!(Mode, json_schema!({ "const": "observe" }));

impl Read for Mode {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        match &*text {
            "observe" => return Some(Self),
            "enforce" => {
                let help = "violations are told, not prevented; write \"observe\" or remove the key";
                report.error(
                    node.loc,
                    "this version does not have `mode = \"enforce\"` yet",
                    help.to_owned(),
                );
            }
            _ => report.error(
                node.loc,
                format!("there is no mode {}", quoted(&text)),
                "write \"observe\"".to_owned(),
            ),
        }
        None
    }
}

impl Read for Direction {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        match &*text {
            "in" => Some(Self::In),
            "out" => Some(Self::Out),
            _ => {
                let help = "write \"in\" (accepted here) or \"out\" (connected from here)".to_owned();
                report.error(node.loc, format!("{} is no direction", quoted(&text)), help);
                None
            }
        }
    }
}

/// A user or group, by name pattern or by number.
#[derive(Debug)]
pub(super) struct Account(pub Text);

schema!(
    Account,
    json_schema!({ "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "integer", "minimum": 0, "maximum": u32::MAX },
    ]})
);

impl Read for Account {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        match node.integer() {
            Some(number) => Some(Self(Text(number.to_string()))),
            None => Text::read(node, report).map(Self),
        }
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

/// Never `None`: a port whose demand was refused is not told that it has none as well.
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
