//! Single values that tables of several files have: one of some names, sizes, times, paths, numbers within bounds.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::message::quoted;
use super::node::{Node, Read, Text};
use super::report::Report;
use super::table::schema;

/// A path from the root: a service has no directory of its own that people would think of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AbsolutePath(pub PathBuf);

schema!(AbsolutePath, json_schema!({ "type": "string", "pattern": "^/" }));

impl Read for AbsolutePath {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if Path::new(&*text).is_absolute() {
            return Some(Self(PathBuf::from(text.0)));
        }
        let help = "write the path from the root, beginning with `/`".to_owned();
        report.error(node.loc, format!("{} is no path from the root", quoted(&text)), help);
        None
    }
}

/// One of some names.
pub(crate) fn one_of<T: Copy>(
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
pub(crate) struct Loopback(pub SocketAddr);

schema!(Loopback, json_schema!({ "type": "string" }));

impl Read for Loopback {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let help = "write an address of the host itself and a port, as \"127.0.0.1:PORT\" or \"[::1]:PORT\"";
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
pub(crate) fn number_within(
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
