//! From a record to the map: what stands on it is decided first (`whole`, `bound`), and then filled in.

use super::bound::{Bounded, bounded};
use super::model::{Edge, Graph};
use super::whole::{Whole, is_plain};
use crate::records::{Counterpart, Records};

/// The map of a record, of at most so many parts that it can be read.
#[must_use]
pub fn graph(records: &Records) -> Graph {
    let Bounded { mut graph, edge_of, parts } = bounded(Whole::of(records));
    let seen = records.all().filter_map(|activity| activity.seen.as_ref());
    for (other, edge) in seen.flat_map(|seen| &seen.counterparts).zip(edge_of) {
        join(&mut graph.edges[edge], other);
    }
    for (edge, source) in parts {
        graph.edges[edge].sources.insert(source);
    }
    let of_edges = graph.edges.iter_mut().map(|edge| &mut edge.rows);
    // Once, and not whenever rows come to others: an edge may have been joined from a hundred thousand.
    for rows in of_edges.chain(graph.links.iter_mut().map(|link| &mut link.rows)) {
        rows.0.sort_unstable();
        rows.0.dedup();
    }
    graph
}

fn join(edge: &mut Edge, other: &Counterpart) {
    edge.rules.extend(other.rule.clone());
    edge.reasons.extend(&other.reasons);
    edge.is_plain |= other.shares.0.iter().any(|posed| is_plain(posed.state));
    let (encrypted, of) = other.shares.encrypted();
    edge.encrypted.0 = edge.encrypted.0.saturating_add(encrypted);
    edge.encrypted.1 = edge.encrypted.1.saturating_add(of);
    edge.volume.add(&other.used.volume);
    edge.rows.0.extend(&other.used.rows.0);
}
