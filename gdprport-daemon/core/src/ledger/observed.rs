//! What the ledger says of a period, as `audit`, `init` and reports read it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::row::{Edge, PortKey, VerdictKey};
use crate::event::Bound;
use crate::model::Endpoint;

/// What the ledger says of a period.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Begin of the period, not before the ledger's.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Flows: of each key once, the days of the period added up; `day` is the last one.
    pub edges: Vec<Edge>,
    /// Listeners that were open in the period.
    pub listeners: Vec<ListenerRow>,
    /// Hours of the period in which something was watched.
    pub coverage: Vec<CoverageHours>,
    /// Losses in the period, oldest first.
    pub gaps: Vec<GapRow>,
    /// Policies that applied, oldest first.
    pub policies: Vec<PolicyPeriod>,
    /// Runs of the daemon, oldest first.
    pub runs: Vec<Run>,
    /// What a reader has to know, oldest first.
    pub notes: Vec<Note>,
    /// Volume by hour.
    pub volume: Vec<VolumeHour>,
}

/// What the ledger says of each hour of a period: enough to compare an hour with those before it.
#[derive(Debug, Clone)]
pub struct HourlyLedger {
    /// Begin of the period, not before the ledger's.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Volume.
    pub volume: Vec<VolumeHour>,
    /// What was watched.
    pub coverage: Vec<CoverageHours>,
    /// Losses, oldest first.
    pub gaps: Vec<GapRow>,
}

/// Listeners with the same address, holder and verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerRow {
    /// The port.
    pub port: Arc<PortKey>,
    /// Where they are bound.
    pub local: Endpoint,
    /// Who holds them.
    pub identity: Arc<Identity>,
    /// What the policy says of them.
    pub verdict: Arc<VerdictKey>,
    /// When the first was seen.
    pub first: Timestamp,
    /// When the last was seen open.
    pub last: Timestamp,
    /// Whether one is open now, as far as the ledger knows.
    pub open: bool,
}

/// What was watched of a port in an hour, or in several one after the other that were alike: a ledger has an hour of each port for as
/// long as it watches, which is a million of 500 ports in a quarter of a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageHours {
    /// Begin of the first hour.
    pub hour: Timestamp,
    /// How many hours, at least one; more only where nothing was lost.
    pub hours: u32,
    /// The port.
    pub port: Arc<PortKey>,
    /// Seconds of each for which the port was watched, at most 3600.
    pub watched_s: u32,
    /// Flows and failed connects that began and were seen, in all of them.
    pub seen: u64,
    /// Occasions that were lost and are known to be of this port.
    pub lost: u64,
}

impl CoverageHours {
    /// Seconds of an hour.
    pub const HOUR_S: i64 = 3_600;

    /// Seconds of an hour that was watched from begin to end: of each restart a few are missing.
    pub const WHOLE_S: u32 = 3_540;

    /// Begin of each hour.
    pub fn each(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let first = self.hour;
        (0..self.hours).map(move |at| later(first, at))
    }

    /// Begin of the last hour.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        later(self.hour, self.hours.saturating_sub(1))
    }

    /// Takes up the hour behind these, if it was watched alike and nothing was lost in either; whether it did.
    pub fn take_up(&mut self, next: &Self) -> bool {
        let is_next = self.last().as_second().checked_add(Self::HOUR_S) == Some(next.hour.as_second());
        let is_alike = self.watched_s == next.watched_s && self.lost == 0 && next.lost == 0;
        if is_next && is_alike {
            self.hours = self.hours.saturating_add(next.hours);
            self.seen = self.seen.saturating_add(next.seen);
        }
        is_next && is_alike
    }
}

/// So many hours later.
fn later(at: Timestamp, hours: u32) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(hours.into())).unwrap_or(Timestamp::MAX)
}

/// A period in which something was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapRow {
    /// Begin.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// End.
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// How much.
    pub lost: u64,
    /// Whether there may be more or less; `None`: exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// Why, as in events.
    pub reason: Arc<str>,
}

impl GapRow {
    /// Whether a sink lost it: the ledger got it all the same.
    #[must_use]
    pub fn is_of_a_sink(&self) -> bool {
        self.reason.starts_with("sink:")
    }
}

/// A time in which a policy applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPeriod {
    /// Its digest; `None`: the catalog.
    pub digest: Option<Arc<str>>,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: it is active, as far as the ledger knows.
    pub to: Option<Timestamp>,
}

/// The reason of the gap after a run that was killed: from its last batch to the next run. How much of that it ran on for is not
/// known: at most two seconds, if the ledger could be written.
pub const KILLED: &str = "ledger:killed";

/// A run of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, as in events.
    pub run: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// When it began.
    pub from: Timestamp,
    /// The last time that the ledger was written by it. If it was killed, what came after that may be missing.
    pub to: Timestamp,
    /// How it ended; `None`: it runs, or was killed.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunEnd {
    /// In an orderly way: everything was written.
    Stopped,
    /// It was killed: what came after its last batch may be missing.
    Killed,
}

/// What a reader of the ledger has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// When it was written.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it is about.
    pub kind: NoteKind,
    /// One sentence.
    pub text: Arc<str>,
}

/// What a note is about. Names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A ledger began: the first, or because the one before could not be used.
    Begun,
    /// The ledger before could not be used and was set aside.
    SetAside,
    /// The wall clock was set.
    ClockSet,
    /// Days were rolled up, because of the bound of size.
    RolledUp,
    /// Days were removed, because of their age or the bound of size.
    Removed,
    /// What could not be stored was dropped.
    Dropped,
    /// The schema of an older version was taken over.
    Migrated,
}

/// Volume of a port, direction and rule in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHour {
    /// Begin of the hour.
    pub hour: Timestamp,
    /// The port.
    pub port: Arc<PortKey>,
    /// Which end this host is.
    pub direction: crate::model::Direction,
    /// The role of the rule, also of what it moved beyond its volume; `None`: what no rule allowed.
    pub rule: Option<Arc<str>>,
    /// Flows that began or failed.
    pub flows: u64,
    /// Bytes that this host sent.
    pub bytes_sent: u64,
    /// Bytes that it received.
    pub bytes_received: u64,
}
