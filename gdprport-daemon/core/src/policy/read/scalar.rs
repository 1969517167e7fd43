//! The single values of the policy file that have a grammar of their own: ports, protocols, users, ….
//!
//! Belongs here: one type, its JSON Schema and its reading each, with what would be right when it is not. The tables
//! that they stand in are `file`'s.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::catalog;
use crate::model::Direction;
use crate::written::Report;
use crate::written::quoted;
use crate::written::schema;
use crate::written::{Node, OneOrMany, Read, Text};

/// The only version of the format there is.
#[derive(Debug)]
pub(crate) struct FormatVersion;

schema!(FormatVersion, json_schema!({ "const": 1 }));

impl Read for FormatVersion {
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
pub(crate) struct PortRange {
    pub first: u16,
    pub last: u16,
}

schema!(
    PortRange,
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 65535 },
        { "type": "string", "pattern": "^[0-9]{1,5} *- *[0-9]{1,5}$" },
    ]})
);

impl Read for PortRange {
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
pub(crate) enum RawService {
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
pub(crate) struct CatalogProtocol(pub &'static catalog::Service);

schema!(
    CatalogProtocol,
    json_schema!({ "enum": catalog::SERVICES.iter().map(|service| service.id).collect::<Vec<_>>() })
);

impl Read for CatalogProtocol {
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
pub(crate) struct AccountText(pub Text);

schema!(
    AccountText,
    json_schema!({ "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "integer", "minimum": 0, "maximum": u32::MAX },
    ]})
);

impl Read for AccountText {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        match node.integer() {
            Some(number) => Some(Self(Text(number.to_string()))),
            None => Text::read(node, report).map(Self),
        }
    }
}
