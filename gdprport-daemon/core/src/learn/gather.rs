//! An inventory, and what the ledger says of a period, as what was seen of the services of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::peers::{gather, is_nobody};
use super::seen::{Seen, SeenEdge, SeenService, Source};
use super::text::clean;
use crate::catalog;
use crate::figures::counted;
use crate::inventory::{Inventory, Listening, PeerGroup, Recognised, Service, recognise};
use crate::ledger::{Edge, Identity, Observed, PortKey, PostureKey, VerdictKey};
use crate::model::{Direction, PostureState, TlsVersion};
use crate::privacy::is_pseudonym;
use crate::verdict::ReasonId;

/// Services by port; the local one of a port before the remote one.
type Services = BTreeMap<(u16, bool), SeenService>;

impl Seen {
    /// Of a look at the host.
    #[must_use]
    pub fn of_inventory(inventory: &Inventory) -> Self {
        let mut services = Services::new();
        for found in &inventory.listeners {
            let service = service(&mut services, found, false);
            let holder = Arc::new(found.holder.clone());
            for address in &found.addresses {
                add(&mut service.bound, *address);
            }
            add(&mut service.holders, found.holder.clone());
            for group in &found.peers {
                service.edges.push(edge(group.direction, &holder, Some(group.net), group));
                // The other end of a connection within the host is a flow of its own.
                if let (Direction::In, Some(client)) = (group.direction, &group.process) {
                    let called = group.called.map(IpNet::from);
                    service.edges.push(edge(Direction::Out, &Arc::new(client.clone()), called, group));
                }
            }
        }
        for found in &inventory.remote {
            let service = service(&mut services, found, true);
            add(&mut service.holders, found.holder.clone());
            let holder = Arc::new(found.holder.clone());
            service.edges.extend(
                found.peers.iter().map(|group| edge(Direction::Out, &holder, Some(group.net), group)),
            );
        }
        let unseen = inventory
            .unread
            .iter()
            .map(|unread| format!("{} {}: {}", unread.count, clean(unread.noun()), clean(&unread.why)));
        let watched = inventory.watched.then_some((inventory.from, inventory.to));
        let watched_s = watched.map(|time| match time {
            (Some(from), Some(to)) => u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0),
            _ => 0,
        });
        Self { source: Source::Look { watched_s }, unseen: unseen.collect(), services: placed(services) }
    }

    /// Of the ledger.
    #[must_use]
    pub fn of_ledger(observed: &Observed) -> Self {
        Self::of_rows(observed, &observed.edges)
    }

    /// Of the ledger, with these flows instead of its own.
    #[must_use]
    pub fn of_rows<'e>(observed: &Observed, edges: impl IntoIterator<Item = &'e Edge>) -> Self {
        let mut services = Services::new();
        for row in &observed.listeners {
            let service = by_port(&mut services, &row.port, false);
            let found = recognise(row.port.number, &row.identity);
            if better(&found, &service.service) {
                service.service = found;
            }
            add(&mut service.bound, row.local.ip);
            add(&mut service.holders, (*row.identity).clone());
        }
        let mut failed = 0_u64;
        // Connections are declared where they stand for good.
        for edge in edges.into_iter().filter(|edge| !edge.counts.is_passed_through()) {
            // Who tried and was never connected is declared by nothing: it may be somebody who looks for open ports.
            if edge.counts.failed > 0 && edge.counts.failed >= edge.counts.standing() {
                failed = failed.saturating_add(edge.counts.failed);
                continue;
            }
            let remote = edge.key.direction == Direction::Out && !is_served_here(&services, edge);
            let service = by_port(&mut services, &edge.key.port, remote);
            let counts = &edge.counts;
            let connections = counts.standing();
            service.edges.push(SeenEdge {
                direction: edge.key.direction,
                identity: Arc::clone(&edge.key.identity),
                peer: Some(edge.key.peer),
                connections,
                in_violation: edge.key.policy.is_some()
                    && matches!(*edge.key.verdict, VerdictKey::Violation { .. }),
                time: Some((edge.first, edge.last)),
            });
            // What is not known yet of a flow stands there until it is: only what ended so was not seen.
            let known = edge.key.posture.state != PostureState::Unknown;
            let weight = if known { counts.standing().saturating_sub(counts.failed) } else { counts.closed };
            count(service, &edge.key.posture, weight);
            service.demanded = service.demanded.max(demanded(edge));
        }
        let lost = observed.gaps.len() as u64;
        let mut unseen = Vec::new();
        if lost > 0 {
            let first = observed.gaps.iter().map(|gap| gap.from).min().unwrap_or(observed.from);
            unseen.push(format!("{} in the ledger, the first at {first:.0}", counted(lost, "gap")));
        }
        if failed > 0 {
            let none = if failed == 1 { "no rule is for it" } else { "no rule is for them" };
            unseen.push(format!("{} to connect failed; {none}", counted(failed, "attempt")));
        }
        let source = Source::Ledger { from: observed.from, to: observed.to };
        Self { source, unseen, services: placed(services) }
    }
}

/// What the policy of then demanded of the encryption at least, if that is why this was a violation.
fn demanded(edge: &Edge) -> Option<TlsVersion> {
    let (VerdictKey::Violation { reasons, .. }, Some(_)) = (&*edge.key.verdict, &edge.key.policy) else {
        return None;
    };
    let weak = reasons.contains(&ReasonId::WeakTls);
    // TLS 1.2 is weak only where 1.3 is demanded; weak cipher suites have a state of their own.
    if weak && edge.key.posture.state == PostureState::Tls12 {
        return Some(TlsVersion::Tls13);
    }
    let of_encryption = [ReasonId::Plaintext, ReasonId::TlsRefused, ReasonId::NotTls];
    (weak || reasons.iter().any(|reason| of_encryption.contains(reason))).then_some(TlsVersion::Tls12)
}

fn edge(direction: Direction, identity: &Arc<Identity>, peer: Option<IpNet>, group: &PeerGroup) -> SeenEdge {
    let identity = Arc::clone(identity);
    SeenEdge { direction, identity, peer, connections: group.connections, in_violation: false, time: None }
}

fn service<'s>(services: &'s mut Services, found: &Listening, remote: bool) -> &'s mut SeenService {
    let service = services.entry((found.port, remote)).or_insert_with(|| SeenService {
        port: found.port,
        remote,
        ..SeenService::default()
    });
    service.in_own_netns |= found.own_netns;
    if better(&found.service, &service.service) {
        service.service = found.service.clone();
    }
    if service.declared.is_none() {
        service.declared.clone_from(&found.declared);
    }
    if service.claim.is_none() {
        service.claim.clone_from(&found.claim);
    }
    for (posture, connections) in &found.postures {
        count(service, posture, *connections);
    }
    service
}

/// The bytes prove a protocol, an executable suggests it, a port is a convention.
fn better(one: &Service, other: &Service) -> bool {
    let rank = |service: &Service| {
        service.id.as_ref().map(|_| {
            service
                .by
                .iter()
                .map(|by| match by {
                    Recognised::Port => 1,
                    Recognised::Executable => 2,
                    Recognised::Bytes => 3,
                })
                .sum::<u32>()
        })
    };
    rank(one) > rank(other)
}

fn by_port<'s>(services: &'s mut Services, port: &PortKey, remote: bool) -> &'s mut SeenService {
    let number = port.number;
    let service = services.entry((number, remote)).or_insert_with(|| {
        let known = catalog::by_port(number);
        SeenService {
            port: number,
            remote,
            in_own_netns: true,
            service: Service {
                id: known.map(|known| known.id.into()),
                name: known.map(|known| known.name.into()),
                by: known.map(|_| Recognised::Port).into_iter().collect(),
                why: None,
            },
            ..SeenService::default()
        }
    });
    if port.declared && service.declared.is_none() {
        service.declared = Some(Arc::clone(&port.name));
    }
    service
}

/// Whether a connection that was made here went to a listener of this host.
fn is_served_here(services: &Services, edge: &Edge) -> bool {
    let peer = edge.key.peer.addr().to_canonical();
    let bound = services.get(&(edge.key.port.number, false)).map(|service| &service.bound);
    peer.is_loopback() || bound.is_some_and(|bound| bound.iter().any(|ip| ip.to_canonical() == peer))
}

fn count(service: &mut SeenService, posture: &PostureKey, connections: u64) {
    let version = match posture.state {
        PostureState::Tls13 => Some(TlsVersion::Tls13),
        PostureState::Tls12 => Some(TlsVersion::Tls12),
        _ => posture.version,
    };
    if connections > 0 {
        *service.postures.entry((posture.state, version)).or_default() += connections;
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Puts what was called here under the declaration that a policy will find for it: a remote service that has the address.
fn placed(mut services: Services) -> Vec<SeenService> {
    let ports: BTreeSet<u16> = services.keys().map(|(port, _)| *port).collect();
    for port in ports {
        // What is moved may be written wider than itself (`loopback`, networks), and so take more with it.
        while move_elsewhere(&mut services, port) {}
    }
    // A service elsewhere is nothing but its addresses.
    services.retain(|_, service| {
        let mut peers = service.edges.iter().filter_map(|edge| edge.peer);
        !service.remote || peers.any(|peer| !is_nobody(peer) && !is_pseudonym(peer))
    });
    for service in services.values_mut() {
        service.bound.sort_by_key(IpAddr::to_canonical);
    }
    services.into_values().collect()
}

/// Moves the calls from the local service of a port to addresses that the remote one has too, as they are written. Of a
/// network that is kept for its many addresses nobody knows which was called: the declaration that a policy finds for the
/// first of them must have the rule. Returns whether there were any.
fn move_elsewhere(services: &mut Services, port: u16) -> bool {
    let Some(elsewhere) = services.get(&(port, true)) else { return false };
    // As they are written, which may be wider than what was called.
    let written = gather(elsewhere.edges.iter().filter_map(|edge| edge.peer));
    let Some(here) = services.get_mut(&(port, false)) else { return false };
    let is_elsewhere = |edge: &SeenEdge| {
        edge.direction == Direction::Out && edge.peer.is_some_and(|peer| written.overlaps(peer))
    };
    let moved: Vec<_> = here.edges.extract_if(.., |edge| is_elsewhere(edge)).collect();
    let some = !moved.is_empty();
    if let Some(elsewhere) = services.get_mut(&(port, true)) {
        elsewhere.edges.extend(moved);
    }
    some
}
