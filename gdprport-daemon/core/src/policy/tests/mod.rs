//! Promises of the policy, as tests.
//!
//! Belongs here: what several test files need to write a policy and evaluate flows.

mod container_mistakes;
mod containers;
mod containers_page;
mod decided;
mod declarations;
mod documented;
mod ends;
mod enforcement;
mod exceptions;
mod explained;
mod flows;
mod generated;
mod grown;
mod listeners;
mod lowered;
mod mistakes;
mod naming;
mod nat;
mod networks;
mod order;
mod outline;
mod reference;
mod scale;
mod schema;
mod tls;
mod totality;
mod volume;

use std::net::IpAddr;

use jiff::Timestamp;

use super::{ActivePolicy, DnsNames, Facts, Policy, Problems, Resolution, Source, compile};
use crate::model::{
    Attribution, Container, Direction, Endpoint, Naming, Nat, Posture, PostureState, Process, TlsVersion,
    Translation, Withheld,
};
use crate::verdict::Verdict;

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn problems(text: &str) -> Problems {
    compile(&[source("policy.toml", text)]).expect_err("the policy has an error")
}

/// A policy of which no name has been resolved.
fn policy(text: &str) -> ActivePolicy {
    active(compile(&[source("policy.toml", text)]))
}

fn active(policy: Result<Policy, Problems>) -> ActivePolicy {
    let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
    ActivePolicy::new(policy, DnsNames::default())
}

/// The head of a policy of one port, 5432, served here. Its rules follow.
const DB: &str = "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n";

/// A service that is elsewhere, on the same port, and may be called: a part of a policy.
fn remote(name: &str, service: &str) -> String {
    format!(
        "[[port]]\nname = \"{name}\"\nport = 5432\nservice = [\"{service}\"]\n[[port.allow]]\nrole = \"r-{name}\"\n\
         direction = \"out\"\npeers = [\"any\"]\n"
    )
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A process of which everything is known: PostgreSQL of Debian.
fn postgres() -> Process {
    Process {
        pid: 812,
        exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
        uid: 107,
        user: Some("postgres".into()),
        gid: 115,
        group: Some("postgres".into()),
        unit: Some("postgresql@15-main.service".into()),
        cgroup: Some("/system.slice/postgresql@15-main.service".into()),
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    }
}

fn container(id: &str, pod: Option<&str>) -> Container {
    Container {
        id: id.into(),
        runtime: None,
        pod: pod.map(Into::into),
        claimed_by: None,
        naming: Naming::Unknown,
    }
}

/// An accepted flow on a local port.
fn accepted<'a>(port: u16, peer: &str, process: Option<&'a Process>) -> Facts<'a> {
    Facts {
        direction: Direction::In,
        local: Endpoint::new(ip("10.0.2.15"), port),
        peer: Endpoint::new(ip(peer), 50123),
        nat: None,
        process,
        owner_withheld: None,
        posture: None,
        peer_missing: None,
        peer_within: None,
    }
}

/// A connected flow to a port elsewhere.
fn connected<'a>(port: u16, peer: &str, process: Option<&'a Process>) -> Facts<'a> {
    Facts {
        direction: Direction::Out,
        local: Endpoint::new(ip("10.0.2.15"), 50123),
        peer: Endpoint::new(ip(peer), port),
        nat: None,
        process,
        owner_withheld: None,
        posture: None,
        peer_missing: None,
        peer_within: None,
    }
}

/// The address translation of a connection whose other end is there in truth.
fn translated(peer: &str) -> Nat {
    let peer = Some(Endpoint::new(ip(peer), 40_000));
    Nat::Translated(Box::new(Translation { peer, ..Translation::default() }))
}

fn resolved(entries: &[(&str, &[&str])]) -> DnsNames {
    let entry = |(name, addresses): &(&str, &[&str])| {
        let addresses = addresses.iter().map(|address| ip(address)).collect();
        ((*name).into(), Resolution::Resolved(addresses))
    };
    DnsNames::new(entries.iter().map(entry))
}

/// A verdict on one line: outcome, rule or reasons, nearest rule and what failed.
fn line(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Declared { rule } => format!("declared {rule}"),
        Verdict::Violation { reasons, nearest } => {
            let reasons: Vec<_> = reasons.iter().map(|reason| reason.id.as_str()).collect();
            let nearest = nearest.as_ref();
            let nearest =
                nearest.map_or("-".to_owned(), |near| format!("{}({})", near.role, near.failed.join(",")));
            format!("violation {} nearest {nearest}", reasons.join(","))
        }
        Verdict::Undecided { missing, nearest } => {
            let nearest = nearest.as_ref().map_or("-", |near| &near.role);
            format!("undecided {} nearest {nearest}", missing.join(" | "))
        }
    }
}
