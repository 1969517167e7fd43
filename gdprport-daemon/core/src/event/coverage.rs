//! The `coverage` object: what was watched, delivered and lost in a period, and where.
//!
//! Belongs here: the counters as they are sent. They are kept by the kernel programs (`kernel`), by `suppress`
//! (`suppressed`) and by every sink.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refs::Port;
use super::time;
use crate::shared::Shared;

/// Counts by stable identifier of the reason; a reason that never happened may be absent.
pub type ByReason = BTreeMap<Cow<'static, str>, u64>;

/// Coverage of all watched ports, or of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageEvent {
    /// The port; absent if it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Shared<Port>>,
    /// The counters.
    pub coverage: Coverage,
}

/// What was watched, delivered and lost from one time to another.
///
/// `received = delivered + suppressed + Σ dropped` holds for the daemon, and
/// `seen = emitted + filtered + grouped + Σ dropped` for the kernel programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Begin of the period.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub from: Timestamp,
    /// End of the period.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub to: Timestamp,
    /// Occurrences that the daemon took in.
    pub received: u64,
    /// Of these, sent on as events of their own.
    pub delivered: u64,
    /// Of these, left out because the port's `emit` asks for it; a summary counts them where it is asked for.
    pub suppressed: u64,
    /// Of these, lost in the daemon.
    pub dropped: ByReason,
    /// Flows that were forgotten because the flow table was full.
    #[serde(default)]
    pub evicted: u64,
    /// Listeners that were reported as open and forgotten, because 16,384 were open already.
    #[serde(default)]
    pub evicted_listeners: u64,
    /// Ends reported of flows whose beginning was not known: lost, evicted, or before the daemon.
    #[serde(default)]
    pub opening_missed: u64,
    /// Flows that are gone and whose end was not seen; reported as closed, with the outcome `lost`.
    #[serde(default)]
    pub end_missed: u64,
    /// Flows, and failed connects, that are no longer reported because a reload removed their port.
    #[serde(default)]
    pub unwatched: u64,
    /// Listeners that are no longer reported for the same reason.
    #[serde(default)]
    pub unwatched_listeners: u64,
    /// Connections that are known by their sums, because there was no room to describe each; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overload: Option<OverloadSeen>,
    /// The counters of the kernel programs; `null` where they are not kept by port.
    pub kernel: Option<KernelCounts>,
    /// The counters of every sink; empty where they are not kept by port.
    pub sinks: Vec<SinkCounts>,
    /// Periods in which something was lost, oldest first.
    pub gaps: Vec<Gap>,
}

impl Coverage {
    /// How many occurrences, flows and deliveries were lost, all together.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let kernel = self.kernel.as_ref().map(|kernel| &kernel.dropped);
        std::iter::once(&self.dropped)
            .chain(kernel)
            .chain(self.sinks.iter().map(|sink| &sink.dropped))
            .flat_map(BTreeMap::values)
            .fold(self.evicted.saturating_add(self.evicted_listeners), |sum, &count| {
                sum.saturating_add(count)
            })
    }
}

/// Connections that were counted and not described, on all ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverloadSeen {
    /// Connections that were established.
    pub opened: u64,
    /// Connects that failed.
    pub failed: u64,
    /// Ends of connections that were counted when they opened.
    pub closed: u64,
    /// Ends of connections that were described when they opened.
    pub ends_of_described: u64,
    /// Flows that were described as open and left the full flow table.
    pub evicted: u64,
    /// Of `opened`, connections that were found open later and are described since: their `flow.open` counts them once more.
    pub described_later: u64,
}

/// The counters of the kernel programs: `seen = emitted + filtered + grouped + Σ dropped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KernelCounts {
    /// Occurrences on watched ports that a hook ran for.
    pub seen: u64,
    /// Of these, handed to the daemon.
    pub emitted: u64,
    /// Of these, of no interest.
    pub filtered: u64,
    /// Of these, counted in a group of connections instead of being handed over one by one, because the ring buffer was
    /// nearly full.
    #[serde(default)]
    pub grouped: u64,
    /// Of these, lost before the daemon could read them.
    pub dropped: ByReason,
    /// Times there was no memory to keep a socket's owner, whose flow then has no known owner.
    #[serde(default)]
    pub owners_unkept: u64,
}

/// The counters of one sink: `received = delivered + queued + Σ dropped`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkCounts {
    /// The sink's name.
    pub name: Cow<'static, str>,
    /// Events handed to it.
    pub received: u64,
    /// Of these, written completely.
    pub delivered: u64,
    /// Of these, still waiting.
    pub queued: u64,
    /// Of these, lost: `queue-full`, `io-error`, `closed`, `deadline`.
    pub dropped: ByReason,
}

/// A period in which something was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The last time at which nothing was missing.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub from: Timestamp,
    /// When the loss was noticed.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub to: Timestamp,
    /// How many occurrences were lost.
    pub lost: u64,
    /// How exact `lost` is; absent if it is the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// What was counted in `flow.summary` events with `overload`, because there was no room to describe it; it is not lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summed: Option<u64>,
    /// The identifier of the reason. What a sink lost is reported in a gap that grows: of those with the same reason and the
    /// same `from` the last one counts.
    pub reason: Cow<'static, str>,
}

/// How exact a count of losses is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Nobody could count: as many, or more.
    AtLeast,
    /// As many, or fewer: some of it may have been delivered.
    AtMost,
}
