//! What the deliverer reports: its sinks, how far each is, what was lost, what is wrong; and what a test found.
//!
//! Fields are only ever added within `v1`.

use gdprport_core::event::Bound;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The reply to `GET /v1/sinks` of the deliverer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliverStatus {
    pub version: String,
    /// The deliverer's process id, in its own pid namespace.
    pub pid: u32,
    pub started: Timestamp,
    pub config: ConfigStanding,
    pub spool: SpoolStanding,
    /// Processor time of the deliverer, in user and kernel mode, in nanoseconds.
    #[serde(default)]
    pub cpu_ns: u64,
    /// Its resident memory in KiB.
    #[serde(default)]
    pub rss_kib: u64,
    /// Every sink of the configuration, in its order, those with mistakes behind.
    pub sinks: Vec<SinkStanding>,
    /// Timestamps of checkpoints of the evidence log; absent: none are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamps: Option<StampsStanding>,
}

/// What became of checkpoints that are to be stamped by an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StampsStanding {
    /// Where the authority is.
    pub place: String,
    /// Where timestamps are kept.
    pub directory: String,
    /// Seconds after which the next one is due.
    pub every_s: u64,
    /// How many are kept.
    pub kept: u64,
    /// The latest one.
    pub last: Option<LastStamp>,
    /// How many were got since the deliverer started.
    pub stamped: u64,
    /// Attempts that failed since then.
    pub failed_attempts: u64,
    /// What went wrong last, while it has not worked since.
    pub failure: Option<FailureStanding>,
}

/// A timestamp of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastStamp {
    /// The time that the authority signed.
    pub time: Timestamp,
    /// The sequence number of the checkpoint.
    pub sequence: u64,
    /// Entries of the log that the checkpoint covers; `null`: its note cannot be read.
    pub entries: Option<u64>,
}

/// What was read last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConfigStanding {
    pub path: String,
    /// When it was read.
    pub read: Timestamp,
    /// Why it was refused, as text of several lines; then what was read before is still used. `null`: it is used.
    pub refused: Option<String>,
}

/// The spool that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpoolStanding {
    pub path: String,
    /// When it was looked at; long ago where the disk does not answer.
    #[serde(default)]
    pub read: Option<Timestamp>,
    /// Events that are there.
    pub events: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
    /// Why it cannot be read.
    pub error: Option<String>,
}

/// What a sink is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SinkState {
    /// It has begun and nothing was sent yet.
    Starting,
    /// Everything that it wants was delivered.
    Idle,
    /// It sends.
    Sending,
    /// What was sent last did not arrive; it is tried again.
    Failing,
    /// The spool cannot be read.
    NoSpool,
    /// Its configuration has mistakes, and it is not used.
    Faulty,
}

impl SinkState {
    /// The identifier in JSON.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Sending => "sending",
            Self::Failing => "failing",
            Self::NoSpool => "no-spool",
            Self::Faulty => "faulty",
        }
    }
}

/// One sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SinkStanding {
    /// Empty for one whose configuration names none.
    pub name: String,
    /// The kind of receiver, as `syslog`; empty where that cannot be read.
    #[serde(rename = "type")]
    pub transport: String,
    /// Where the receiver is.
    pub place: String,
    pub encoding: String,
    pub state: SinkState,
    /// What is wrong in the configuration, as text of several lines. A sink that is not `faulty` goes on as it was configured
    /// before.
    pub problems: Option<String>,
    /// Where it began in the spool, and why there.
    pub began: String,
    pub lag: LagStanding,
    pub totals: SinkTotals,
    /// When a receiver last confirmed something.
    pub delivered_at: Option<Timestamp>,
    /// Attempts that failed and are made again, since the deliverer started.
    #[serde(default)]
    pub failed_attempts: u64,
    /// What went wrong last, while it has not worked since.
    pub failure: Option<FailureStanding>,
    /// The event that a receiver refused last.
    pub refused: Option<RefusedStanding>,
    /// What was lost last.
    pub lost: Option<LostStanding>,
}

/// What lies before a sink in the spool, before its filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LagStanding {
    pub events: u64,
    /// Bytes in the spool.
    pub bytes: u64,
    /// For how long the oldest of them waits.
    pub seconds: u64,
}

/// What became of the events that a sink has read, since `since`. They outlive the deliverer, and begin anew with a sink that is
/// new or has another receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SinkTotals {
    pub since: Timestamp,
    /// Events that the receiver has confirmed.
    pub delivered: u64,
    /// Bytes of their records.
    pub bytes: u64,
    /// Events that the filter left out.
    pub filtered: u64,
    /// Events that the receiver refused for good.
    pub refused: u64,
    /// Events that were gone from the spool before they were sent, or could not be read: as many or, if `uncounted` is not 0,
    /// more.
    pub lost: u64,
    /// Losses of which nobody knows how many events they are: what is known of their number is in `lost`, and may be 0.
    #[serde(default)]
    pub uncounted: u64,
}

impl SinkTotals {
    /// Nothing yet.
    #[must_use]
    pub(crate) const fn since(since: Timestamp) -> Self {
        Self { since, delivered: 0, bytes: 0, filtered: 0, refused: 0, lost: 0, uncounted: 0 }
    }
}

/// A failure that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailureStanding {
    /// One sentence: what was tried, where, what came back.
    pub why: String,
    /// Since when nothing arrives.
    pub since: Timestamp,
    /// Attempts since then.
    pub attempts: u64,
    /// When it is tried again.
    pub next: Option<Timestamp>,
}

/// An event that the receiver will never take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedStanding {
    pub id: Uuid,
    pub kind: String,
    /// The receiver's reason.
    pub why: String,
    pub at: Timestamp,
}

/// Events that a sink does not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LostStanding {
    pub events: u64,
    /// How exact `events` is; absent: it is the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// They came after this time.
    pub since: Timestamp,
    /// And before this.
    pub until: Timestamp,
    /// `removed`, `damaged`, `interrupted`, `spool-replaced` or `unreadable`.
    pub reason: String,
}

/// The reply to `POST /v1/sinks/NAME/test` of the deliverer: what came of one marked event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TestReply {
    pub name: String,
    #[serde(rename = "type")]
    pub transport: String,
    pub place: String,
    pub encoding: String,
    /// The event's id.
    pub id: Uuid,
    /// Its kind: `sink.test`.
    pub kind: String,
    /// Whether it arrived.
    pub arrived: bool,
    /// What the receiver said, if it said something.
    pub answer: Option<String>,
    /// Why it did not arrive.
    pub why: Option<String>,
    /// Milliseconds that it took.
    pub took_ms: u64,
}
