//! Single values of an inventory as words.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use gdprport_core::inventory::{Exposure, Listening, PeerGroup, Recognised};
use gdprport_core::ledger::Identity;

use super::super::container::kept_container;
use super::super::format::{basename, counts, thousands};
use super::super::table::TIE;

/// Who can reach it, by its address.
pub(super) const fn exposure(exposure: Exposure, own_netns: bool) -> &'static str {
    match (exposure, own_netns) {
        (Exposure::Loopback, true) => "this host",
        (Exposure::Loopback, false) => "its netns",
        (Exposure::Private, _) => "private",
        (Exposure::Public, _) => "internet",
        (Exposure::Every, _) => "anywhere",
    }
}

/// How it was recognized.
pub(super) const fn recognised(by: Recognised) -> &'static str {
    match by {
        Recognised::Executable => "program",
        Recognised::Port => "port",
        Recognised::Bytes => "bytes",
    }
}

/// Addresses with their port: `*:5432` for every address of both families. Of many, the first few.
pub(super) fn addresses(addresses: &[IpAddr], port: u16, most: usize) -> String {
    let every = |v4: bool| addresses.iter().any(|ip| ip.is_unspecified() && ip.is_ipv4() == v4);
    let both = every(true) && every(false);
    let mut texts: Vec<String> = Vec::new();
    if both {
        texts.push(format!("*:{port}"));
    }
    let single = addresses.iter().filter(|ip| !(both && ip.is_unspecified()));
    texts.extend(single.map(|ip| SocketAddr::new(*ip, port).to_string()));
    shortened(texts, most)
}

/// The program that runs: a script's own name, or the executable's.
pub(super) fn program(identity: &Identity) -> Option<&str> {
    identity.script.as_deref().or(identity.exe.as_deref()).map(basename)
}

/// The user's name, or the number.
pub(super) fn user(identity: &Identity) -> Option<String> {
    identity.user.as_deref().map(ToOwned::to_owned).or_else(|| identity.uid.map(|uid| uid.to_string()))
}

/// The container, or else the unit.
pub(super) fn place(identity: &Identity, room: usize) -> Option<String> {
    let container = identity.container.as_ref().map(|container| kept_container(container, room));
    container.or_else(|| identity.unit.as_deref().map(ToOwned::to_owned))
}

/// How many connections are open.
pub(super) fn connections(listening: &Listening) -> u64 {
    listening.peers.iter().map(|peer| peer.connections).sum()
}

/// The peers with the most connections: `psql ×3, 10.0.0.5 ×2, 10.1.0.0/24 ×200, 4 more`.
pub(super) fn peers(peers: &[PeerGroup], most: usize) -> String {
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    for peer in peers {
        *by_name.entry(peer_name(peer)).or_default() += peer.connections;
    }
    let mut named: Vec<(String, u64)> = by_name.into_iter().collect();
    named.sort_by_key(|(_, connections)| std::cmp::Reverse(*connections));
    let texts = named.into_iter().map(|(name, connections)| match connections {
        1 => name,
        _ => format!("{name}{TIE}×{}", thousands(connections)),
    });
    shortened(texts.collect(), most)
}

/// A process of this host by its name, with its address where that is not loopback; everybody else by address.
fn peer_name(peer: &PeerGroup) -> String {
    let whole = peer.net.prefix_len() == peer.net.max_prefix_len();
    let address = if whole { peer.net.addr().to_string() } else { peer.net.to_string() };
    match peer.process.as_ref().map(|process| program(process).or(process.name()).unwrap_or("a process")) {
        Some(name) if peer.net.addr().is_loopback() => name.to_owned(),
        Some(name) => format!("{name} at {address}"),
        None => address,
    }
}

/// How connections were encrypted: `tls1.3 12, plaintext 3`.
pub(super) fn encryption(listening: &Listening) -> String {
    let mut states: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (posture, connections) in &listening.postures {
        *states.entry(posture.state.as_str()).or_default() += connections;
    }
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by_key(|(_, connections)| std::cmp::Reverse(*connections));
    counts(states)
}

/// The first few, and how many more there are.
fn shortened(mut texts: Vec<String>, most: usize) -> String {
    let more = texts.len().saturating_sub(most);
    if more > 1 {
        texts.truncate(most);
        texts.push(format!("{}{TIE}more", thousands(more as u64)));
    }
    texts.join(", ")
}
