//! The record for programs: `record.json`, format `gdprport.record/1`. Fields are only ever added.
//!
//! What nobody declared is `null`; what was declared to be none is an empty list.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::model::{
    Activity, Capacity, Counterpart, CoverageOf, DayOf, MostMoved, Outcomes, ProcessOf, Records, Shares, Use,
    Where,
};
use crate::ledger::{GapRow, Identity, Note};
use crate::model::{Direction, TlsVersion};
use crate::policy::{Controller, DeclaredPeer, DeclaredSite, ProcessingRecord, TlsDemand, VolumeLimit};

/// The format's name.
pub const FORMAT: &str = "gdprport.record/1";

/// A record of processing activities (Art. 30 GDPR) of one host and one period: what is declared, and what was observed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Document<'r> {
    /// `gdprport.record/1`.
    format: &'static str,
    /// Of what, when and by what.
    about: AboutRecord<'r>,
    /// Who is responsible, as declared; null: not declared.
    controller: Option<Responsible<'r>>,
    /// One for each declaration, in the order of the policy.
    activities: Vec<OneActivity<'r>>,
    /// Services on which something was seen and that the policy does not declare.
    undeclared: Vec<OneActivity<'r>>,
    /// Other ends that the policy names together in `[peers]`, by name: declared, whether they were seen or not.
    named_peers: Vec<NamedPeers<'r>>,
    /// Losses of the period, oldest first.
    gaps: &'r [GapRow],
    /// What a reader of the ledger has to know, oldest first.
    notes: &'r [Note],
}

/// Of what, when and by what a record was made.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "About")]
struct AboutRecord<'r> {
    /// The host's name.
    host: &'r str,
    /// The version of gdprport.
    version: &'r str,
    /// When it was made.
    #[schemars(with = "String")]
    made: Timestamp,
    /// Begin of the period that was asked for.
    #[schemars(with = "String")]
    asked: Timestamp,
    /// Begin of what the ledger has of it. Flows are counted by whole days (UTC).
    #[schemars(with = "String")]
    from: Timestamp,
    /// End of the period.
    #[schemars(with = "String")]
    to: Timestamp,
    /// The digest of the policy whose declarations are shown; null: there is no policy.
    policy: Option<&'r str>,
    /// Whether addresses or users are pseudonyms in the ledger.
    pseudonyms: bool,
    /// Why nothing was observed; null: there is a ledger.
    no_ledger: Option<&'r str>,
}

/// Other ends that the policy names together.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct NamedPeers<'r> {
    /// The name.
    name: &'r str,
    /// Who they are, as a policy writes it.
    peers: Vec<String>,
}

/// Who is responsible (Art. 30(1)(a)).
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Responsible<'r> {
    /// The controller's name.
    name: &'r str,
    /// How to reach the controller.
    contact: Option<&'r str>,
    /// How to reach the data protection officer.
    dpo: Option<&'r str>,
    /// Who is responsible together with the controller (Art. 26), for every declared port.
    joint: Option<&'r [Arc<str>]>,
    /// The controller's representative in the Union (Art. 27).
    representative: Option<&'r str>,
}

/// A processing activity.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Activity")]
struct OneActivity<'r> {
    /// The declaration's name, or the catalog's.
    name: &'r str,
    /// TCP ports: `5432` or `5432-5439`.
    ports: Vec<String>,
    /// The application protocol, where it is known.
    protocol: Option<&'r str>,
    /// What somebody declared; null: nobody did.
    declared: Option<Declaration<'r>>,
    /// What was observed.
    observed: Observation<'r>,
}

/// What somebody declared. Nothing in here was observed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Declaration<'r> {
    /// `controller` (Art. 30(1)) or `processor` (Art. 30(2)).
    capacity: &'static str,
    /// Whether the service runs on this host.
    served_here: bool,
    /// Where it may be bound, or where it runs; null: not declared.
    addresses: Option<Vec<String>>,
    /// The least version of TLS; null: none is demanded.
    tls: Option<TlsVersion>,
    /// Why TLS is not required; null: not declared.
    no_tls: Option<&'r str>,
    /// The record of processing; null: not declared.
    record: Option<&'r ProcessingRecord>,
    /// The rules, in the order written.
    rules: Vec<Rule<'r>>,
}

/// Who may communicate.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Rule<'r> {
    /// Why.
    role: &'r str,
    /// Which end this host is.
    direction: Direction,
    /// Whom it allows.
    peers: Vec<String>,
    /// What it asks of the process: keys with their values; empty: any process.
    process: Vec<Asked<'r>>,
    /// The last moment at which it is valid; null: no end.
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
    /// How much it may move in a window; null: no limit is declared.
    volume: Option<VolumeLimit>,
}

/// What a rule asks of the process.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Asked<'r> {
    /// The key.
    key: &'static str,
    /// Any of these.
    values: &'r [String],
}

/// What was observed. Nothing in here was declared, but for the names of rules.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Observation<'r> {
    /// How well it was watched.
    coverage: CoverageOf,
    /// In all; null: nothing was seen in the time that was watched.
    all: Option<&'r Use>,
    /// Connections by outcome.
    outcomes: Outcomes,
    /// How they were encrypted.
    encryption: &'r [super::model::Posed],
    /// The other ends, most bytes first.
    counterparts: Vec<Other<'r>>,
    /// The processes at this end, most bytes first.
    processes: Vec<OneProcess<'r>>,
    /// What came by each declared rule.
    rules: Vec<Used<'r>>,
    /// Days of the period on which something was seen or watched, ascending. Of a day that is missing nothing is known.
    days: &'r [DayOf],
}

/// One other end, with one outcome.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Counterpart")]
struct Other<'r> {
    /// Where it is.
    at: &'r Where,
    /// `in`: it called this host. `out`: this host called it.
    direction: Direction,
    /// `declared`, `violation` or `undecided`.
    outcome: &'static str,
    /// The rule that allowed it; null: none did.
    rule: Option<&'r str>,
    /// The reasons of a violation, as in events.
    reasons: &'r [&'static str],
    /// The processes at this end.
    processes: Vec<&'r Identity>,
    /// How it was encrypted.
    encryption: &'r Shares,
    /// How much, when, and by which rows of the ledger.
    used: &'r Use,
}

/// One process at this end.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Process")]
struct OneProcess<'r> {
    /// Which.
    identity: &'r Identity,
    /// `in`: it served. `out`: it called.
    direction: Direction,
    /// How much, when, and by which rows of the ledger.
    used: &'r Use,
}

/// What came by a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Used<'r> {
    /// The rule's role.
    role: &'r str,
    /// null: nothing came by it in the time that was watched.
    used: Option<&'r Use>,
    /// The most that came by it in one window of its `volume`; null: it has none, or nothing did.
    most: Option<&'r MostMoved>,
}

impl<'r> Document<'r> {
    /// Of a record.
    #[must_use]
    pub fn of(records: &'r Records) -> Self {
        let about = &records.about;
        Self {
            format: FORMAT,
            about: AboutRecord {
                host: &about.host,
                version: &about.version,
                made: about.made,
                asked: about.asked,
                from: about.from,
                to: about.to,
                policy: about.policy.as_deref(),
                pseudonyms: about.pseudonyms,
                no_ledger: about.no_ledger.as_deref(),
            },
            controller: records.controller.as_ref().map(Responsible::of),
            activities: records.activities.iter().map(OneActivity::of).collect(),
            undeclared: records.undeclared.iter().map(OneActivity::of).collect(),
            named_peers: records
                .sets
                .iter()
                .map(|set| NamedPeers { name: &set.name, peers: written(&set.members) })
                .collect(),
            gaps: &records.gaps,
            notes: &records.notes,
        }
    }
}

/// The JSON Schema (draft 2020-12) of `record.json`. Unknown fields are allowed: later versions add some.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Document<'_>>().to_value()
}

impl<'r> Responsible<'r> {
    pub(super) fn of(controller: &'r Controller) -> Self {
        Self {
            name: &controller.name,
            contact: controller.contact.as_deref(),
            dpo: controller.dpo.as_deref(),
            joint: controller.joint.as_deref(),
            representative: controller.representative.as_deref(),
        }
    }
}

/// As a policy writes them.
fn written(peers: &[DeclaredPeer]) -> Vec<String> {
    peers.iter().map(ToString::to_string).collect()
}

impl<'r> OneActivity<'r> {
    fn of(activity: &'r Activity) -> Self {
        Self {
            name: &activity.name,
            ports: activity.ports(),
            protocol: activity.protocol.as_deref(),
            declared: activity.is_declared.then(|| Declaration::of(activity)),
            observed: Observation::of(activity),
        }
    }
}

impl<'r> Declaration<'r> {
    fn of(activity: &'r Activity) -> Self {
        let addresses = match &activity.site {
            Some(DeclaredSite::Local(listen)) => listen.as_deref().map(written),
            Some(DeclaredSite::Remote(service)) => Some(written(service)),
            None => None,
        };
        let (tls, no_tls) = match &activity.tls {
            TlsDemand::None => (None, None),
            TlsDemand::NotRequired { why } => (None, Some(&**why)),
            TlsDemand::AtLeast(version) => (Some(*version), None),
        };
        Self {
            capacity: match activity.capacity {
                Capacity::Controller => "controller",
                Capacity::Processor(_) => "processor",
            },
            served_here: matches!(activity.site, Some(DeclaredSite::Local(_))),
            addresses,
            tls,
            no_tls,
            record: activity.declared.as_deref(),
            rules: activity
                .rules
                .iter()
                .map(|used| Rule {
                    role: &used.rule.role,
                    direction: used.rule.direction,
                    peers: written(&used.rule.peers),
                    process: used.rule.process.iter().map(|(key, values)| Asked { key, values }).collect(),
                    until: used.rule.until,
                    volume: used.rule.volume,
                })
                .collect(),
        }
    }
}

impl<'r> Observation<'r> {
    fn of(activity: &'r Activity) -> Self {
        let seen = activity.seen.as_ref();
        Self {
            coverage: activity.coverage,
            all: seen.map(|seen| &seen.all),
            outcomes: seen.map(|seen| seen.outcomes).unwrap_or_default(),
            encryption: seen.map_or(&[], |seen| &seen.shares.0),
            counterparts: seen.iter().flat_map(|seen| &seen.counterparts).map(Other::of).collect(),
            processes: seen.iter().flat_map(|seen| &seen.processes).map(OneProcess::of).collect(),
            rules: activity
                .rules
                .iter()
                .map(|used| Used {
                    role: &used.rule.role,
                    used: used.used.as_ref(),
                    most: used.most.as_ref(),
                })
                .collect(),
            days: &activity.timeline.days,
        }
    }
}

impl<'r> Other<'r> {
    fn of(other: &'r Counterpart) -> Self {
        Self {
            at: &other.at,
            direction: other.direction,
            outcome: other.outcome,
            rule: other.rule.as_deref(),
            reasons: &other.reasons,
            processes: other.processes.iter().map(|identity| &**identity).collect(),
            encryption: &other.shares,
            used: &other.used,
        }
    }
}

impl<'r> OneProcess<'r> {
    fn of(process: &'r ProcessOf) -> Self {
        let ProcessOf { identity, direction, used } = process;
        Self { identity, direction: *direction, used }
    }
}
