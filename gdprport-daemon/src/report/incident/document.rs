//! A draft for programs: `incident.json`. Fields are only ever added. What a person has to write is not in it.

use gdprport_core::incident::{Exposure, Incident, PolicyThen, Reachable, Watched};
use gdprport_core::ledger::Identity;
use gdprport_core::records;
use jiff::Timestamp;
use serde::Serialize;

use super::super::frameworks::allowed;

/// What `incident.json` has.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Document<'i> {
    /// `gdprport.incident/1`.
    format: &'static str,
    /// The number or the name that was asked for.
    port: String,
    #[cfg_attr(test, schemars(with = "String"))]
    from: Timestamp,
    #[cfg_attr(test, schemars(with = "String"))]
    to: Timestamp,
    /// By when the authority has to be notified.
    deadline: Deadline,
    /// What listened.
    reachable: Vec<Listener<'i>>,
    /// What policies of then allowed.
    policies: Vec<Policy<'i>>,
    /// What was seen, as in a record of processing; rows of whole days.
    observed: records::Document<'i>,
    /// The same by hours.
    hours: Vec<Hour<'i>>,
    /// What was watched, and what was not.
    watched: &'i Watched,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Deadline {
    within_s: u64,
    /// Null: nobody said since when.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    aware: Option<Timestamp>,
    /// Null: as nobody did.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    ends: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Listener<'i> {
    address: String,
    /// `host`, `private`, `public` or `every`.
    reachable_from: &'static str,
    identity: &'i Identity,
    outcome: &'static str,
    #[cfg_attr(test, schemars(with = "String"))]
    first: Timestamp,
    #[cfg_attr(test, schemars(with = "String"))]
    last: Timestamp,
    open: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Policy<'i> {
    digest: Option<&'i str>,
    #[cfg_attr(test, schemars(with = "String"))]
    from: Timestamp,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    to: Option<Timestamp>,
    /// Null: its text is not known. Empty: it allowed nothing on this port.
    allows: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Hour<'i> {
    #[cfg_attr(test, schemars(with = "String"))]
    hour: Timestamp,
    direction: &'static str,
    rule: Option<&'i str>,
    flows: u64,
    sent: u64,
    received: u64,
}

impl<'i> Document<'i> {
    /// The format's name.
    const FORMAT: &'static str = "gdprport.incident/1";

    /// Of a draft.
    pub(crate) fn of(incident: &'i Incident) -> Self {
        let deadline = incident.deadline;
        Self {
            format: Self::FORMAT,
            port: incident.port.to_string(),
            from: incident.from,
            to: incident.to,
            deadline: Deadline {
                within_s: deadline.within.as_secs(),
                aware: deadline.aware,
                ends: deadline.ends(),
            },
            reachable: incident.reachable.iter().map(listener).collect(),
            policies: incident.policies.iter().map(policy).collect(),
            observed: records::Document::of(&incident.records),
            hours: incident
                .hours
                .iter()
                .map(|of| Hour {
                    hour: of.hour,
                    direction: of.direction.as_str(),
                    rule: of.rule.as_deref(),
                    flows: of.flows,
                    sent: of.bytes_sent,
                    received: of.bytes_received,
                })
                .collect(),
            watched: &incident.watched,
        }
    }
}

fn listener(of: &Reachable) -> Listener<'_> {
    Listener {
        address: of.listener.local.to_string(),
        reachable_from: match of.exposure {
            Exposure::Host => "host",
            Exposure::Private => "private",
            Exposure::Public => "public",
            Exposure::Every => "every",
        },
        identity: &of.listener.identity,
        outcome: of.listener.verdict.outcome(),
        first: of.listener.first,
        last: of.listener.last,
        open: of.listener.open,
    }
}

fn policy(of: &PolicyThen) -> Policy<'_> {
    let rules = |ports: &Vec<gdprport_core::policy::DeclaredPort>| {
        ports.iter().flat_map(|port| port.rules.iter().map(allowed)).collect()
    };
    Policy { digest: of.digest.as_deref(), from: of.from, to: of.to, allows: of.declares.as_ref().map(rules) }
}
