//! Ports whose policy denies connects.

use std::sync::Arc;

use super::world::*;
use crate::audit::FindingId;
use crate::ledger::Edge;
use crate::model::Direction;
use crate::policy::outline;
use crate::verdict::ReasonId;

fn enforced() -> World {
    World::with("port = 5432\n", "port = 5432\nmode = \"enforce\"\n")
}

/// Connections from here that violate the policy of this world.
fn made(world: &World, reason: ReasonId) -> Edge {
    let (_, policy) = outline(&world.files).expect("a policy");
    let mut edge = edge(port("customers-db", 5432, true), "10.0.2.8", violation(reason, None));
    edge.key.direction = Direction::Out;
    edge.key.policy = Some(policy.digest().into());
    edge.counts.opened = edge.counts.standing();
    edge
}

#[test]
fn what_is_made_although_it_is_enforced_is_found() {
    let mut world = enforced();
    let edge = made(&world, ReasonId::UndeclaredProcess);
    world.ledger().edges.push(edge);
    let found: Vec<_> =
        world.audit().findings.into_iter().filter(|found| found.id == FindingId::NotEnforcing).collect();
    let [found] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(found.severity.as_str(), "medium");
    assert!(found.message.contains("customers-db, whose mode is \"enforce\""), "{}", found.message);
    assert!(evidence(found, "programs").contains("postgres"), "{found:?}");
}

#[test]
fn what_the_kernel_does_not_decide_is_not_found() {
    let is_found = |change: fn(&mut Edge), reason| {
        let mut world = enforced();
        let mut edge = made(&world, reason);
        change(&mut edge);
        world.ledger().edges.push(edge);
        world.audit().findings.iter().any(|found| found.id == FindingId::NotEnforcing)
    };
    assert!(is_found(|_| (), ReasonId::UndeclaredPeer));
    assert!(!is_found(|edge| edge.key.direction = Direction::In, ReasonId::UndeclaredPeer));
    assert!(!is_found(|edge| edge.key.policy = Some(Arc::from("sha256:before")), ReasonId::UndeclaredPeer));
    assert!(
        !is_found(
            |edge| (edge.counts.failed, edge.counts.opened) = (edge.counts.opened, 0),
            ReasonId::UndeclaredPeer
        ),
        "that is what was denied"
    );
    assert!(!is_found(|_| (), ReasonId::Plaintext) && !is_found(|_| (), ReasonId::VolumeExceeded));
    let mut observed = World::good();
    let edge = made(&observed, ReasonId::UndeclaredPeer);
    observed.ledger().edges.push(edge);
    assert!(observed.audit().findings.iter().all(|found| found.id != FindingId::NotEnforcing));
}
