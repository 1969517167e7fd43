//! The single values of `[[exception]]`: what is accepted, on which port, until which day.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::audit::FindingId;
use crate::verdict::ReasonId;
use crate::written::Report;
use crate::written::quoted;
use crate::written::schema;
use crate::written::{Node, Read, TEXT_MAX, Text, last_moment};

/// What can be accepted. Some ids name a finding and a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acceptable {
    pub id: &'static str,
    /// The reason of violations that is called so.
    pub reason: Option<ReasonId>,
}

/// The ids of findings, and of reasons that are no findings.
fn ids() -> impl Iterator<Item = &'static str> {
    let findings = FindingId::ALL.map(FindingId::as_str);
    let reasons = ReasonId::ALL.map(ReasonId::as_str).into_iter();
    findings.into_iter().chain(reasons.filter(move |id| !findings.contains(id)))
}

schema!(Acceptable, json_schema!({ "enum": ids().collect::<Vec<_>>() }));

impl Read for Acceptable {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if let Some(id) = ids().find(|id| *id == &*text) {
            let reason = ReasonId::ALL.into_iter().find(|reason| reason.as_str() == id);
            return Some(Self { id, reason });
        }
        let help = report
            .did_you_mean(&text, ids())
            .unwrap_or_else(|| format!("there are {}", ids().collect::<Vec<_>>().join(", ")));
        let message = format!("{} is neither a finding nor a reason of violations", quoted(&text));
        report.error(node.loc, message, help);
        None
    }
}

/// A port by its name or its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PortRef {
    Name(Text),
    Number(u16),
}

schema!(
    PortRef,
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 65535 },
        { "type": "string", "minLength": 1, "maxLength": TEXT_MAX },
    ]})
);

impl Read for PortRef {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let DeValue::Integer(written) = node.value else { return Text::read(node, report).map(Self::Name) };
        let number = node.integer().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
        if number.is_none() {
            let help = "a port is a number from 1 to 65535".to_owned();
            report.error(node.loc, format!("{} is no port", quoted(written.as_str())), help);
        }
        number.map(Self::Number)
    }
}

/// A day in UTC, and its last moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastDay {
    pub day: Date,
    pub end: Timestamp,
}

schema!(LastDay, json_schema!({ "type": "string", "format": "date" }));

impl Read for LastDay {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let help =
            || "write a date without quotes and without a time, such as `until = 2027-01-31`".to_owned();
        let written = match node.value {
            DeValue::Datetime(written) if written.date.is_some() && written.time.is_none() => *written,
            _ => {
                report.error(node.loc, format!("expected a date, found {}", node.described()), help());
                return None;
            }
        };
        match last_moment(written) {
            Ok(end) => Some(Self { day: Offset::UTC.to_datetime(end).date(), end }),
            Err(why) => {
                report.error(node.loc, why, help());
                None
            }
        }
    }
}
