//! Adding open flows up, one after the other: in slices if need be, for the flows are the caller's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::group::{FlowGroup, FlowGroups, GroupId, GroupPeer, Rank, Standings};
use crate::event::{Cookie, Port};
use crate::flow::Flow;
use crate::ledger::Identity;
use crate::model::{Direction, PostureState, Process};
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// Groups that are kept, and as many again of those with a violation: others cannot take the room of a stranger. Each takes
/// some 300 bytes, so that one answer costs 5 MB at most.
const MOST: usize = 8_192;

/// In place of a group that is not wanted, or for which there was no room.
const NONE: u32 = u32::MAX;

/// What a flow is found by. Ports and identities are numbered.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    port: usize,
    direction: Direction,
    peer: IpAddr,
    identity: u32,
}

/// What is known of a flow besides: all as it is shown.
#[derive(Debug)]
pub struct Member<'a> {
    /// The port, of which there is one value for each `port_index`.
    pub port: &'a Shared<Port>,
    /// The address that the policy compares, as it is shown.
    pub peer: IpAddr,
    /// The exceptions that accept its violation.
    pub accepted: Option<Shared<Accepted>>,
}

#[derive(Debug)]
struct Entry {
    id: GroupId,
    port: Shared<Port>,
    direction: Direction,
    peer: GroupPeer,
    process: Option<Shared<Process>>,
    unattributed: Option<&'static str>,
    standings: Standings,
    posture: BTreeMap<PostureState, u64>,
    bytes_sent: u64,
    bytes_received: u64,
    uncounted: u64,
    /// Boottime ns.
    oldest_ns: u64,
    /// One of them is older than the daemon.
    predates: bool,
    rank: Rank,
    sample: u64,
    verdict: Shared<Verdict>,
    accepted: Option<Shared<Accepted>>,
}

/// Groups that are being added up.
#[derive(Debug)]
pub struct Grouping {
    ids: RandomState,
    only: Option<GroupId>,
    /// The numbers of identities, and their hashes.
    identities: HashMap<Identity, u32, RandomState>,
    hashes: Vec<u64>,
    /// The same by the address of a process. Those are held, so that none becomes another one's.
    processes: HashMap<usize, u32, RandomState>,
    held: Vec<Shared<Process>>,
    places: HashMap<Key, u32, RandomState>,
    groups: Vec<Entry>,
    strangers: usize,
    beyond: Standings,
}

/// Why nothing is known of the owner of a flow.
fn unattributed(flow: &Flow) -> Option<&'static str> {
    match (&flow.process, flow.owner_withheld) {
        (Some(_), _) => None,
        (None, Some(withheld)) => Some(withheld.cause()),
        (None, None) if flow.found => {
            Some("it was found open, and no process that can be seen holds its socket")
        }
        (None, None) => Some("who called connect or accept was not seen"),
    }
}

impl Grouping {
    /// Nothing is added up yet. `ids` makes the ids: the same for as long as they are to be the same. `only`: nothing but this
    /// group.
    #[must_use]
    pub fn new(ids: RandomState, only: Option<GroupId>) -> Self {
        Self {
            ids,
            only,
            identities: HashMap::default(),
            hashes: Vec::new(),
            processes: HashMap::default(),
            held: Vec::new(),
            places: HashMap::default(),
            groups: Vec::new(),
            strangers: 0,
            beyond: Standings::default(),
        }
    }

    /// Counts a flow that is open, as it is shown; `name` is asked once for each group. True: it is in a group that is wanted.
    pub fn add(&mut self, flow: &Flow, member: Member<'_>, name: impl FnOnce() -> Option<Arc<str>>) -> bool {
        let rank = Rank::of(&flow.verdict, member.accepted.is_some());
        let Some(port) = flow.port_index else { return false };
        let identity = self.identity(flow.process.as_ref());
        let key = Key { port, direction: flow.direction, peer: member.peer, identity };
        let place = match self.places.get(&key) {
            Some(place) if *place != NONE || self.only.is_some() || rank < Rank::Accepted => *place,
            _ => {
                let place = self.begin(flow, &member, identity, rank, name);
                self.places.insert(key, place);
                place
            }
        };
        let Some(entry) = self.groups.get_mut(place as usize) else {
            if self.only.is_none() {
                self.beyond.count(rank);
            }
            return false;
        };
        entry.standings.count(rank);
        let state = flow.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
        *entry.posture.entry(state).or_default() += 1;
        match (flow.bytes_sent, flow.bytes_received) {
            (None, None) => entry.uncounted += 1,
            (sent, received) => {
                entry.bytes_sent = entry.bytes_sent.saturating_add(sent.unwrap_or(0));
                entry.bytes_received = entry.bytes_received.saturating_add(received.unwrap_or(0));
            }
        }
        match flow.opened_ns {
            Some(ns) => entry.oldest_ns = entry.oldest_ns.min(ns),
            None => entry.predates = true,
        }
        if rank > entry.rank {
            entry.rank = rank;
            entry.sample = flow.cookie;
            entry.process.clone_from(&flow.process);
            entry.verdict = flow.verdict.clone();
            entry.accepted = member.accepted;
        }
        true
    }

    /// The place of a new group; [`NONE`]: it is not wanted, or there is no room.
    fn begin(
        &mut self,
        flow: &Flow,
        member: &Member<'_>,
        identity: u32,
        rank: Rank,
        name: impl FnOnce() -> Option<Arc<str>>,
    ) -> u32 {
        let Member { port, peer, accepted } = member;
        let hash = self.hashes.get(identity as usize);
        let id = GroupId::new(self.ids.hash_one((&*port.name, port.number, flow.direction, peer, hash)));
        if self.only.is_some_and(|only| only != id) {
            return NONE;
        }
        let is_stranger = rank >= Rank::Accepted;
        if self.groups.len() - self.strangers >= MOST && !is_stranger || self.groups.len() >= 2 * MOST {
            return NONE;
        }
        self.strangers += usize::from(is_stranger);
        let place = u32::try_from(self.groups.len()).unwrap_or(NONE);
        self.groups.push(Entry {
            id,
            port: (*port).clone(),
            direction: flow.direction,
            peer: GroupPeer { ip: *peer, name: name() },
            process: flow.process.clone(),
            unattributed: unattributed(flow),
            standings: Standings::default(),
            posture: BTreeMap::new(),
            bytes_sent: 0,
            bytes_received: 0,
            uncounted: 0,
            oldest_ns: u64::MAX,
            predates: false,
            rank,
            sample: flow.cookie,
            verdict: flow.verdict.clone(),
            accepted: accepted.clone(),
        });
        place
    }

    /// The number of what stays the same of a process.
    fn identity(&mut self, process: Option<&Shared<Process>>) -> u32 {
        let address = process.map(Shared::address);
        if let Some(number) = address.and_then(|address| self.processes.get(&address)) {
            return *number;
        }
        let identity = Identity::of(process.map(|process| &**process));
        let hash = self.ids.hash_one(&identity);
        let next = u32::try_from(self.hashes.len()).unwrap_or(NONE);
        let number = *self.identities.entry(identity).or_insert(next);
        if number == next {
            self.hashes.push(hash);
        }
        if let (Some(address), Some(process)) = (address, process) {
            self.processes.insert(address, number);
            self.held.push(process.clone());
        }
        number
    }

    /// The groups, at most `limit` of them. `violations`: only those with a flow in violation. `time` makes a time of boottime
    /// in ns.
    #[must_use]
    pub fn finish(self, violations: bool, limit: usize, time: impl Fn(u64) -> Timestamp) -> FlowGroups {
        let Self { mut groups, mut beyond, .. } = self;
        if violations {
            groups.retain(|group| group.rank >= Rank::Accepted);
            beyond = Standings { declared: 0, undecided: 0, ..beyond };
        }
        let flows = beyond.all() + groups.iter().map(|group| group.standings.all()).sum::<u64>();
        let count = groups.len() as u64;
        groups.sort_by_key(|group| (Reverse(group.rank), Reverse(group.standings.all()), group.id));
        groups.truncate(limit);
        let row = |entry: Entry| FlowGroup {
            id: entry.id,
            port: entry.port,
            direction: entry.direction,
            peer: entry.peer,
            process: entry.process,
            unattributed: entry.unattributed.map(Arc::from),
            flows: entry.standings.all(),
            standings: entry.standings,
            posture: entry.posture,
            bytes_sent: entry.bytes_sent,
            bytes_received: entry.bytes_received,
            uncounted: entry.uncounted,
            oldest: (!entry.predates).then(|| time(entry.oldest_ns)),
            sample: Cookie(entry.sample),
            verdict: entry.verdict,
            accepted: entry.accepted,
        };
        FlowGroups { flows, groups: count, beyond, rows: groups.into_iter().map(row).collect() }
    }
}
