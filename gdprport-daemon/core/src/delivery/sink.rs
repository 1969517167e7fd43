//! One `[[sink]]`: the keys that all types have.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;

use super::filter::{Filter, RawFilter};
use super::scalar::SinkName;
use super::target::{Target, TransportKind};
use crate::encode::Encoding;
use crate::written::{At, Loc, Node, Period, Read, Report, Size, TableReader, number_within, one_of, tables};

/// Events that a batch may have at most, whatever is configured: each is held as its type and as its record.
const BATCH_EVENTS: std::ops::RangeInclusive<u32> = 1..=5_000;

/// How long an event may wait for others.
const BATCH_WAIT_MAX: Duration = Duration::from_secs(60);

/// Bytes that a batch may have.
const BATCH_BYTES: std::ops::RangeInclusive<u64> = 1 << 10..=16 << 20;

tables! {
    /// How much is sent at once.
    "`batch`" => struct RawBatch as "Batch" {
        required {}
        optional {
            /// Events, from 1 to 5000.
            events: BatchEvents,
            /// Bytes of all records, from "1KiB" to "16MiB". An event that is larger goes alone.
            bytes: Size,
            /// How long an event waits for others to come along, from "0s" to "1m".
            wait: Period,
        }
        later {}
    }
}

#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(inline)]
pub(super) struct BatchEvents(#[schemars(range(min = 1, max = 5000))] u32);

impl Read for BatchEvents {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        number_within(node, BATCH_EVENTS, report).map(Self)
    }
}

/// Where a sink begins that has no cursor yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event of the spool.
    #[default]
    Oldest,
    /// With what comes from now on.
    Now,
}

impl Start {
    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Now => "now",
        }
    }
}

impl Read for Start {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        one_of(node, "start", &[("oldest", Self::Oldest), ("now", Self::Now)], report)
    }
}

/// How much is sent at once; what is not given is the transport's to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchBounds {
    /// Events.
    pub events: Option<NonZeroUsize>,
    /// Bytes of all records.
    pub bytes: Option<NonZeroUsize>,
    /// How long an event waits for others to come along.
    pub wait: Option<Duration>,
}

impl BatchBounds {
    fn of(raw: &RawBatch, report: &mut Report<'_>) -> Self {
        let bytes = raw.bytes.and_then(|bytes| {
            let within = BATCH_BYTES.contains(&bytes.value.0);
            if !within {
                let help = "write a size from \"1KiB\" to \"16MiB\"".to_owned();
                report.error(bytes.loc, "the size is out of range", help);
            }
            within.then(|| usize::try_from(bytes.value.0).ok().and_then(NonZeroUsize::new)).flatten()
        });
        let events = raw.events.and_then(|events| NonZeroUsize::new(events.value.0 as usize));
        let wait = raw.wait.and_then(|wait| {
            let within = wait.value.0 <= BATCH_WAIT_MAX;
            if !within {
                report.error(wait.loc, "the time is out of range", "write at most \"1m\"".to_owned());
            }
            within.then_some(wait.value.0)
        });
        Self { events, bytes, wait }
    }
}

/// A way to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name, unique: `[a-z0-9-]{1,40}`.
    pub name: Arc<str>,
    /// The receiver.
    pub target: Target,
    /// In which language it gets events.
    pub encoding: Encoding,
    /// Where it begins when it is new.
    pub start: Start,
    /// Which events it gets.
    pub filter: Filter,
    /// How much is sent at once.
    pub batch: BatchBounds,
}

impl Sink {
    /// Reads one; also its name, as far as that could be read, with its place.
    pub(super) fn read(node: Node<'_>, report: &mut Report<'_>) -> (Option<At<SinkName>>, Option<Self>) {
        let before = report.errors();
        let Some(mut fields) = TableReader::open(node, "a sink", report) else { return (None, None) };
        let name: Option<At<SinkName>> = fields.required("name", "\"siem\"");
        let kind: Option<At<TransportKind>> = fields.required("type", "\"syslog\"");
        let encoding: Option<At<Encoding>> = fields.optional("encoding");
        let start: Option<At<Start>> = fields.optional("start");
        let filter: Option<At<RawFilter>> = fields.optional("filter");
        let batch: Option<At<RawBatch>> = fields.optional("batch");
        let Some(At { value: kind, .. }) = kind else {
            fields.abandon();
            return (name, None);
        };
        let raw = Target::take(kind, fields);
        let target = raw.meant(node.loc, report);
        let batch = batch.map(|at| BatchBounds::of(&at.value, report)).unwrap_or_default();
        if report.errors() > before {
            return (name, None);
        }
        let sink = name.as_ref().zip(target).map(|(name, target)| Self {
            name: Arc::clone(&name.value.0),
            target,
            encoding: encoding.map_or(kind.default_encoding(), |at| at.value),
            start: start.map(|at| at.value).unwrap_or_default(),
            filter: filter.map(|at| Filter::of(at.value)).unwrap_or_default(),
            batch,
        });
        (name, sink)
    }
}

/// The place of a sink's name, or of its table.
pub(super) fn place_of(name: Option<&At<SinkName>>, table: Loc) -> Loc {
    name.map_or(table, |name| name.loc)
}
