//! Promises of starter policies, as tests.
//!
//! Belongs here: what several test files need: inventories, and flows of what is in them.

mod generated;
mod layouts;
mod ledger;
mod merged;
mod pages;
mod peers;
mod process;
mod proposals;
mod proposed;

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::*;
use crate::inventory::{Inventory, Listening, PeerGroup, Recognised, Service};
use crate::ledger::{ContainerIdentity, Identity, PostureKey};
use crate::model::{Attribution, Direction, Endpoint, Posture, PostureState, TlsVersion};
use crate::policy::{ActivePolicy, DnsNames, Facts, Source as File, compile};
use crate::verdict::Verdict;

const CONTEXT: Context<'_> = Context {
    host: "db-1",
    at: Timestamp::constant(1_796_000_000, 0),
    version: "0.1.0",
    next: &["gdprport policy check policy.toml", "sudo gdprport daemon run --policy policy.toml"],
};
const LEARN: Context<'_> =
    Context { next: &["gdprport policy check policy.toml", "gdprport policy replay policy.toml"], ..CONTEXT };

fn identity(unit: &str, exe: &str, user: &str) -> Identity {
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    Identity {
        attribution: Attribution::Snapshot,
        exe: some(exe),
        unit: some(unit),
        uid: Some(107),
        user: some(user),
        ..Identity::UNKNOWN
    }
}

fn postgres() -> Identity {
    identity("postgresql@15-main.service", "/usr/lib/postgresql/15/bin/postgres", "postgres")
}

fn psql() -> Identity {
    identity("session-3.scope", "/usr/lib/postgresql/15/bin/psql", "alice")
}

fn group(net: &str, direction: Direction, connections: u64, process: Option<Identity>) -> PeerGroup {
    let net: IpNet = net.parse().unwrap_or_else(|_| net.parse::<IpAddr>().expect("an address").into());
    let called = process.as_ref().map(|_| net.addr());
    PeerGroup { net, direction, connections, process, called }
}

fn listening(port: u16, addresses: &[&str], holder: Identity, peers: Vec<PeerGroup>) -> Listening {
    let known = crate::catalog::by_port(port);
    Listening {
        addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
        port,
        exposure: None,
        netns: 1,
        own_netns: true,
        holder,
        service: Service {
            id: known.map(|known| known.id.into()),
            name: known.map(|known| known.name.into()),
            by: known.map(|_| Recognised::Port).into_iter().collect(),
            why: None,
        },
        declared: None,
        claim: None,
        goes_by: None,
        peers,
        postures: Vec::new(),
    }
}

fn written(inventory: &Inventory) -> Starter {
    starter(&Seen::of_inventory(inventory), &Answers::default(), &CONTEXT)
}

#[track_caller]
fn active(text: &str) -> ActivePolicy {
    let policy = compile(&[File { name: "policy.toml".to_owned(), text: text.to_owned() }]);
    let policy = policy.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    ActivePolicy::new(policy, DnsNames::default())
}

/// The verdict on a flow of this process.
fn verdict(
    policy: &ActivePolicy,
    direction: Direction,
    port: u16,
    peer: IpAddr,
    identity: &Identity,
    posture: Option<(PostureState, Option<TlsVersion>)>,
) -> Verdict {
    let process = identity.process();
    let posture =
        posture.map(|(state, version)| Posture { version, ..Posture::new(state, "seen by a test") });
    let (local, peer) = match direction {
        Direction::In => (Endpoint::new(IpAddr::from([10, 0, 2, 15]), port), Endpoint::new(peer, 50_123)),
        Direction::Out => (Endpoint::new(IpAddr::from([10, 0, 2, 15]), 50_123), Endpoint::new(peer, port)),
    };
    let facts = Facts {
        peer_missing: None,
        peer_within: None,
        direction,
        local,
        peer,
        nat: None,
        process: Some(&process),
        owner_withheld: None,
        posture: posture.as_ref(),
    };
    policy.evaluate(&facts, Timestamp::UNIX_EPOCH)
}
