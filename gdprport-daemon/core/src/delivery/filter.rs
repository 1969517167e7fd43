//! Which events a sink wants.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::event::{Body, Event, Kind, Severity};
use crate::verdict::Verdict;
use crate::written::{At, Node, OneOrMany, Read, Report, TableReader, Text, one_of, quoted, schema, tables};

tables! {
    /// Which events a sink gets: those for which everything that is written here holds.
    "the filter" => struct RawFilter as "Filter" {
        required {}
        optional {
            /// Kinds of events, such as "violation"; "flow.*" are all that begin so.
            kinds: OneOrMany<Kinds>,
            /// Ports, by name or number. Events that are about no port are left out.
            ports: OneOrMany<PortName>,
            /// The least severity.
            severity: Severity,
            /// Verdicts. Events without one are left out.
            verdicts: OneOrMany<VerdictName>,
        }
        later {}
    }
}

/// Some of the kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u32);

const _: () = assert!(Kind::ALL.len() <= 32);

impl Kinds {
    const fn of(kind: Kind) -> Self {
        Self(1 << kind as u32)
    }

    fn union(kinds: impl IntoIterator<Item = Self>) -> Self {
        Self(kinds.into_iter().fold(0, |all, kinds| all | kinds.0))
    }
}

schema!(Kinds, json_schema!({ "type": "string" }));

impl Read for Kinds {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let begin = text.strip_suffix('*').filter(|begin| begin.ends_with('.'));
        let named = |kind: Kind| match begin {
            Some(begin) => kind.as_str().starts_with(begin),
            None => kind.as_str() == &*text,
        };
        let kinds = Self::union(Kind::ALL.iter().filter(|kind| named(**kind)).map(|kind| Self::of(*kind)));
        if kinds.0 != 0 {
            return Some(kinds);
        }
        let names = || Kind::ALL.iter().map(|kind| kind.as_str());
        let help = report
            .did_you_mean(&text, names())
            .unwrap_or_else(|| format!("kinds are {}", names().collect::<Vec<_>>().join(", ")));
        report.error(node.loc, format!("there is no kind of event {}", quoted(&text)), help);
        None
    }
}

/// A port, by the name of its declaration or of the catalog's entry, or by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortName {
    /// By name.
    Name(Arc<str>),
    /// By number.
    Number(u16),
}

schema!(
    PortName,
    json_schema!({ "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "integer", "minimum": 1, "maximum": 65535 },
    ]})
);

impl Read for PortName {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        match node.integer() {
            None => Text::read(node, report).map(|name| Self::Name(name.0.into())),
            Some(number) => {
                let port = u16::try_from(number).ok().filter(|port| *port > 0);
                if port.is_none() {
                    let help = "a port is a number from 1 to 65535".to_owned();
                    report.error(node.loc, format!("`{number}` is no port"), help);
                }
                port.map(Self::Number)
            }
        }
    }
}

impl Read for Severity {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let known =
            [Self::Info, Self::Low, Self::Medium, Self::High].map(|severity| (severity.as_str(), severity));
        one_of(node, "severity", &known, report)
    }
}

/// The outcome of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VerdictName {
    Declared = 1,
    Undecided = 2,
    Violation = 4,
}

schema!(VerdictName, json_schema!({ "enum": ["declared", "undecided", "violation"] }));

impl Read for VerdictName {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let known =
            [("declared", Self::Declared), ("undecided", Self::Undecided), ("violation", Self::Violation)];
        one_of(node, "verdict", &known, report)
    }
}

impl VerdictName {
    const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Declared { .. } => Self::Declared,
            Verdict::Undecided { .. } => Self::Undecided,
            Verdict::Violation { .. } => Self::Violation,
        }
    }
}

/// Which events a sink gets. The default takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    kinds: Option<Kinds>,
    ports: Option<Vec<PortName>>,
    severity: Option<Severity>,
    /// Bits of [`VerdictName`].
    verdicts: Option<u8>,
}

impl Filter {
    pub(super) fn of(raw: RawFilter) -> Self {
        let values = |many: OneOrMany<Kinds>| Kinds::union(many.0.into_iter().map(|at| at.value));
        Self {
            kinds: raw.kinds.map(|at| values(at.value)),
            ports: raw.ports.map(|at| at.value.0.into_iter().map(|at| at.value).collect()),
            severity: raw.severity.map(|at| at.value),
            verdicts: raw
                .verdicts
                .map(|at| at.value.0.iter().fold(0, |all, verdict| all | verdict.value as u8)),
        }
    }

    /// Whether the sink gets this event. It gets each checkpoint of the evidence log: kept elsewhere, they show whether the log was
    /// changed later.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        if matches!(event.body, Body::EvidenceCheckpoint(_)) {
            return true;
        }
        self.kinds.is_none_or(|kinds| kinds.0 & Kinds::of(event.body.kind()).0 != 0)
            && self.severity.is_none_or(|least| event.severity() >= least)
            && self.verdicts.is_none_or(|verdicts| {
                event.body.verdict().is_some_and(|verdict| verdicts & VerdictName::of(verdict) as u8 != 0)
            })
            && self.ports.as_ref().is_none_or(|ports| {
                event.body.port().is_some_and(|port| {
                    ports.iter().any(|wanted| match wanted {
                        PortName::Name(name) => **name == *port.name,
                        PortName::Number(number) => *number == port.number,
                    })
                })
            })
    }
}
