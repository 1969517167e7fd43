//! Values that are written as a text or as a table in one line: `emit`, `tls` and `volume`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::model::TlsVersion;
use crate::policy::declared::{Emit, TlsDemand};
use crate::policy::volume::Window;
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

    /// When flows are summed up: either `auto` or `summary`.
    "`emit`" => struct RawEmit as "Emit" {
        required {}
        optional {
            /// From so many events a minute on.
            auto: AMinute,
            /// Always, how often, such as "60s".
            summary: Text,
        }
        later {}
    }

    /// How much a rule may move in a window.
    "`volume`" => struct RawVolume as "Volume" {
        required {
            /// The window, by the clock in UTC; "7d" is a week and begins on Monday.
            per: Window = "\"1d\"",
            /// Bytes, both ways, such as "50GiB".
            max: VolumeBytes = "\"50GiB\"",
        }
        optional {}
        later {}
    }
}

/// A number of bytes, written as "50GiB"; from one to what the ledger can count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VolumeBytes(pub u64);

schema!(VolumeBytes, json_schema!({ "type": "string", "pattern": "^0*[1-9][0-9]* *(B|KiB|MiB|GiB|TiB)$" }));

impl Read for VolumeBytes {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        if !matches!(node.value, DeValue::String(_)) {
            node.refuse("a size in quotes with its unit, such as \"50GiB\"", report);
            return None;
        }
        let text = Text::read(node, report)?;
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let units = [("B", 1_u64), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
        let factor = units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
        let bytes = factor.zip(number.parse::<u64>().ok()).and_then(|(factor, n)| n.checked_mul(factor));
        let (message, help) = match bytes {
            Some(0) => (
                format!("{} is a volume of nothing, which would forbid what the rule allows", quoted(&text)),
                "write how much the rule may move, or remove the rule".to_owned(),
            ),
            Some(bytes) if i64::try_from(bytes).is_ok() => return Some(Self(bytes)),
            _ => (format!("{} is no size", quoted(&text)), meant(number, unit.trim())),
        };
        report.error(node.loc, message, help);
        None
    }
}

/// What may have been meant by a size that is none.
fn meant(number: &str, unit: &str) -> String {
    let letter = unit.chars().next().map(|letter| letter.to_ascii_uppercase());
    match letter.filter(|letter| "KMGT".contains(*letter)) {
        Some(letter) if (1..6).contains(&number.len()) && unit.len() <= 3 => {
            format!("units are binary ones: write it as \"{number}{letter}iB\"")
        }
        _ => "write it as \"512MiB\", \"50GiB\" or \"2TiB\"".to_owned(),
    }
}

impl Read for Window {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if let Some(window) = Self::ALL.into_iter().find(|window| window.as_str() == &*text) {
            return Some(window);
        }
        let names = Self::ALL.map(|window| format!("\"{window}\""));
        let help = format!("write one of {}; \"7d\" is a week and begins on Monday", names.join(", "));
        report.error(node.loc, format!("{} is no window that volume is counted in", quoted(&text)), help);
        None
    }
}

/// How many events a minute `auto` may allow: a hundred a second is no flood for anybody.
const AUTO_MAX: u32 = 6_000;

/// A number from 1 to 6,000.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AMinute(u32);

schema!(AMinute, json_schema!({ "type": "integer", "minimum": 1, "maximum": AUTO_MAX }));

impl Read for AMinute {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let most = node.integer().and_then(|most| u32::try_from(most).ok());
        if let Some(most) = most.filter(|most| (1..=AUTO_MAX).contains(most)) {
            return Some(Self(most));
        }
        node.refuse("how many events a minute, from 1 to 6000, such as 60", report);
        None
    }
}

schema!(
    Emit,
    json_schema!({ "anyOf": [
        { "enum": ["auto", "every", "violations"] },
        {
            "type": "object",
            "properties": { "auto": { "type": "integer", "minimum": 1, "maximum": AUTO_MAX } },
            "required": ["auto"],
            "additionalProperties": false,
        },
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
        const HELP: &str =
            "write \"auto\", { auto = 60 }, \"every\", \"violations\" or { summary = \"60s\" }";
        match node.value {
            DeValue::String(text) if text == "auto" => Some(Self::default()),
            DeValue::String(text) if text == "every" => Some(Self::Every),
            DeValue::String(text) if text == "violations" => Some(Self::Violations),
            DeValue::Table(_) => {
                let before = report.errors();
                match RawEmit::read(node, report).filter(|_| report.errors() == before)? {
                    RawEmit { auto: Some(auto), summary: None } => Some(Self::Auto { most: auto.value.0 }),
                    RawEmit { auto: None, summary: Some(summary) } => every(&summary, report),
                    RawEmit { auto: Some(auto), summary: Some(_) } => {
                        let help = "keep one of the two".to_owned();
                        report.error(auto.loc, "`auto` contradicts `summary`", help);
                        None
                    }
                    RawEmit { auto: None, summary: None } => {
                        report.missing(node.loc, "`emit` does not say what is sent", HELP.to_owned());
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

/// A fixed period.
fn every(summary: &At<Text>, report: &mut Report<'_>) -> Option<Emit> {
    let text = &summary.value.0;
    let every = humantime::parse_duration(text).ok();
    let bounds = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
    if let Some(every) = every.filter(|every| bounds.contains(every)) {
        return Some(Emit::Summary { every });
    }
    let message = format!("{} is no time from one second to one day", quoted(text));
    report.error(summary.loc, message, "write it as \"60s\", \"5m\" or \"1h\"".to_owned());
    None
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
