//! What was watched for a while, added to an inventory that was taken at its end.

use std::collections::HashMap;

use ipnet::IpNet;

use super::build::{declared_at, declared_here, regrouped};
use super::exposure::Exposure;
use super::found::ADDRESSES_EACH;
use super::listener::{Inventory, Listening, PeerGroup, Recognised};
use super::recognise::{of, recognise, recognise_remote};
use super::seen::{Seen, SeenKey, Sum};
use crate::catalog;
use crate::ledger::Identity;
use crate::model::{Attribution, Direction};
use crate::policy::ActivePolicy;

impl Inventory {
    /// Adds flows that were watched before the inventory was taken: peers that have left, how all were encrypted, and protocols.
    /// `netns_of`: the inode number of a network namespace by its cookie; `own_netns`: that of the own one.
    pub fn add_seen(
        &mut self,
        seen: Seen,
        netns_of: impl Fn(u64) -> Option<u64>,
        policy: Option<&ActivePolicy>,
        own_netns: u64,
    ) {
        self.watched = true;
        let mut here = by_port(&self.listeners);
        let mut elsewhere = by_port(&self.remote);
        let mut sums: Vec<_> = seen.into_sums().into_iter().collect();
        // So that what is new stands in the same order each time.
        sums.sort_by(|(a, _), (b, _)| {
            (a.service, a.peer, &a.identity).cmp(&(b.service, b.peer, &b.identity))
        });
        for (key, sum) in sums {
            let netns = netns_of(key.netns_cookie);
            let (list, index) = match key.direction {
                Direction::In => (&mut self.listeners, &mut here),
                // What is called on this host is the listener's peer.
                Direction::Out if key.process.is_some() => continue,
                Direction::Out if find(&self.listeners, &here, &key, netns, true).is_some() => continue,
                Direction::Out if !is_known(&key, policy) => continue,
                Direction::Out => (&mut self.remote, &mut elsewhere),
            };
            let at = find(list, index, &key, netns, key.direction == Direction::In).unwrap_or_else(|| {
                list.push(new(&key, netns.unwrap_or(own_netns), own_netns, policy));
                index.entry(key.service.port).or_default().push(list.len() - 1);
                list.len() - 1
            });
            add(&mut list[at], &key, sum);
        }
        for listening in self.listeners.iter_mut().chain(&mut self.remote) {
            listening.peers = regrouped(std::mem::take(&mut listening.peers), ADDRESSES_EACH);
            listening.postures.sort_by(|(a, m), (b, n)| (n, a).cmp(&(m, b)));
        }
        self.listeners.sort_by_key(|listening| (listening.port, !listening.own_netns, listening.netns));
        self.remote.sort_by_key(|listening| (listening.port, !listening.own_netns, listening.netns));
    }
}

fn by_port(list: &[Listening]) -> HashMap<u16, Vec<usize>> {
    let mut index: HashMap<u16, Vec<usize>> = HashMap::new();
    for (at, listening) in list.iter().enumerate() {
        index.entry(listening.port).or_default().push(at);
    }
    index
}

/// The listener that a flow came to, or the remote service that it called, in this network namespace if it is known. The one of
/// the flow's own process comes first.
fn find(
    list: &[Listening],
    index: &HashMap<u16, Vec<usize>>,
    key: &SeenKey,
    netns: Option<u64>,
    listens: bool,
) -> Option<usize> {
    let ip = key.service.ip;
    let fits = |listening: &Listening| {
        let mut addresses = listening.addresses.iter();
        let there = if listens {
            addresses.any(|bound| *bound == ip || bound.is_unspecified())
        } else {
            is_same(&listening.holder, &key.identity)
        };
        there && netns.is_none_or(|netns| netns == listening.netns)
    };
    let found = index.get(&key.service.port)?.iter().copied().filter(|at| fits(&list[*at]));
    found.min_by_key(|at| !is_same(&list[*at].holder, &key.identity))
}

/// Whether two are the same, however each is known.
fn is_same(a: &Identity, b: &Identity) -> bool {
    let alike = |identity: &Identity| Identity { attribution: Attribution::Unknown, ..identity.clone() };
    alike(a) == alike(b)
}

fn is_known(key: &SeenKey, policy: Option<&ActivePolicy>) -> bool {
    let port = key.service.port;
    catalog::by_port(port).is_some() || policy.is_some_and(|policy| policy.port(port).is_some())
}

/// One that is gone already, or that only short-lived connections call.
fn new(key: &SeenKey, netns: u64, own_netns: u64, policy: Option<&ActivePolicy>) -> Listening {
    let here = key.direction == Direction::In;
    let port = key.service.port;
    Listening {
        addresses: vec![key.service.ip],
        port,
        exposure: here.then(|| Exposure::of(key.service.ip)),
        netns,
        own_netns: netns == own_netns,
        service: if here { recognise(port, &key.identity) } else { recognise_remote(port) },
        holder: (*key.identity).clone(),
        claim: None,
        goes_by: None,
        declared: if here { declared_here(policy, port) } else { declared_at(policy, key.service) },
        peers: Vec::new(),
        postures: Vec::new(),
    }
}

fn add(listening: &mut Listening, key: &SeenKey, sum: Sum) {
    if key.direction == Direction::Out && !listening.addresses.contains(&key.service.ip) {
        listening.addresses.push(key.service.ip);
        listening.addresses.sort_unstable();
    }
    if sum.ended > 0 {
        let known = |group: &&mut PeerGroup| match (&group.process, &key.process) {
            (Some(a), Some(b)) => is_same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let mut groups = listening.peers.iter_mut().filter(|group| group.net.contains(&key.peer));
        match groups.find(known) {
            Some(group) => group.connections += sum.ended,
            None => listening.peers.push(PeerGroup {
                net: IpNet::from(key.peer),
                direction: key.direction,
                connections: sum.ended,
                called: key.process.as_ref().map(|_| key.service.ip),
                process: key.process.as_deref().cloned(),
            }),
        }
    }
    for (posture, connections) in sum.postures {
        match listening.postures.iter_mut().find(|(known, _)| *known == posture) {
            Some((_, sum)) => *sum += connections,
            None => listening.postures.push((posture, connections)),
        }
    }
    for spoken in sum.spoken {
        let service = &mut listening.service;
        match (&service.id, spoken.service) {
            (Some(id), Some(said)) if **id == *said => {}
            (None, Some(said)) => {
                if let Some(known) = catalog::by_id(said) {
                    *service = of(known, &[]);
                }
            }
            (None, None) if service.name.as_deref().is_none_or(|name| name == spoken.name) => {
                service.name = Some(spoken.name.into());
            }
            // What the program or the port says stays: a second protocol on it may be a console.
            _ => continue,
        }
        if !service.by.contains(&Recognised::Bytes) {
            service.by.push(Recognised::Bytes);
        }
    }
}
