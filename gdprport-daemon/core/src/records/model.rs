//! The model: plain values, which every rendering shows in its own way.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::event::Bound;
use crate::ledger::{CoverageHours, Edge, GapRow, Identity, Note};
use crate::model::{Direction, PostureState, TlsVersion};
use crate::policy::{Controller, DeclaredRule, DeclaredSite, PeerSet, ProcessingRecord, TlsDemand};

/// A record of processing activities, of one host and one period.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// Of what, when and by what.
    pub about: About,
    /// Who is responsible, as declared.
    pub controller: Option<Controller>,
    /// One for each declaration, in the order of the policy.
    pub activities: Vec<Activity>,
    /// One for each service on which something was seen and that this policy does not declare, by number: the catalog
    /// knows it, or an earlier policy declared it.
    pub undeclared: Vec<Activity>,
    /// Other ends that the policy names together, by name.
    pub sets: Vec<PeerSet>,
    /// Losses of the period, oldest first.
    pub gaps: Vec<GapRow>,
    /// What a reader of the ledger has to know, oldest first.
    pub notes: Vec<Note>,
}

/// Of what, when and by what a record was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct About {
    /// The host's name.
    pub host: Arc<str>,
    /// The version of gdprport.
    pub version: Arc<str>,
    /// When it was made.
    #[schemars(with = "String")]
    pub made: Timestamp,
    /// Begin of the period that was asked for.
    #[schemars(with = "String")]
    pub asked: Timestamp,
    /// Begin of what the ledger has of it.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// End of the period.
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// The digest of the policy whose declarations are shown; `None`: there is no policy.
    pub policy: Option<Arc<str>>,
    /// Whether addresses and users are pseudonyms in the ledger.
    pub pseudonyms: bool,
    /// Why nothing was observed; `None`: there is a ledger.
    pub no_ledger: Option<Arc<str>>,
}

/// A processing activity: one declaration with what was observed of it, or a port that nobody declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// The declaration's name, or the catalog's.
    pub name: Arc<str>,
    /// Whether this policy declares it.
    pub is_declared: bool,
    /// TCP ports, as declared or seen.
    pub numbers: Vec<RangeInclusive<u16>>,
    /// The application protocol, where it is known.
    pub protocol: Option<Arc<str>>,
    /// Where the service runs; `None`: not declared.
    pub site: Option<DeclaredSite>,
    /// What is demanded of the encryption.
    pub tls: TlsDemand,
    /// In which capacity the data are processed.
    pub capacity: Capacity,
    /// The record as declared; `None`: there is none.
    pub declared: Option<Arc<ProcessingRecord>>,
    /// The rules, in the order written, and what came by them.
    pub rules: Vec<RuleUse>,
    /// What was observed; `None`: nothing was in the period.
    pub seen: Option<Seen>,
    /// How well it was watched.
    pub coverage: CoverageOf,
    /// The same in the course of the period.
    pub timeline: Timeline,
}

/// In which capacity data are processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capacity {
    /// As the controller (Art. 30(1)).
    Controller,
    /// For others (Art. 30(2)); not empty.
    Processor(Box<[Arc<str>]>),
}

/// A rule, and what came by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleUse {
    /// The rule as declared.
    pub rule: DeclaredRule,
    /// `None`: nothing did in the period.
    pub used: Option<Use>,
    /// The most that came by it in one window of its `volume`; `None`: it has none, or nothing did.
    pub most: Option<MostMoved>,
}

/// The most that a rule with a `volume` has moved in one window, by the hours of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MostMoved {
    /// Application bytes, both ways.
    pub bytes: u64,
    /// Absent: all of the window was watched. Else there may have been more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// When the window began.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// Windows of the period in which it has moved something.
    pub windows: u32,
    /// Of them, those in which it has moved more than is declared now.
    pub beyond: u32,
}

/// The numbers of the rows of the ledger that a statement rests on, ascending, each once: `gdprport policy explain --row`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Rows(pub Vec<i64>);

/// How often and how much, and when first and last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Use {
    /// How much.
    pub volume: Volume,
    /// The first observation.
    #[schemars(with = "String")]
    pub first: Timestamp,
    /// The last.
    #[schemars(with = "String")]
    pub last: Timestamp,
    /// Days (UTC) on which something was seen.
    pub days: u32,
    /// What it rests on.
    pub rows: Rows,
}

/// Sums of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Volume {
    /// Connections and failed attempts.
    pub flows: u64,
    /// Of them, failed attempts.
    pub failed: u64,
    /// Bytes that this host sent.
    pub sent: u64,
    /// Bytes that it received.
    pub received: u64,
}

impl Volume {
    /// Of a row: the connections that stand in it for good.
    pub(super) fn of(edge: &Edge) -> Self {
        let counts = &edge.counts;
        let flows = counts.standing();
        let failed = counts.failed.min(flows);
        Self { flows, failed, sent: counts.bytes_sent, received: counts.bytes_received }
    }

    /// Adds another one. They saturate.
    pub const fn add(&mut self, other: &Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.failed = self.failed.saturating_add(other.failed);
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
    }

    /// Bytes both ways.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.sent.saturating_add(self.received)
    }
}

/// What was observed of an activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// In all.
    pub all: Use,
    /// The other ends, most bytes first: recipients of data that was called for, and senders.
    pub counterparts: Vec<Counterpart>,
    /// The processes at this end, most bytes first.
    pub processes: Vec<ProcessOf>,
    /// How it was encrypted.
    pub shares: Shares,
    /// By outcome.
    pub outcomes: Outcomes,
}

/// Where an address is, as far as that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// 127.0.0.0/8, ::1: the other end is on this host.
    Host,
    /// Private or link-local (RFC 1918, RFC 4193, RFC 3927, RFC 4291, RFC 6598).
    Private,
    /// Anything else.
    Public,
    /// A pseudonym, or a network that has addresses of several zones.
    Unknown,
}

/// Where a counterpart is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Where {
    /// The address of full length, or the network.
    #[schemars(with = "String")]
    pub net: IpNet,
    /// Its zone.
    pub zone: Zone,
    /// The country by the file of `controller.countries`, as it writes it; `None`: not asked, or not in it.
    pub country: Option<Arc<str>>,
}

/// One other end, with one outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Counterpart {
    /// Where it is.
    pub at: Where,
    /// `In`: it called this host; `Out`: this host called it.
    pub direction: Direction,
    /// The role of the rule that allows it; `None`: none did.
    pub rule: Option<Arc<str>>,
    /// `declared`, `violation` or `undecided`.
    pub outcome: &'static str,
    /// The reasons of a violation, as in events, ascending.
    pub reasons: Vec<&'static str>,
    /// The processes at this end.
    pub processes: Vec<Arc<Identity>>,
    /// How it was encrypted.
    pub shares: Shares,
    /// How much.
    pub used: Use,
}

/// One process at this end.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessOf {
    /// Which.
    pub identity: Arc<Identity>,
    /// `In`: it served; `Out`: it called.
    pub direction: Direction,
    /// How much.
    pub used: Use,
}

/// How flows were encrypted: of each state how many, most first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Shares(pub Vec<Posed>);

/// One state of encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Posed {
    /// The state.
    pub state: PostureState,
    /// The version of TLS.
    pub version: Option<TlsVersion>,
    /// Connections.
    pub flows: u64,
    /// Bytes both ways.
    pub bytes: u64,
    /// What it rests on.
    pub rows: Rows,
}

/// Connections by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outcomes {
    /// A rule allows them.
    pub declared: u64,
    /// No rule does.
    pub violation: u64,
    /// Evidence is missing.
    pub undecided: u64,
}

impl Outcomes {
    /// The count of an outcome, as `VerdictKey::outcome` names it.
    pub(super) fn of_mut(&mut self, outcome: &str) -> &mut u64 {
        match outcome {
            "declared" => &mut self.declared,
            "violation" => &mut self.violation,
            _ => &mut self.undecided,
        }
    }
}

/// How well a port was watched in the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CoverageOf {
    /// Seconds of the period for which it was watched.
    pub watched_s: u64,
    /// Seconds of the period.
    pub period_s: u64,
    /// Occasions that are known to be of this port and were lost.
    pub lost: u64,
}

/// An activity in the course of the period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Days on which something was seen or watched, ascending.
    pub days: Vec<DayOf>,
    /// Hours in which bytes were counted, ascending. Empty: the ledger has no hours whose sums are those of the days.
    pub hours: Vec<HourOf>,
    /// Hours of which something was watched, ascending; those one after the other that were watched alike are one.
    pub watched: Vec<WatchedHours>,
}

/// Hours one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedHours {
    /// When the first begins, in hours since 1970.
    pub first: i64,
    /// How many, at least one.
    pub hours: u32,
    /// Seconds that were watched of each, at most 3600.
    pub seconds: u32,
}

impl From<&CoverageHours> for WatchedHours {
    fn from(of: &CoverageHours) -> Self {
        let first = of.hour.as_second().div_euclid(CoverageHours::HOUR_S);
        let most = u32::try_from(CoverageHours::HOUR_S).unwrap_or(u32::MAX);
        Self { first, hours: of.hours, seconds: of.watched_s.min(most) }
    }
}

impl WatchedHours {
    /// Each hour (since 1970) with its seconds.
    pub fn each(self) -> impl Iterator<Item = (i64, u32)> {
        (self.first..).take(self.hours as usize).map(move |hour| (hour, self.seconds))
    }
}

/// One day (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Day")]
pub struct DayOf {
    /// The day, in UTC.
    #[schemars(with = "String")]
    pub day: Date,
    /// How much. A connection that is open for several days stands in each; its bytes stand in the day in which they were counted.
    pub volume: Volume,
    /// Connections by outcome.
    pub outcomes: Outcomes,
    /// Seconds of the day for which the port was watched. 0: that nothing was seen says nothing.
    pub watched_s: u32,
    /// What it rests on.
    pub rows: Rows,
}

/// The bytes of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourOf {
    /// When it begins.
    pub hour: Timestamp,
    /// Bytes that this host sent.
    pub sent: u64,
    /// Bytes that it received.
    pub received: u64,
}
