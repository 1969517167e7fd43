//! What listens now, by the inventory, or by the ledger where there is none.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::{Exposure, Inventory, Recognised, Service};
use crate::ledger::{Identity, Observed, PostureKey};
use crate::model::Direction;

/// One listening socket, or several that differ in nothing.
#[derive(Debug)]
pub(super) struct Listener {
    pub ip: IpAddr,
    pub number: u16,
    pub holder: Arc<Identity>,
    /// Who can reach it. In a network namespace of its own a listener on every address is reached from the networks of
    /// containers at most.
    pub exposure: Exposure,
    /// True if it is in the host's network, as far as that is known.
    pub of_host: bool,
    pub service: Service,
    pub postures: Vec<(PostureKey, u64)>,
    /// When the ledger saw it last; `None`: the host was looked at.
    pub seen: Option<Timestamp>,
}

/// All that listens. The inventory is what counts; the ledger is asked where there is none, and for what it could not read.
pub(super) fn now(observed: Option<&Observed>, inventory: Option<&Inventory>) -> Vec<Listener> {
    let mut all = Vec::new();
    for listening in inventory.iter().flat_map(|inventory| &inventory.listeners) {
        let holder = Arc::new(listening.holder.clone());
        for ip in &listening.addresses {
            all.push(Listener {
                ip: *ip,
                number: listening.port,
                holder: Arc::clone(&holder),
                exposure: exposure(*ip, listening.own_netns),
                of_host: listening.own_netns,
                service: listening.service.clone(),
                postures: listening.postures.clone(),
                seen: None,
            });
        }
    }
    if inventory.is_some_and(|inventory| inventory.unread.is_empty()) {
        return all;
    }
    for row in observed.iter().flat_map(|observed| &observed.listeners).filter(|row| row.open) {
        let (ip, number) = (row.local.ip, row.local.port);
        if all.iter().any(|other| (other.ip, other.number) == (ip, number)) {
            continue;
        }
        let of_host = row.identity.container.is_none();
        let by_port = crate::catalog::by_port(number);
        all.push(Listener {
            ip,
            number,
            holder: Arc::clone(&row.identity),
            exposure: exposure(ip, of_host),
            of_host,
            service: Service {
                id: by_port.map(|service| service.id.into()),
                name: by_port.map(|service| service.name.into()),
                by: by_port.map(|_| Recognised::Port).into_iter().collect(),
                why: None,
            },
            postures: Vec::new(),
            seen: Some(row.last),
        });
    }
    all
}

fn exposure(ip: IpAddr, of_host: bool) -> Exposure {
    let exposure = Exposure::of(ip);
    if of_host { exposure } else { exposure.min(Exposure::Private) }
}

/// Whether these are known to be reached on this host only: they are bound to nothing else, and nobody from elsewhere was seen.
/// Without a listener nothing is known.
pub(super) fn only_loopback<'a>(
    listeners: impl IntoIterator<Item = &'a Listener>,
    observed: Option<&Observed>,
    port: &str,
) -> bool {
    let mut known = false;
    for listener in listeners {
        known = true;
        if listener.exposure != Exposure::Loopback {
            return false;
        }
    }
    let edges = observed.iter().flat_map(|observed| &observed.edges);
    let elsewhere = |peer: IpAddr| !peer.is_loopback();
    known
        && !edges
            .filter(|edge| *edge.key.port.name == *port)
            .any(|edge| edge.key.direction == Direction::Out && elsewhere(edge.key.peer.addr()))
}
