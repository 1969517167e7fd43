//! Records at random, up to the bounds of a map and far beyond.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn rows() -> impl Strategy<Value = Vec<Said>> {
    let verdict =
        select(vec![by("apps"), by("reports"), violation(), VerdictKey::Undecided { nearest: None }]);
    let state = select(vec![PostureState::Tls13, PostureState::Plaintext, PostureState::Unknown]);
    let few = (1..5_u16, 1..9_u16, 1..5_u16);
    let many = (1..60_u16, 1..900_u16, 1..60_u16);
    prop_oneof![few, many].prop_flat_map(move |(ports, peers, units)| {
        let row = (1..=ports, 0..peers, 0..units, verdict.clone(), state.clone(), any::<bool>(), 0..45_u32);
        let row = row.prop_map(|(port, peer, who, verdict, state, out, log)| {
            let net = ["10.0", "198.51", "127.0", "2001:db8:1"][usize::from(peer % 4)];
            let (high, low) = (peer / 250, peer % 250);
            let peer = if net.contains(':') {
                format!("{net}:{high:x}::{low:x}/128")
            } else {
                format!("{net}.{high}.{low}/32")
            };
            Said {
                port,
                direction: if out { Direction::Out } else { Direction::In },
                who: unit(&format!("unit-{who}.service")),
                peer,
                verdict,
                state,
                bytes: (1_u64 << log) - 1,
            }
        });
        vec(row, 0..400)
    })
}

fn inside(all: &[Rect], (width, height): (i32, i32)) -> bool {
    all.iter().all(|at| {
        at.x >= 0
            && at.y >= 0
            && at.width > 0
            && at.height > 0
            && at.right() <= width
            && at.bottom() <= height
    })
}

fn meeting(all: &[Rect]) -> Option<(Rect, Rect)> {
    let mut pairs = all.iter().enumerate().flat_map(|(i, a)| all[i + 1..].iter().map(move |b| (*a, *b)));
    pairs.find(|(a, b)| a.meets(b))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_on_a_map_meets_anything_else(said in rows()) {
        let graph = graph(&records(said));
        let layout = layout(&graph);
        let headings = layout.zones.iter().map(|zone| zone.at);
        let labels = layout.edges.iter().map(|edge| edge.label);
        let nodes = layout.sources.iter().chain(&layout.ports).chain(&layout.recipients).copied();
        let all: Vec<Rect> = nodes.chain(headings).chain(labels).collect();
        prop_assert!(inside(&all, layout.size), "{all:?}");
        prop_assert_eq!(meeting(&all), None);
        prop_assert!(all.iter().all(|at| at.y >= HEADING));
        // Lines begin and end at their boxes.
        for (edge, line) in graph.edges.iter().zip(&layout.edges) {
            let (port, end) = (layout.ports[edge.port], layout.recipients[edge.recipient]);
            prop_assert!(line.from.0 == port.right() && line.from.1 > port.y && line.from.1 < port.bottom());
            prop_assert!(line.to.0 == end.x && line.to.1 > end.y && line.to.1 < end.bottom());
        }
        for (link, line) in graph.links.iter().zip(&layout.links) {
            let (source, port) = (layout.sources[link.source], layout.ports[link.port]);
            prop_assert!(line.from.0 == source.right() && line.to.0 == port.x);
            prop_assert!(line.from.1 > source.y && line.from.1 < source.bottom());
            prop_assert!(line.to.1 > port.y && line.to.1 < port.bottom());
        }
    }

    #[test]
    fn every_row_is_behind_one_edge_and_one_link(said in rows()) {
        let outcomes: BTreeMap<i64, &str> = (1..).zip(said.iter().map(|row| row.verdict.outcome())).collect();
        let bytes: u64 = said.iter().map(|row| row.bytes + row.bytes / 2).sum();
        let records = records(said.clone());
        let graph = graph(&records);
        prop_assert_eq!(&graph, &super::graph(&records), "the same from the same");
        let mut rows: Vec<i64> = graph.edges.iter().flat_map(|edge| edge.rows.0.clone()).collect();
        rows.sort_unstable();
        prop_assert_eq!(&rows, &outcomes.keys().copied().collect::<Vec<_>>());
        let mut rows: Vec<i64> = graph.links.iter().flat_map(|link| link.rows.0.clone()).collect();
        rows.sort_unstable();
        prop_assert_eq!(&rows, &outcomes.keys().copied().collect::<Vec<_>>());
        prop_assert_eq!(graph.edges.iter().map(|edge| edge.volume.bytes()).sum::<u64>(), bytes);
        prop_assert_eq!(graph.sources.iter().map(|source| source.volume.bytes()).sum::<u64>(), bytes);
        for (outcome, of) in graph
            .edges
            .iter()
            .map(|edge| (edge.outcome, &edge.rows))
            .chain(graph.links.iter().map(|link| (link.outcome, &link.rows)))
        {
            prop_assert!(of.0.iter().all(|row| outcomes[row] == outcome.name()));
        }
    }

    #[test]
    fn a_map_stays_within_its_bounds(said in rows()) {
        let graph = graph(&records(said));
        prop_assert!(graph.edges.len() <= MOST_EDGES, "{}", graph.edges.len());
        prop_assert!(graph.ports.len() <= MOST_PORTS + 1);
        prop_assert!(graph.sources.len() <= MOST_SOURCES + 2);
        // Nothing is kept while something worse stands in a group.
        let of = |is_group: bool| {
            let graph = &graph;
            let group = move |at: usize| matches!(graph.recipients[at].end, End::More(..)) == is_group;
            graph.edges.iter().filter(move |edge| group(edge.recipient)).map(|edge| edge.outcome)
        };
        if let (Some(kept), Some(grouped)) = (of(false).max(), of(true).min()) {
            prop_assert!(kept <= grouped, "{kept:?} {grouped:?}");
        }
    }
}
