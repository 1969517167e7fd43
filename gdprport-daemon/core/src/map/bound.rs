//! Keeps a map readable: what is smallest stands together, with its count. Violations come first, and never stand together with
//! anything else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::model::{Edge, End, Graph, Kind, Link, Outcome, Port, Recipient, Source};
use crate::model::Direction;
use crate::records::{Rows, Volume, Zone};

/// Edges that a map has at most, those of groups among them.
pub const MOST_EDGES: usize = 60;

/// Services that a map has at most, and one for all others.
pub const MOST_PORTS: usize = 24;

/// Programs that a map has at most, and two for all others: those with violations and those without.
pub const MOST_SOURCES: usize = 16;

/// With so few services each has room for its groups: one for each direction and outcome.
const FEW_PORTS: usize = MOST_EDGES / 6 - 1;

/// The group that an edge would stand in.
type Group = (usize, Option<Zone>, Outcome, Direction);

/// How coarse groups are.
#[derive(Debug, Clone, Copy)]
struct Coarse {
    ports: usize,
    by_zone: bool,
}

pub(super) fn bounded(graph: Graph) -> Graph {
    let graph = sources(graph);
    let all = [MOST_PORTS, FEW_PORTS];
    let plans = all.into_iter().flat_map(|ports| [true, false].map(|by_zone| Coarse { ports, by_zone }));
    let mut best: Option<(usize, Graph, Coarse)> = None;
    for coarse in plans {
        let fewer = ports(graph.clone(), coarse.ports);
        let Some(kept) = kept(&fewer, coarse) else { continue };
        let is_enough = kept >= fewer.edges.len().min(MOST_EDGES / 2);
        if best.as_ref().is_none_or(|(most, ..)| kept > *most) {
            best = Some((kept, fewer, coarse));
        }
        if is_enough {
            break;
        }
    }
    match best {
        Some((kept, graph, coarse)) => edges(graph, kept, coarse),
        None => graph,
    }
}

/// Adds rows to rows.
fn add(rows: &mut Rows, more: &Rows) {
    rows.0.extend(&more.0);
    rows.0.sort_unstable();
    rows.0.dedup();
}

/// The worst that was seen of each of `len` nodes.
fn worst(len: usize, seen: impl Iterator<Item = (usize, Outcome)>) -> Vec<Outcome> {
    let mut worst = vec![Outcome::Declared; len];
    for (at, outcome) in seen {
        worst[at] = worst[at].min(outcome);
    }
    worst
}

/// Programs beyond the bound stand together.
fn sources(mut graph: Graph) -> Graph {
    if graph.sources.len() <= MOST_SOURCES {
        return graph;
    }
    let worst = worst(graph.sources.len(), graph.links.iter().map(|link| (link.source, link.outcome)));
    let mut order: Vec<usize> = (0..graph.sources.len()).collect();
    order.sort_by_key(|at| (worst[*at], Reverse(graph.sources[*at].volume.bytes()), *at));
    let mut place = vec![0; graph.sources.len()];
    let mut kept: Vec<Source> = Vec::new();
    let mut more: BTreeMap<bool, usize> = BTreeMap::new();
    for (rank, at) in order.into_iter().enumerate() {
        let source = &graph.sources[at];
        if rank < MOST_SOURCES {
            place[at] = kept.len();
            kept.push(source.clone());
            continue;
        }
        let group = *more.entry(worst[at] == Outcome::Violation).or_insert_with(|| {
            kept.push(Source { kind: Kind::More, name: "".into(), count: 0, volume: Volume::default() });
            kept.len() - 1
        });
        place[at] = group;
        kept[group].count += 1;
        kept[group].volume.add(&source.volume);
    }
    graph.sources = kept;
    for edge in &mut graph.edges {
        edge.sources = edge.sources.iter().map(|at| place[*at]).collect();
    }
    graph.links.iter_mut().for_each(|link| link.source = place[link.source]);
    merge_links(&mut graph);
    graph
}

/// Services beyond the bound stand together; those of which nothing was seen go first.
fn ports(mut graph: Graph, most: usize) -> Graph {
    if graph.ports.len() <= most {
        return graph;
    }
    let worst = worst(graph.ports.len(), graph.edges.iter().map(|edge| (edge.port, edge.outcome)));
    let mut bytes = vec![0_u64; graph.ports.len()];
    for edge in &graph.edges {
        bytes[edge.port] = bytes[edge.port].saturating_add(edge.volume.bytes());
    }
    let mut order: Vec<usize> = (0..graph.ports.len()).collect();
    order.sort_by_key(|at| (!graph.ports[*at].is_seen, worst[*at], Reverse(bytes[*at]), *at));
    let stays: BTreeSet<usize> = order.into_iter().take(most).collect();
    let mut place = vec![None; graph.ports.len()];
    let mut kept: Vec<Port> = Vec::new();
    for (at, port) in graph.ports.iter().enumerate().filter(|(at, _)| stays.contains(at)) {
        place[at] = Some(kept.len());
        kept.push(port.clone());
    }
    let mut group = None;
    for (at, port) in graph.ports.iter().enumerate().filter(|(at, _)| !stays.contains(at)) {
        if !port.is_seen {
            graph.unseen += 1;
            continue;
        }
        let of = *group.get_or_insert(kept.len());
        if of == kept.len() {
            kept.push(Port { name: "".into(), ports: Vec::new(), protocol: None, count: 0, ..port.clone() });
        }
        kept[of].count += 1;
        // It is called declared only if all of it is.
        kept[of].is_declared &= port.is_declared;
        place[at] = Some(of);
    }
    graph.ports = kept;
    // Whatever has an edge or a link was seen, so it has a place.
    let place = |at: usize| place[at].unwrap_or(0);
    graph.links.iter_mut().for_each(|link| link.port = place(link.port));
    merge_links(&mut graph);
    graph.edges.iter_mut().for_each(|edge| edge.port = place(edge.port));
    let mut edges: BTreeMap<_, Edge> = BTreeMap::new();
    for edge in std::mem::take(&mut graph.edges) {
        let key = (edge.port, edge.recipient, edge.direction, edge.outcome);
        join(edges.entry(key).or_insert_with(|| Edge::empty(key.0, key.1, key.2, key.3)), &edge);
    }
    graph.edges = edges.into_values().collect();
    graph
}

fn merge_links(graph: &mut Graph) {
    let mut links: BTreeMap<_, Link> = BTreeMap::new();
    for link in std::mem::take(&mut graph.links) {
        let known = links.entry((link.source, link.port, link.direction, link.outcome));
        known
            .and_modify(|known| {
                known.is_plain |= link.is_plain;
                add(&mut known.rows, &link.rows);
            })
            .or_insert(link);
    }
    graph.links = links.into_values().collect();
}

fn join(edge: &mut Edge, other: &Edge) {
    edge.rules.extend(other.rules.iter().cloned());
    edge.reasons.extend(&other.reasons);
    edge.is_plain |= other.is_plain;
    edge.encrypted.0 = edge.encrypted.0.saturating_add(other.encrypted.0);
    edge.encrypted.1 = edge.encrypted.1.saturating_add(other.encrypted.1);
    edge.volume.add(&other.volume);
    add(&mut edge.rows, &other.rows);
    edge.sources.extend(&other.sources);
}

/// Edges in the order in which they are kept: what is wrong or open first, then the largest.
fn ranked(graph: &Graph) -> Vec<&Edge> {
    let mut edges: Vec<&Edge> = graph.edges.iter().collect();
    edges.sort_by_key(|edge| {
        let volume = &edge.volume;
        let end = &graph.recipients[edge.recipient].end;
        (edge.outcome, Reverse((volume.bytes(), volume.flows)), edge.port, end, edge.direction)
    });
    edges
}

fn group(graph: &Graph, edge: &Edge, coarse: Coarse) -> Group {
    let zone = graph.recipients[edge.recipient].zone.filter(|_| coarse.by_zone);
    (edge.port, zone, edge.outcome, edge.direction)
}

/// How many edges can be kept, so that these and the groups of the others are not too many.
fn kept(graph: &Graph, coarse: Coarse) -> Option<usize> {
    let edges = ranked(graph);
    let mut groups = BTreeSet::new();
    let mut kept = edges.len();
    loop {
        if kept + groups.len() <= MOST_EDGES {
            return Some(kept);
        }
        kept = kept.checked_sub(1)?;
        groups.insert(group(graph, edges[kept], coarse));
    }
}

fn edges(graph: Graph, kept: usize, coarse: Coarse) -> Graph {
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut place: BTreeMap<usize, usize> = BTreeMap::new();
    let mut edges: Vec<Edge> = Vec::new();
    let mut groups: BTreeMap<Group, usize> = BTreeMap::new();
    let mut ends: BTreeMap<(Option<Zone>, Outcome), (usize, BTreeSet<usize>)> = BTreeMap::new();
    for (rank, edge) in ranked(&graph).into_iter().enumerate() {
        if rank < kept {
            let at = *place.entry(edge.recipient).or_insert_with(|| {
                recipients.push(graph.recipients[edge.recipient].clone());
                recipients.len() - 1
            });
            edges.push(Edge { recipient: at, ..edge.clone() });
            continue;
        }
        let key = group(&graph, edge, coarse);
        let (end, of) = ends.entry((key.1, key.2)).or_insert_with(|| {
            recipients.push(Recipient { end: End::More(0, key.2), zone: key.1, country: None });
            (recipients.len() - 1, BTreeSet::new())
        });
        of.insert(edge.recipient);
        let end = *end;
        let at = *groups.entry(key).or_insert_with(|| {
            edges.push(Edge::empty(edge.port, end, edge.direction, edge.outcome));
            edges.len() - 1
        });
        join(&mut edges[at], edge);
    }
    for ((_, outcome), (end, of)) in ends {
        recipients[end].end = End::More(of.len(), outcome);
    }
    Graph { recipients, edges, ..graph }
}
