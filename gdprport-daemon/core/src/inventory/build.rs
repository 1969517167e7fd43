//! From sorted sockets and their holders to the inventory: what is put together, and in which order it stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::exposure::Exposure;
use super::found::{End, FoundSocket, Holder, Sorted};
use super::listener::{Inventory, Listening, PeerGroup};
use super::recognise::{recognise, recognise_remote};
use crate::ledger::Identity;
use crate::model::{Direction, Endpoint};
use crate::policy::{ActivePolicy, Facts};

/// The networks that peers are put together by: the smallest that are routed on the internet (/24, /48). A /24 is one site of
/// most providers, and a /48 is one customer (RFC 6177).
pub const NETWORKS: (u8, u8) = (24, 48);

/// A process of this host at the other end, and the address that it called.
pub(super) type Client = (Arc<Identity>, IpAddr);

/// The peers of one listener or remote service: connections by address and, where it is on this host too, process.
pub(super) type Peers = BTreeMap<(IpAddr, Option<Client>), u64>;

/// What listeners and remote services are put together by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    port: u16,
    /// The own network namespace first.
    foreign: bool,
    netns: u64,
    holder: Arc<Identity>,
    declared: Option<Arc<str>>,
}

#[derive(Default)]
struct Group {
    addresses: BTreeSet<IpAddr>,
    claim: Option<Arc<str>>,
    goes_by: Option<Arc<str>>,
    peers: Peers,
}

impl Sorted {
    /// Puts the inventory together. `holder`: who holds the socket of this inode number. `own_netns`: the inode number of the
    /// network namespace that is looked from.
    #[must_use]
    pub fn build(
        &self,
        holder: impl Fn(u32) -> Option<Holder>,
        policy: Option<&ActivePolicy>,
        own_netns: u64,
    ) -> Inventory {
        let held_by = |socket: &FoundSocket| {
            let found = if socket.inode == 0 { None } else { holder(socket.inode) };
            found.unwrap_or_else(Holder::unknown)
        };
        let key = |socket: &FoundSocket, port, holder: &Holder, declared| Key {
            port,
            foreign: socket.netns != own_netns,
            netns: socket.netns,
            holder: Arc::clone(&holder.identity),
            declared,
        };
        let (mut here, mut remote) = (BTreeMap::<Key, Group>::new(), BTreeMap::<Key, Group>::new());
        let mut peers: HashMap<usize, Peers> = HashMap::new();
        for (socket, end) in self.connections.iter().zip(&self.ends) {
            let Some(peer) = socket.peer else { continue };
            match end {
                End::Accepted { listener, client } => {
                    let process = client.and_then(|client| known(&held_by(&self.connections[client])));
                    let of_listener = peers.entry(*listener).or_default();
                    let client = process.map(|process| (process, socket.local.ip));
                    *of_listener.entry((peer.ip, client)).or_default() += 1;
                }
                End::Left { listener } => {
                    let client = known(&held_by(socket)).map(|process| (process, peer.ip));
                    *peers.entry(*listener).or_default().entry((socket.local.ip, client)).or_default() += 1;
                }
                End::Called => {
                    let (holder, declared) = (held_by(socket), declared_at(policy, peer));
                    let group = remote.entry(key(socket, peer.port, &holder, declared)).or_default();
                    group.add(peer.ip, &holder);
                    *group.peers.entry((peer.ip, None)).or_default() += 1;
                }
                End::Other => {}
            }
        }
        for (index, socket) in self.listeners.iter().enumerate() {
            let holder = held_by(socket);
            let declared = declared_here(policy, socket.local.port);
            let group = here.entry(key(socket, socket.local.port, &holder, declared)).or_default();
            group.add(socket.local.ip, &holder);
            for (peer, connections) in peers.remove(&index).unwrap_or_default() {
                *group.peers.entry(peer).or_default() += connections;
            }
        }
        Inventory {
            listeners: here
                .into_iter()
                .map(|(key, group)| group.finish(key, Direction::In, self.each))
                .collect(),
            remote: remote
                .into_iter()
                .map(|(key, group)| group.finish(key, Direction::Out, self.each))
                .collect(),
            ..Inventory::default()
        }
    }
}

impl Group {
    fn add(&mut self, ip: IpAddr, holder: &Holder) {
        self.addresses.insert(ip);
        if self.claim.is_none() {
            self.claim.clone_from(&holder.claim);
        }
        if self.goes_by.is_none() {
            self.goes_by.clone_from(&holder.goes_by);
        }
    }

    fn finish(self, key: Key, direction: Direction, each: usize) -> Listening {
        let here = direction == Direction::In;
        let service = if here { recognise(key.port, &key.holder) } else { recognise_remote(key.port) };
        Listening {
            exposure: self.addresses.iter().map(|ip| Exposure::of(*ip)).max().filter(|_| here),
            addresses: self.addresses.into_iter().collect(),
            port: key.port,
            netns: key.netns,
            own_netns: !key.foreign,
            holder: Arc::unwrap_or_clone(key.holder),
            claim: self.claim,
            goes_by: self.goes_by,
            service,
            declared: key.declared,
            peers: grouped(self.peers, direction, each),
            postures: Vec::new(),
        }
    }
}

/// Peers as they are shown: by address, or by network where there are more than `each`; the most connections first.
pub(super) fn grouped(peers: Peers, direction: Direction, each: usize) -> Vec<PeerGroup> {
    let addresses: BTreeSet<IpAddr> = peers.keys().map(|(ip, _)| *ip).collect();
    let each = addresses.len() <= each;
    let mut groups: BTreeMap<(IpNet, Option<Client>), u64> = BTreeMap::new();
    for ((ip, process), connections) in peers {
        let net = if each || ip.is_loopback() { IpNet::from(ip) } else { network(ip) };
        *groups.entry((net, process)).or_default() += connections;
    }
    let mut groups: Vec<PeerGroup> = groups
        .into_iter()
        .map(|((net, client), connections)| {
            let (process, called) = client.unzip();
            PeerGroup { net, direction, connections, process: process.map(Arc::unwrap_or_clone), called }
        })
        .collect();
    // Equal ones stay in order of their address.
    groups.sort_by_key(|group| std::cmp::Reverse(group.connections));
    groups
}

fn network(ip: IpAddr) -> IpNet {
    let (v4, v6) = NETWORKS;
    IpNet::new(ip, if ip.is_ipv4() { v4 } else { v6 }).map_or_else(|_| ip.into(), |net| net.trunc())
}

fn known(holder: &Holder) -> Option<Arc<Identity>> {
    (*holder.identity != Identity::UNKNOWN).then(|| Arc::clone(&holder.identity))
}

/// The declaration that says that a port is served here.
pub(super) fn declared_here(policy: Option<&ActivePolicy>, port: u16) -> Option<Arc<str>> {
    policy?.policy().served_here(port).cloned()
}

/// The declaration that a connection elsewhere falls under.
pub(super) fn declared_at(policy: Option<&ActivePolicy>, peer: Endpoint) -> Option<Arc<str>> {
    let facts = Facts {
        peer_missing: None,
        peer_within: None,
        direction: Direction::Out,
        // Of a connected flow it decides nothing.
        local: Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        peer,
        nat: None,
        process: None,
        owner_withheld: None,
        posture: None,
    };
    policy?.port_of(&facts).filter(|port| port.declared).map(|port| Arc::clone(&port.name))
}

/// Peers with more of them, which are too many now or not.
pub(super) fn regrouped(mut groups: Vec<PeerGroup>, each: usize) -> Vec<PeerGroup> {
    let addresses: BTreeSet<IpNet> = groups.iter().map(|group| group.net).collect();
    if addresses.len() > each {
        let mut merged: Vec<PeerGroup> = Vec::new();
        for mut group in groups {
            let ip = group.net.addr();
            if group.net.prefix_len() == group.net.max_prefix_len() && !ip.is_loopback() {
                group.net = network(ip);
            }
            match merged.iter_mut().find(|known| known.net == group.net && known.process == group.process) {
                Some(known) => known.connections += group.connections,
                None => merged.push(group),
            }
        }
        groups = merged;
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.connections));
    groups
}
