//! Maps of records that are known.

use super::*;
use crate::records::Zone;

fn names(graph: &Graph) -> Vec<&str> {
    graph.sources.iter().map(|source| &*source.name).collect()
}

#[test]
fn a_map_of_nothing_is_empty() {
    let graph = graph(&records(Vec::new()));
    assert_eq!(graph, Graph::default());
    let layout = layout(&graph);
    assert!(layout.edges.is_empty() && layout.size.1 > 0);
}

#[test]
fn both_directions_have_edges_of_their_own() {
    let mut backup = said(5432, "10.0.2.7/32", by("backup"));
    backup.direction = Direction::Out;
    backup.who = unit("backup.service");
    let graph = graph(&records(vec![said(5432, "10.0.2.7/32", by("apps")), backup]));
    assert_eq!((graph.ports.len(), graph.recipients.len(), graph.edges.len()), (1, 1, 2));
    assert_eq!(names(&graph), ["postgresql.service", "backup.service"]);
    let ends: Vec<_> = graph.edges.iter().map(|edge| (edge.direction, edge.sources.len())).collect();
    assert_eq!(ends, [(Direction::In, 1), (Direction::Out, 1)]);
    let layout = layout(&graph);
    assert_ne!(layout.edges[0].to, layout.edges[1].to, "each has a row of its own");
}

#[test]
fn programs_are_called_by_what_says_most() {
    let container = ContainerIdentity { name: Some("orders".into()), ..ContainerIdentity::default() };
    let who = [
        Identity { container: Some(container), ..unit("docker.service") },
        unit("postgresql.service"),
        Identity { unit: None, ..unit("") },
        Identity::UNKNOWN,
    ];
    let rows = who.into_iter().map(|who| Said { who, ..said(5432, "10.0.2.7/32", by("apps")) }).collect();
    let graph = graph(&records(rows));
    let called: std::collections::BTreeMap<Kind, &str> =
        graph.sources.iter().map(|source| (source.kind, &*source.name)).collect();
    let expected = [
        (Kind::Container, "orders"),
        (Kind::Unit, "postgresql.service"),
        (Kind::Program, "program"),
        (Kind::Unknown, ""),
    ];
    assert_eq!(called, expected.into());
}

#[test]
fn plaintext_shows_on_both_sides_of_a_service() {
    let plain = Said { state: PostureState::StarttlsRefused, ..said(25, "198.51.100.7/32", violation()) };
    let graph = graph(&records(vec![plain, said(5432, "198.51.100.7/32", by("apps"))]));
    let of = |number: &str| graph.ports.iter().position(|port| port.ports == [number]).expect("it was seen");
    let edge = |port: usize| graph.edges.iter().find(|edge| edge.port == port).expect("it was seen");
    let link = |port: usize| graph.links.iter().find(|link| link.port == port).expect("it was seen");
    assert!(edge(of("25")).is_plain && link(of("25")).is_plain);
    assert!(!edge(of("5432")).is_plain && !link(of("5432")).is_plain);
    assert_eq!(edge(of("25")).reasons.iter().copied().collect::<Vec<_>>(), ["undeclared-peer"]);
    assert_eq!(graph.recipients[0].country.as_deref(), Some("DE"));
}

/// Beyond the bound the smallest stand together; a violation is never one of them while something that is declared is shown.
#[test]
fn violations_are_shown_before_what_is_declared() {
    let mut rows: Vec<Said> = (0..400_u32)
        .map(|n| {
            let peer = format!("10.0.{}.{}/32", n / 200, n % 200);
            Said { bytes: 1 << (n % 30), ..said(5432, &peer, by("apps")) }
        })
        .collect();
    rows.extend((0..9).map(|n| Said { bytes: 1, ..said(5432, &format!("198.51.100.{n}/32"), violation()) }));
    let graph = graph(&records(rows));
    assert_eq!(graph.edges.len(), MOST_EDGES);
    let violations = graph.edges.iter().filter(|edge| edge.outcome == Outcome::Violation);
    assert!(violations.clone().all(|edge| matches!(graph.recipients[edge.recipient].end, End::Net(_))));
    assert_eq!(violations.count(), 9);
    let group = graph.recipients.iter().find(|end| matches!(end.end, End::More(..))).expect("a group");
    assert_eq!(group.end, End::More(400 - (MOST_EDGES - 9 - 1), Outcome::Declared));
    assert_eq!((group.zone, graph.grouped()), (Some(Zone::Private), 350));
}

#[test]
fn few_edges_have_room_for_two_lines() {
    let of = |n: u8| (0..n).map(|n| said(5432, &format!("10.0.2.{n}/32"), by("apps"))).collect::<Vec<_>>();
    assert!(layout(&graph(&records(of(12)))).has_two_lines);
    let sixty = layout(&graph(&records(of(60))));
    // A sheet of A4 is 1.4 times as high as it is wide.
    assert!(!sixty.has_two_lines && sixty.size.1 < sixty.size.0 * 3 / 2, "{:?}", sixty.size);
}
