//! Keeps a map readable: what is smallest stands together, with its count. Violations come first, and never stand together with
//! anything else.
//!
//! Every step visits each edge once, or sorts them: none compares edges with edges.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::model::{Edge, End, Graph, Kind, Link, Outcome, Port, Recipient, Source};
use super::whole::{Thin, Whole};
use crate::model::Direction;
use crate::records::{Volume, Zone};

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

/// A map within its bounds. Its edges are empty.
#[derive(Debug)]
pub(super) struct Bounded {
    pub graph: Graph,
    /// The edge of each counterpart, in the order of the record.
    pub edge_of: Vec<usize>,
    /// Edges with a source that had part in them; a pair may stand there more than once.
    pub parts: Vec<(usize, usize)>,
}

pub(super) fn bounded(mut whole: Whole) -> Bounded {
    sources(&mut whole);
    let (kept, fewer, by_zone) = chosen(&whole);
    let Stood { recipients, edges, place } = stood(&whole, &fewer, kept, by_zone);
    let Whole { sources, ports, mut links, mut edge_of, mut parts, .. } = whole;
    let of = |edge: usize| place[fewer.edge_place[edge]];
    edge_of.iter_mut().for_each(|edge| *edge = of(*edge));
    parts.iter_mut().for_each(|(edge, _)| *edge = of(*edge));
    let (ports, unseen) = match &fewer.ports {
        None => (ports, 0),
        Some(FewerPorts { kept, place, unseen }) => {
            links.iter_mut().for_each(|link| link.port = place[link.port]);
            links = merged(links);
            (kept.clone(), *unseen)
        }
    };
    Bounded { graph: Graph { sources, ports, recipients, edges, links, unseen }, edge_of, parts }
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
fn sources(whole: &mut Whole) {
    if whole.sources.len() <= MOST_SOURCES {
        return;
    }
    let worst = worst(whole.sources.len(), whole.links.iter().map(|link| (link.source, link.outcome)));
    let mut order: Vec<usize> = (0..whole.sources.len()).collect();
    order.sort_by_key(|at| (worst[*at], Reverse(whole.sources[*at].volume.bytes()), *at));
    let mut place = vec![0; whole.sources.len()];
    let mut kept: Vec<Source> = Vec::new();
    let mut more: BTreeMap<bool, usize> = BTreeMap::new();
    for (rank, at) in order.into_iter().enumerate() {
        let source = &whole.sources[at];
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
    whole.sources = kept;
    whole.parts.iter_mut().for_each(|(_, source)| *source = place[*source]);
    whole.links.iter_mut().for_each(|link| link.source = place[link.source]);
    whole.links = merged(std::mem::take(&mut whole.links));
}

/// Links with the same ends as one, with the rows of all.
fn merged(links: Vec<Link>) -> Vec<Link> {
    let mut by: BTreeMap<_, Link> = BTreeMap::new();
    for link in links {
        match by.entry((link.source, link.port, link.direction, link.outcome)) {
            Entry::Vacant(place) => {
                place.insert(link);
            }
            Entry::Occupied(known) => {
                let known = known.into_mut();
                known.is_plain |= link.is_plain;
                known.rows.0.extend(link.rows.0);
            }
        }
    }
    by.into_values().collect()
}

/// What is left of services and edges where a map has at most so many services.
#[derive(Debug)]
struct Fewer {
    /// `None`: they are few enough.
    ports: Option<FewerPorts>,
    edges: Vec<Thin>,
    /// Where each edge of the whole went.
    edge_place: Vec<usize>,
    /// Edges in the order in which they are kept: what is wrong or open first, then the largest.
    ranked: Vec<usize>,
}

/// Services, those beyond the bound as one.
#[derive(Debug)]
struct FewerPorts {
    kept: Vec<Port>,
    /// Where each went; of those that went nowhere nothing was seen, so that nothing asks for them.
    place: Vec<usize>,
    /// Those that went nowhere.
    unseen: usize,
}

impl Fewer {
    fn of(whole: &Whole, most: usize) -> Self {
        let ports = (whole.ports.len() > most).then(|| FewerPorts::of(whole, most));
        let mut edges: Vec<Thin> = Vec::new();
        let mut edge_place = Vec::with_capacity(whole.edges.len());
        let mut known: HashMap<_, usize, foldhash::fast::RandomState> = HashMap::default();
        for edge in &whole.edges {
            let port = ports.as_ref().map_or(edge.port, |ports| ports.place[edge.port]);
            let at =
                *known.entry((port, edge.recipient, edge.direction, edge.outcome)).or_insert_with(|| {
                    edges.push(Thin { port, volume: Volume::default(), ..*edge });
                    edges.len() - 1
                });
            edges[at].volume.add(&edge.volume);
            edge_place.push(at);
        }
        // No two of them have all of this in common, so that the order of those before does not matter.
        let mut ranked: Vec<usize> = (0..edges.len()).collect();
        ranked.sort_unstable_by_key(|at| {
            let Thin { port, recipient, direction, outcome, volume } = &edges[*at];
            let end = &whole.recipients[*recipient].end;
            (*outcome, Reverse((volume.bytes(), volume.flows)), *port, end, *direction)
        });
        Self { ports, edges, edge_place, ranked }
    }

    /// How many edges can be kept, so that these and the groups of the others are not too many.
    fn kept(&self, whole: &Whole, by_zone: bool) -> Option<usize> {
        let mut groups = BTreeSet::new();
        let mut kept = self.ranked.len();
        loop {
            if kept + groups.len() <= MOST_EDGES {
                return Some(kept);
            }
            kept = kept.checked_sub(1)?;
            groups.insert(group(whole, &self.edges[self.ranked[kept]], by_zone));
        }
    }
}

impl FewerPorts {
    /// Services beyond the bound stand together; those of which nothing was seen go first.
    fn of(whole: &Whole, most: usize) -> Self {
        let worst = worst(whole.ports.len(), whole.edges.iter().map(|edge| (edge.port, edge.outcome)));
        let mut bytes = vec![0_u64; whole.ports.len()];
        for edge in &whole.edges {
            bytes[edge.port] = bytes[edge.port].saturating_add(edge.volume.bytes());
        }
        let mut order: Vec<usize> = (0..whole.ports.len()).collect();
        order.sort_by_key(|at| (!whole.ports[*at].is_seen, worst[*at], Reverse(bytes[*at]), *at));
        let stays: BTreeSet<usize> = order.into_iter().take(most).collect();
        let mut place = vec![0; whole.ports.len()];
        let mut kept: Vec<Port> = Vec::new();
        for (at, port) in whole.ports.iter().enumerate().filter(|(at, _)| stays.contains(at)) {
            place[at] = kept.len();
            kept.push(port.clone());
        }
        let mut unseen = 0;
        let mut group = None;
        for (at, port) in whole.ports.iter().enumerate().filter(|(at, _)| !stays.contains(at)) {
            if !port.is_seen {
                unseen += 1;
                continue;
            }
            let of = *group.get_or_insert(kept.len());
            if of == kept.len() {
                kept.push(Port {
                    name: "".into(),
                    ports: Vec::new(),
                    protocol: None,
                    count: 0,
                    ..port.clone()
                });
            }
            kept[of].count += 1;
            // It is called declared only if all of it is.
            kept[of].is_declared &= port.is_declared;
            place[at] = of;
        }
        Self { kept, place, unseen }
    }
}

/// How coarse groups have to be, so that enough edges are kept: how many, of what, and whether groups are of one zone.
fn chosen(whole: &Whole) -> (usize, Rc<Fewer>, bool) {
    let mut best: Option<(usize, Rc<Fewer>, bool)> = None;
    for most in [MOST_PORTS, FEW_PORTS] {
        let fewer = Rc::new(Fewer::of(whole, most));
        for by_zone in [true, false] {
            let Some(kept) = fewer.kept(whole, by_zone) else { continue };
            let is_enough = kept >= fewer.edges.len().min(MOST_EDGES / 2);
            if best.as_ref().is_none_or(|(most, ..)| kept > *most) {
                best = Some((kept, Rc::clone(&fewer), by_zone));
            }
            if let Some(best) = best.take_if(|_| is_enough) {
                return best;
            }
        }
    }
    // With so few services there is always room for their groups.
    best.unwrap_or_else(|| (0, Rc::new(Fewer::of(whole, FEW_PORTS)), false))
}

fn group(whole: &Whole, edge: &Thin, by_zone: bool) -> Group {
    let zone = whole.recipients[edge.recipient].zone.filter(|_| by_zone);
    (edge.port, zone, edge.outcome, edge.direction)
}

/// What stands on the map of other ends.
#[derive(Debug, Default)]
struct Stood {
    recipients: Vec<Recipient>,
    edges: Vec<Edge>,
    /// Where each edge of those before went.
    place: Vec<usize>,
}

/// The first `kept` edges one by one, and the others in their groups.
fn stood(whole: &Whole, fewer: &Fewer, kept: usize, by_zone: bool) -> Stood {
    let mut stood = Stood { place: vec![0; fewer.edges.len()], ..Stood::default() };
    let mut place: BTreeMap<usize, usize> = BTreeMap::new();
    let mut groups: BTreeMap<Group, usize> = BTreeMap::new();
    let mut ends: BTreeMap<(Option<Zone>, Outcome), (usize, BTreeSet<usize>)> = BTreeMap::new();
    let Stood { recipients, edges, place: of_edges } = &mut stood;
    for (rank, at) in fewer.ranked.iter().copied().enumerate() {
        let edge = &fewer.edges[at];
        if rank < kept {
            let end = *place.entry(edge.recipient).or_insert_with(|| {
                recipients.push(whole.recipients[edge.recipient].clone());
                recipients.len() - 1
            });
            of_edges[at] = edges.len();
            edges.push(Edge::empty(edge.port, end, edge.direction, edge.outcome));
            continue;
        }
        let key = group(whole, edge, by_zone);
        let (end, of) = ends.entry((key.1, key.2)).or_insert_with(|| {
            recipients.push(Recipient { end: End::More(0, key.2), zone: key.1, country: None });
            (recipients.len() - 1, BTreeSet::new())
        });
        of.insert(edge.recipient);
        let end = *end;
        of_edges[at] = *groups.entry(key).or_insert_with(|| {
            edges.push(Edge::empty(edge.port, end, edge.direction, edge.outcome));
            edges.len() - 1
        });
    }
    for ((_, outcome), (end, of)) in ends {
        recipients[end].end = End::More(of.len(), outcome);
    }
    stood
}
