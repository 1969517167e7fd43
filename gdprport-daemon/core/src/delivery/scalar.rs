//! The single values of `[[sink]]` and `[deliver]` that have a grammar of their own, and those that transports share: sizes,
//! times.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::encode::Encoding;
use crate::written::{Node, Read, Report, Text, quoted, schema};

/// Characters that the name of a sink may have.
const NAME_MAX: usize = 40;

/// The name of a sink: `[a-z0-9-]`, so that it can name a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SinkName(pub Arc<str>);

schema!(SinkName, json_schema!({ "type": "string", "pattern": "^[a-z0-9-]{1,40}$" }));

impl SinkName {
    pub(super) fn of(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ((1..=NAME_MAX).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.into()))
    }
}

impl Read for SinkName {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let name = Self::of(&text);
        if name.is_none() {
            let help = format!("write 1 to {NAME_MAX} of the characters a-z, 0-9 and `-`");
            report.error(node.loc, format!("{} is no name of a sink", quoted(&text)), help);
        }
        name
    }
}

schema!(Encoding, json_schema!({ "enum": Encoding::ALL.iter().map(|e| e.as_str()).collect::<Vec<_>>() }));

impl Read for Encoding {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let names: Vec<_> = Self::ALL.iter().map(|encoding| (encoding.as_str(), *encoding)).collect();
        one_of(node, "encoding", &names, report)
    }
}

/// One of some names.
pub(super) fn one_of<T: Copy>(
    node: Node<'_>,
    what: &str,
    known: &[(&'static str, T)],
    report: &mut Report<'_>,
) -> Option<T> {
    let text = Text::read(node, report)?;
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == &*text) {
        return Some(*value);
    }
    let help = report.did_you_mean(&text, known.iter().map(|(name, _)| *name)).unwrap_or_else(|| {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("write {}", names.join(", "))
    });
    report.error(node.loc, format!("there is no {what} {}", quoted(&text)), help);
    None
}

/// A number of bytes, written as "256MiB".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub u64);

schema!(Size, json_schema!({ "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$" }));

impl Read for Size {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let factor: Option<u64> = match unit.trim() {
            "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        let bytes = factor.zip(number.parse::<u64>().ok()).and_then(|(factor, n)| n.checked_mul(factor));
        if bytes.is_none() {
            let help = "write it as \"512KiB\" or \"1MiB\"".to_owned();
            report.error(node.loc, format!("{} is no size", quoted(&text)), help);
        }
        bytes.map(Self)
    }
}

/// A length of time, written as "30s".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period(pub Duration);

schema!(Period, json_schema!({ "type": "string", "minLength": 2 }));

impl Read for Period {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let period = humantime::parse_duration(&text).ok();
        if period.is_none() {
            let help = "write it as \"500ms\", \"30s\" or \"5m\"".to_owned();
            report.error(node.loc, format!("{} is no length of time", quoted(&text)), help);
        }
        period.map(Self)
    }
}

/// An address of this host and a port, as "127.0.0.1:9470".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loopback(pub SocketAddr);

schema!(Loopback, json_schema!({ "type": "string" }));

impl Read for Loopback {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let help = "write an address of the host itself and a port, as \"127.0.0.1:9470\" or \"[::1]:9470\"";
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() && address.port() > 0 => return Some(Self(address)),
            Ok(address) => {
                let why = if address.port() == 0 { "names no port" } else { "can be reached by others" };
                report.error(node.loc, format!("{} {why}", quoted(&text)), help.to_owned());
            }
            Err(_) => {
                let only = if text.parse::<IpAddr>().is_ok() { "names no port" } else { "is no address" };
                report.error(node.loc, format!("{} {only}", quoted(&text)), help.to_owned());
            }
        }
        None
    }
}

/// A whole number within bounds.
pub(super) fn number_within(
    node: Node<'_>,
    bounds: std::ops::RangeInclusive<u32>,
    report: &mut Report<'_>,
) -> Option<u32> {
    let number = node.integer().and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| bounds.contains(number));
    if number.is_none() {
        match node.value {
            DeValue::Integer(written) => {
                let message = format!("{} is out of range", quoted(written.as_str()));
                let help = format!("write a number from {} to {}", bounds.start(), bounds.end());
                report.error(node.loc, message, help);
            }
            _ => node.refuse("a number", report),
        }
    }
    number
}
