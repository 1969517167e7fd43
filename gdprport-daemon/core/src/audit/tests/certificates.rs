//! Certificates as servers showed them.

use jiff::Span;

use super::world::*;
use crate::audit::FindingId;
use crate::ledger::Edge;
use crate::model::Direction;

/// A connection on which a certificate was shown that is valid for so many days, and which was seen so many days ago.
fn shown(days: i32, peer: &str, ago_days: i64) -> Edge {
    let mut edge = orders(peer);
    edge.key.posture = certificate(now() + Span::new().hours(24 * days)).into();
    edge.last = ago(ago_days);
    edge
}

fn world(edges: Vec<Edge>) -> World {
    let mut world = World::good();
    world.files[0].text = GOOD.replace("1.3", "1.2");
    world.ledger().edges.extend(edges);
    world
}

#[test]
fn a_certificate_that_ends_soon_is_found_and_one_renewed_not() {
    for (edges, expected) in [
        (vec![shown(29, "10.0.2.7", 1)], vec!["medium certificate-expiring"]),
        (vec![shown(-1, "10.0.2.7", 1)], vec!["high certificate-expiring"]),
        (vec![shown(31, "10.0.2.7", 1)], vec![]),
        // Renewed: what it showed last counts, to whomever.
        (vec![shown(9, "10.0.2.7", 5), shown(99, "10.0.2.8", 1)], vec![]),
        (vec![shown(99, "10.0.2.7", 5), shown(9, "10.0.2.8", 1)], vec!["medium certificate-expiring"]),
    ] {
        assert_eq!(world(edges).found(), expected);
    }
}

#[test]
fn servers_elsewhere_differ_by_their_address() {
    let out = |days, peer| {
        let mut edge = shown(days, peer, 1);
        edge.key.direction = Direction::Out;
        edge
    };
    let audit = world(vec![out(9, "10.0.9.7"), out(99, "10.0.9.8"), out(9, "10.0.9.9")]).audit();
    let addresses: Vec<_> =
        audit.findings.iter().filter_map(|found| found.subject.address.as_deref()).collect();
    assert_eq!(addresses, ["10.0.9.7", "10.0.9.9"]);
}

#[test]
fn what_tls_hides_is_not_judged() {
    let judged = |world: World| {
        let audit = world.audit();
        !audit.not_judged.iter().any(|not| not.ids.contains(&FindingId::CertificateExpiring))
    };
    assert!(!judged(World::good()), "TLS 1.3 alone");
    assert!(judged(world(vec![shown(99, "10.0.2.7", 1)])));
}
