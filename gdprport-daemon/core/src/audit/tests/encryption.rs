//! How flows are encrypted, and what is demanded.

use super::world::*;
use crate::audit::FindingId;
use crate::ledger::Edge;
use crate::model::{Direction, PostureState};

fn how(state: PostureState, peer: &str) -> Edge {
    let mut edge = orders(peer);
    edge.key.posture = posture(state).into();
    edge
}

#[test]
fn a_port_without_a_demand_is_found() {
    let mut world = World::with("tls = { min = \"1.3\" }\n", "");
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::TlsNotDemanded, "medium"));
    assert!(
        found.proposal.and_then(|p| p.toml).expect("a table").contains("tls = { min = \"1.3\" }"),
        "as it is used"
    );
    world.host().listeners[0].addresses = vec!["127.0.0.1".parse().expect("an address")];
    world.files[0].text = world.files[0].text.replace("\"10.0.2.15\"", "\"loopback\"");
    let found = world.one();
    assert_eq!(found.severity.as_str(), "low");
    assert!(found.proposal.and_then(|p| p.toml).expect("a table").contains("why = \"loopback only\""));
    let decided = World::with("{ min = \"1.3\" }", "{ required = false, why = \"in a tunnel\" }");
    assert!(decided.found().is_empty(), "a decision is no finding");
    let mut unknown = World::with("5432", "8090");
    unknown.files[0].text = unknown.files[0].text.replace("tls = { min = \"1.3\" }\n", "");
    assert!(unknown.found().iter().all(|found| !found.contains("tls")), "the protocol is not known");
}

#[test]
fn plaintext_is_found_unless_the_policy_says_why() {
    let mut world = World::good();
    world.ledger().edges.push(how(PostureState::Plaintext, "10.0.2.8"));
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::PlaintextSeen, "high"));
    assert_eq!(evidence(&found, "peers"), "10.0.2.8 (10)");
    world.files[0].text = GOOD.replace("{ min = \"1.3\" }", "{ required = false, why = \"in a tunnel\" }");
    assert!(world.found().is_empty());
    for state in [
        PostureState::Unknown,
        PostureState::Unrecognised,
        PostureState::NoData,
        PostureState::EncryptedOther,
    ] {
        let mut world = World::good();
        world.ledger().edges.push(how(state, "10.0.2.8"));
        assert!(world.found().is_empty(), "{} is not plaintext", state.as_str());
    }
}

#[test]
fn each_direction_is_a_finding_of_its_own() {
    let mut world = World::good();
    let mut out = how(PostureState::StarttlsRefused, "127.0.0.1");
    out.key.direction = Direction::Out;
    world.ledger().edges.extend([how(PostureState::Plaintext, "10.0.2.8"), out]);
    assert_eq!(world.found(), ["high plaintext-seen", "low plaintext-seen"]);
}

#[test]
fn weak_tls_is_medium_also_if_only_the_policy_calls_it_so() {
    let mut world = World::good();
    world.ledger().edges.push(how(PostureState::WeakTls, "10.0.2.8"));
    assert_eq!(world.found(), ["medium weak-tls-seen"]);
    let mut older = World::good();
    let mut tls12 = how(PostureState::Tls12, "10.0.2.8");
    tls12.key.posture = crate::ledger::PostureKey {
        version: Some(crate::model::TlsVersion::Tls12),
        ..posture(PostureState::Tls12)
    }
    .into();
    older.ledger().edges.push(tls12);
    assert_eq!(older.found(), ["medium weak-tls-seen"]);
    older.files[0].text = GOOD.replace("1.3", "1.2");
    assert!(older.found().is_empty());
}

#[test]
fn an_undeclared_port_in_plaintext_is_suspected() {
    let mut world = World::good();
    let mut edge = edge(
        port("redis", 6379, false),
        "10.0.9.9",
        violation(crate::verdict::ReasonId::UndeclaredPort, None),
    );
    edge.key.posture = posture(PostureState::Plaintext).into();
    world.ledger().edges.push(edge);
    let found = world.one();
    assert_eq!(
        (found.id, found.severity.as_str(), found.subject.number),
        (FindingId::PlaintextSeen, "medium", Some(6379))
    );
    assert!(!found.message.contains("before"), "{}", found.message);
}

#[test]
fn what_was_seen_before_a_port_was_declared_says_so() {
    let mut world = World::good();
    let mut before = edge(
        port("postgresql", 5432, false),
        "10.0.9.9",
        violation(crate::verdict::ReasonId::UndeclaredPort, None),
    );
    before.key.posture = posture(PostureState::Plaintext).into();
    world.ledger().edges.push(before);
    let found = world.one();
    assert!(
        found.message.ends_with(" were not encrypted, before the port was declared"),
        "{}",
        found.message
    );
}

#[test]
fn special_categories_need_encryption() {
    let special = |text: &str| World::with("retention = \"6 years\"\n", text);
    let mut world = special("retention = \"6 years\"\nspecial_category = true\n");
    assert!(world.found().is_empty());
    world.ledger().edges.push(how(PostureState::Plaintext, "10.0.2.8"));
    assert_eq!(world.found(), ["high special-category-unprotected"], "one finding, not two");
    world.files[0].text =
        world.files[0].text.replace("{ min = \"1.3\" }", "{ required = false, why = \"trusted\" }");
    assert_eq!(world.found(), ["high special-category-unprotected"], "no reason waives it");
    world.files[0].text = world.files[0].text.replace("tls = { required = false, why = \"trusted\" }\n", "");
    world.ledger().edges.pop();
    assert_eq!(world.found(), ["high special-category-unprotected"]);
}

#[test]
fn without_a_ledger_the_policy_is_judged_all_the_same() {
    let mut world = World::with("tls = { min = \"1.3\" }\n", "");
    world.observed = None;
    assert_eq!(world.found(), ["medium tls-not-demanded"]);
    assert_eq!(why_not(&world.audit(), FindingId::PlaintextSeen), ["there is no ledger"]);
}
