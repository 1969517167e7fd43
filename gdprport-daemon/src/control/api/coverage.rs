//! What was seen, delivered and lost, as the status shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use gdprport_core::counters::OverloadCounters;
use gdprport_core::event::{ByReason, Coverage, KernelCounts};

/// What was seen, delivered and lost. All are counts of events, except for the flows.
///
/// `kernel.seen = kernel.emitted + kernel.filtered + kernel.grouped + Σ kernel.dropped` and
/// `received = delivered + suppressed + Σ dropped` hold whenever nothing is in flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CoverageStatus {
    /// From when the counts run.
    pub since: Timestamp,
    /// What the kernel programs count.
    pub kernel: KernelCounts,
    /// The same by the place where they decide about a record, such as `established` or `payload`.
    #[serde(default)]
    pub places: BTreeMap<String, PlaceCounts>,
    /// The ring buffer between the kernel programs and the daemon.
    #[serde(default)]
    pub ring: RingStatus,
    /// Records read from the kernel programs; all that were emitted once nothing is in flight.
    pub records: u64,
    /// Occurrences that became an event, or would have.
    pub received: u64,
    /// Events handed to every sink that wanted them.
    pub delivered: u64,
    /// Events that the policy wants only as sums (`emit`).
    pub suppressed: u64,
    /// Events lost in the daemon, by reason.
    pub dropped: ByReason,
    /// Flows forgotten because the flow table was full.
    pub evicted: u64,
    /// Listeners forgotten because there were too many.
    #[serde(default)]
    pub evicted_listeners: u64,
    /// Flows whose encryption was not followed any further because too many were undecided at once.
    #[serde(default)]
    pub posture_given_up: u64,
    /// Ends reported of flows whose beginning was lost.
    pub opening_missed: u64,
    /// Flows whose end was lost, or could not be seen because they are older than the daemon.
    pub end_missed: u64,
    /// Flows found open whose opening was not seen although their port was watched.
    #[serde(default)]
    pub found_late: u64,
    /// Connections that were counted because there was no room to describe each.
    #[serde(default)]
    pub overload: OverloadCounters,
    /// What of the host could not be looked at last, by reason: network namespaces, sockets, processes. Nothing there was
    /// taken for gone.
    #[serde(default)]
    pub unseen: ByReason,
    /// Flows, and failed connects, no longer reported because a reload removed their port.
    #[serde(default)]
    pub unwatched: u64,
    /// Listeners no longer reported for the same reason.
    #[serde(default)]
    pub unwatched_listeners: u64,
    /// Flows in the table now.
    pub flows_open: u64,
    /// Flows the table can hold.
    pub flows_cap: u64,
    /// When something was last lost, in the kernel, the daemon or a sink; `null` if nothing ever was.
    pub last_loss: Option<Timestamp>,
}

impl From<Coverage> for CoverageStatus {
    /// What the snapshot that a `coverage` event carries holds too. The rest is zero: its owners fill it in.
    fn from(snapshot: Coverage) -> Self {
        let none = KernelCounts {
            seen: 0,
            emitted: 0,
            filtered: 0,
            grouped: 0,
            dropped: ByReason::new(),
            owners_unkept: 0,
        };
        Self {
            since: snapshot.from,
            kernel: snapshot.kernel.unwrap_or(none),
            places: BTreeMap::new(),
            ring: RingStatus::default(),
            records: 0,
            received: snapshot.received,
            delivered: snapshot.delivered,
            suppressed: snapshot.suppressed,
            dropped: snapshot.dropped,
            evicted: snapshot.evicted,
            evicted_listeners: snapshot.evicted_listeners,
            posture_given_up: 0,
            opening_missed: snapshot.opening_missed,
            end_missed: snapshot.end_missed,
            found_late: 0,
            overload: OverloadCounters::default(),
            unseen: ByReason::new(),
            unwatched: snapshot.unwatched,
            unwatched_listeners: snapshot.unwatched_listeners,
            flows_open: 0,
            flows_cap: 0,
            last_loss: None,
        }
    }
}

/// What became of the occasions of one place in the kernel programs: `seen = emitted + filtered + grouped +
/// dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceCounts {
    /// Occasions on which a record could have been due.
    pub seen: u64,
    /// Records put into the ring buffer.
    pub emitted: u64,
    /// Occasions with nothing new to report.
    pub filtered: u64,
    /// Occasions that were counted in a group, because the ring buffer was nearly full.
    #[serde(default)]
    pub grouped: u64,
    /// Records lost because the ring buffer was full.
    pub dropped: u64,
}

/// The ring buffer at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RingStatus {
    /// Bytes that it has.
    pub bytes: u64,
    /// Bytes that wait to be read.
    pub unread: u64,
}
