//! In which order nodes stand, so that few lines cross: each by the middle of those it is joined with (barycentre), in turns.

use std::collections::BTreeMap;

use super::model::{Edge, Graph, Recipient};
use crate::records::Zone;

/// Turns, after which nothing changes any more on maps of this size.
const TURNS: usize = 6;

/// The order of each lane: indexes of nodes from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) sources: Vec<usize>,
    pub(super) ports: Vec<usize>,
    pub(super) recipients: Vec<usize>,
}

/// What other ends are put together by; from top to bottom.
pub(super) fn zone_rank(zone: Option<Zone>) -> u8 {
    match zone {
        Some(Zone::Host) => 0,
        Some(Zone::Private) => 1,
        Some(Zone::Public) => 2,
        Some(Zone::Unknown) => 3,
        None => 4,
    }
}

pub(super) fn order(graph: &Graph) -> Order {
    let mut ports: Vec<usize> = (0..graph.ports.len()).collect();
    let mut recipients: Vec<usize> = (0..graph.recipients.len()).collect();
    let pair = |edge: &Edge| (edge.port, edge.recipient);
    for _ in 0..TURNS {
        let middle =
            middles(graph.recipients.len(), &ports, graph.edges.iter().map(pair).map(|(a, b)| (b, a)));
        recipients.sort_by_key(|at| {
            let Recipient { end, zone, country } = &graph.recipients[*at];
            let is_group = matches!(end, super::model::End::More(..));
            (zone_rank(*zone), is_group, country.clone(), middle[*at], end.clone(), *at)
        });
        let middle = middles(graph.ports.len(), &recipients, graph.edges.iter().map(pair));
        // Those of which nothing was seen stand below.
        ports.sort_by_key(|at| (middle[*at].unwrap_or(i64::MAX), *at));
    }
    let mut sources: Vec<usize> = (0..graph.sources.len()).collect();
    let middle =
        middles(graph.sources.len(), &ports, graph.links.iter().map(|link| (link.source, link.port)));
    sources.sort_by_key(|at| (middle[*at], *at));
    Order { sources, ports, recipients }
}

/// The middle of the places of those that each of `len` nodes is joined with, in thousandths.
fn middles(len: usize, order: &[usize], joined: impl Iterator<Item = (usize, usize)>) -> Vec<Option<i64>> {
    let place: BTreeMap<usize, i64> = order.iter().copied().zip(0..).collect();
    let mut sums = vec![(0_i64, 0_i64); len];
    for (from, to) in joined {
        sums[from].0 += place.get(&to).copied().unwrap_or(0);
        sums[from].1 += 1;
    }
    sums.into_iter().map(|(sum, count)| (sum * 1_000).checked_div(count)).collect()
}
