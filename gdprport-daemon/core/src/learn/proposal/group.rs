//! Rows that one rule would allow: the same port, direction and process, with every peer that they were seen with.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;

use super::super::peers::is_nobody;
use super::super::process::{Demand, demand};
use super::super::seen::Seen;
use crate::found::Map;
use crate::inventory::Exposure;
use crate::ledger::{Edge, EdgeKey, Identity, VerdictKey};
use crate::model::{Attribution, Direction};
use crate::privacy::is_pseudonym;
use crate::replay::{Alike, Judge, Judged, Now};
use crate::verdict::ReasonId;

/// What was said of rows when they were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Standing {
    /// A rule allowed them.
    Declared,
    /// No policy applied, it could not decide, or it asked for encryption only.
    Open,
    /// A policy did not allow them.
    Violation,
}

/// What groups are put together by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub number: u16,
    /// Whether the service is elsewhere.
    pub remote: bool,
    pub direction: Direction,
    /// The value of `process`; or why a rule cannot ask for the process.
    pub who: Result<String, String>,
    pub attribution: Attribution,
    /// Whether their peers can be named, or why not.
    pub place: Result<(), &'static str>,
    pub standing: Standing,
}

/// How well a group is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Support {
    pub connections: u64,
    /// Of them, attempts that failed.
    pub failed: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    pub days: BTreeSet<Date>,
    pub rows: BTreeSet<i64>,
}

/// Rows that one rule would allow.
#[derive(Debug)]
pub(super) struct Group<'e> {
    pub key: Key,
    /// One of their processes; the first by order.
    pub identity: &'e Identity,
    pub demand: Option<Demand>,
    /// How many runs of a job, or names alike, the process stands for.
    pub alike: BTreeSet<&'e Identity>,
    /// That of the row that came last.
    latest: &'e Identity,
    /// The peers, each with its connections.
    pub peers: BTreeMap<IpNet, u64>,
    pub support: Support,
    /// Why they were violations of the policy of then.
    pub reasons: BTreeSet<ReasonId>,
    /// What a policy that was asked says: of the first row, in order.
    pub judged: Option<Judged>,
    /// The first row, as it is judged.
    pub sample: &'e EdgeKey,
    /// The declaration that they fall under, by the policy that was asked; `None`: the port is not watched.
    pub claim: Option<Arc<str>>,
    /// The rule that would allow all of them, were their peers among its own.
    pub near: Option<Arc<str>>,
}

/// A process that a row names, and what a rule can ask of it.
struct Person<'e> {
    identity: &'e Identity,
    who: Result<Demand, String>,
    /// Which of the different answers that is.
    answer: usize,
}

/// What groups are put together by, in little: of a process the number of what a rule asks of it.
type Short = (u16, bool, Direction, usize, Attribution, Result<(), &'static str>, Standing);

/// Rows to groups.
pub(super) struct Grouping<'e> {
    /// Where this host listens.
    bound: HashSet<(u16, IpAddr)>,
    people: Vec<Person<'e>>,
    /// Rows of a ledger share their processes: each is looked at once, and found by its address.
    by_address: Map<*const Identity, usize>,
    by_value: Map<&'e Identity, usize>,
    answers: Map<Result<String, String>, usize>,
}

/// What a policy says, once for all rows that it says it of.
struct Judgements<'j> {
    judge: &'j Judge,
    known: Map<(u16, Direction, usize, Alike), usize>,
    said: Vec<Judged>,
}

impl<'j> Judgements<'j> {
    fn by(judge: &'j Judge) -> Self {
        Self { judge, known: Map::default(), said: Vec::new() }
    }

    /// By the rules alone.
    fn of(&mut self, key: &EdgeKey, person: usize) -> &Judged {
        let Self { judge, known, said } = self;
        let asked = (key.port.number, key.direction, person, judge.alike(key.peer));
        let at = *known.entry(asked).or_insert_with(|| {
            said.push(judge.by_rules(key));
            said.len() - 1
        });
        &said[at]
    }
}

impl<'e> Grouping<'e> {
    pub(super) fn new(seen: &Seen) -> Self {
        let local = seen.services.iter().filter(|service| !service.remote);
        let at = local.flat_map(|service| service.bound.iter().map(|ip| (service.port, ip.to_canonical())));
        Self {
            bound: at.collect(),
            people: Vec::new(),
            by_address: Map::default(),
            by_value: Map::default(),
            answers: Map::default(),
        }
    }

    /// The process of this identity, by its place among those that are known.
    fn person(&mut self, identity: &'e Identity) -> usize {
        let Self { people, by_address, by_value, answers, .. } = self;
        *by_address.entry(std::ptr::from_ref(identity)).or_insert_with(|| {
            *by_value.entry(identity).or_insert_with(|| {
                let who = who(identity);
                let asked = who.as_ref().map(|demand| demand.table.clone()).map_err(Clone::clone);
                let next = answers.len();
                let answer = *answers.entry(asked).or_insert(next);
                people.push(Person { identity, who, answer });
                people.len() - 1
            })
        })
    }

    /// Every group of what was connected, ascending. `judge`: only what this policy does not allow. `alike`: what was declared
    /// and what was open, and violations too if so asked, is one group.
    pub(super) fn groups(
        &mut self,
        rows: &'e [(i64, Edge)],
        judge: Option<&Judge>,
        alike: Option<bool>,
    ) -> Vec<Group<'e>> {
        let mut places: Map<Short, usize> = Map::default();
        let mut groups: Vec<Group<'e>> = Vec::new();
        let mut judgements = judge.map(Judgements::by);
        // Connections are declared where they stand for good.
        for (number, edge) in rows.iter().filter(|(_, edge)| !edge.counts.is_passed_through()) {
            let key = &edge.key;
            let standing = standing(edge);
            // Who tried and was never connected may be somebody who looks for open ports, unless a policy had declared it.
            if is_attempt(edge) && standing != Standing::Declared {
                continue;
            }
            let at = self.person(&key.identity);
            let Person { identity, who, answer } = &self.people[at];
            let judged = judgements.as_mut().map(|judgements| judgements.of(key, at));
            match judged.map(|judged| &judged.now) {
                Some(Now::Judged(VerdictKey::Declared { .. })) => continue,
                // What its rule asks for is not kept; it was there when the flow was seen.
                Some(Now::Judged(VerdictKey::Undecided { .. }))
                    if standing == Standing::Declared && who.is_ok() =>
                {
                    continue;
                }
                _ => {}
            }
            let remote = key.direction == Direction::Out && !is_served_here(&self.bound, key);
            let standing = match (alike, standing) {
                (Some(_), Standing::Open) | (Some(true), Standing::Violation) => Standing::Declared,
                _ => standing,
            };
            let place = place(key.peer);
            let short =
                (key.port.number, remote, key.direction, *answer, identity.attribution, place, standing);
            let near = judged.and_then(near);
            let place = *places.entry(short).or_insert_with(|| {
                groups.push(Group {
                    key: Key {
                        number: key.port.number,
                        remote,
                        direction: key.direction,
                        who: who.as_ref().map(|demand| demand.table.clone()).map_err(Clone::clone),
                        attribution: identity.attribution,
                        place,
                        standing,
                    },
                    identity: &key.identity,
                    demand: who.as_ref().ok().cloned(),
                    alike: BTreeSet::new(),
                    latest: &key.identity,
                    peers: BTreeMap::new(),
                    support: Support::at(edge),
                    reasons: BTreeSet::new(),
                    judged: judged.cloned(),
                    sample: key,
                    claim: judge.and_then(|judge| judge.port(key)).map(|port| Arc::clone(&port.name)),
                    near: near.cloned(),
                });
                groups.len() - 1
            });
            groups[place].add(*number, edge, near);
        }
        groups.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        groups
    }
}

impl<'e> Group<'e> {
    fn add(&mut self, number: i64, edge: &'e Edge, near: Option<&Arc<str>>) {
        // To compare all of a process takes long, and most rows of a group are of one.
        if self.alike.is_empty() || !std::ptr::eq(self.latest, &*edge.key.identity) {
            self.alike.insert(&edge.key.identity);
        }
        self.latest = &edge.key.identity;
        let connections = edge.counts.standing();
        let peer = self.peers.entry(canonical(edge.key.peer)).or_default();
        *peer = peer.saturating_add(connections);
        self.support.add(number, edge, connections);
        if let (Some(_), VerdictKey::Violation { reasons, .. }) = (&edge.key.policy, &*edge.key.verdict) {
            self.reasons.extend(reasons.iter().filter(|reason| !is_of_encryption(**reason)));
        }
        if self.near.as_ref() != near {
            self.near = None;
        }
    }
}

impl Support {
    fn at(edge: &Edge) -> Self {
        let (days, rows) = (BTreeSet::new(), BTreeSet::new());
        Self { connections: 0, failed: 0, first: edge.first, last: edge.last, days, rows }
    }

    fn add(&mut self, number: i64, edge: &Edge, connections: u64) {
        self.connections = self.connections.saturating_add(connections);
        self.failed = self.failed.saturating_add(edge.counts.failed);
        self.first = self.first.min(edge.first);
        self.last = self.last.max(edge.last);
        self.days.insert(edge.day);
        self.rows.insert(number);
    }
}

/// Whether nothing of it was ever connected.
const fn is_attempt(edge: &Edge) -> bool {
    edge.counts.failed > 0 && edge.counts.failed >= edge.counts.standing()
}

/// What a rule can ask of a process: only of one that is known, and not by names that are somebody's word.
fn who(identity: &Identity) -> Result<Demand, String> {
    let word = identity.container.as_ref().and_then(|container| container.stated_by);
    if let Some(uid) = word.filter(|uid| *uid != 0) {
        return Err(format!("the names of its container are claimed by user {uid}, who may choose them"));
    }
    demand(identity).map_err(str::to_owned)
}

const fn is_of_encryption(reason: ReasonId) -> bool {
    matches!(reason, ReasonId::Plaintext | ReasonId::WeakTls | ReasonId::TlsRefused | ReasonId::NotTls)
}

fn standing(edge: &Edge) -> Standing {
    match (&*edge.key.verdict, &edge.key.policy) {
        (VerdictKey::Declared { .. }, _) => Standing::Declared,
        (VerdictKey::Violation { reasons, .. }, Some(_))
            if !reasons.iter().copied().all(is_of_encryption) =>
        {
            Standing::Violation
        }
        _ => Standing::Open,
    }
}

/// The rule that lacks nothing but the peer.
fn near(judged: &Judged) -> Option<&Arc<str>> {
    let Now::Judged(VerdictKey::Violation { nearest: Some(role), .. }) = &judged.now else { return None };
    (judged.failed.len() == 1 && judged.failed[0] == "peers").then_some(role)
}

/// Whether a rule can name a peer: an address, or a private network that is no wider than a subnet usually is.
fn place(peer: IpNet) -> Result<(), &'static str> {
    if is_pseudonym(peer) {
        return Err("the ledger has only pseudonyms of the addresses");
    }
    if is_nobody(peer) {
        return Err("the address is not known");
    }
    let peer = canonical(peer);
    if peer.prefix_len() == peer.max_prefix_len() {
        return Ok(());
    }
    if Exposure::of(peer.addr()) != Exposure::Private {
        return Err("of the addresses only networks are known, and they are not private ones");
    }
    if peer.prefix_len() < subnet(&peer) {
        return Err("of the addresses only networks are known, which are wider than a subnet usually is");
    }
    Ok(())
}

/// The length of a customary subnet: /24, and /64, a link (RFC 4291 §2.5.1).
pub(super) const fn subnet(net: &IpNet) -> u8 {
    match net {
        IpNet::V4(_) => 24,
        IpNet::V6(_) => 64,
    }
}

/// The IPv4 address that an IPv4-mapped one stands for.
fn canonical(net: IpNet) -> IpNet {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_canonical().into() } else { net.trunc() }
}

/// Whether a connection that was made here went to a listener of this host.
fn is_served_here(bound: &HashSet<(u16, IpAddr)>, key: &EdgeKey) -> bool {
    let peer = key.peer.addr().to_canonical();
    peer.is_loopback() || bound.contains(&(key.port.number, peer))
}
