//! What somebody accepted.

use super::world::*;
use crate::audit::FindingId;
use crate::model::PostureState;

fn plain(peer: &str, exe: &str) -> crate::ledger::Edge {
    let mut edge = orders(peer);
    edge.key.posture = posture(PostureState::Plaintext).into();
    edge.key.identity = program(exe, "a.service");
    edge
}

fn with(exception: impl Into<String>) -> World {
    let mut world = World::good();
    world.ledger().edges.extend([plain("10.0.2.8", "/opt/a"), plain("10.0.2.9", "/opt/b")]);
    world.exceptions.push(exception.into());
    world
}

#[test]
fn an_accepted_finding_keeps_its_evidence_and_says_who() {
    let audit = with(exception("plaintext-seen", "2027-06-30")).audit();
    assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
    let [accepted] = &audit.accepted[..] else { panic!("{:#?}", audit.accepted) };
    assert_eq!(evidence(accepted, "peers"), "10.0.2.8 (10), 10.0.2.9 (10)");
    let by = accepted.accepted.as_ref().expect("by whom");
    assert_eq!(
        (&*by.by, &*by.why, by.until.to_string()),
        ("security team", "moves next year", "2027-06-30".to_owned())
    );
}

/// The rest is found as before.
#[test]
fn an_exception_for_some_peers_accepts_theirs_only() {
    let limited = exception("plaintext-seen", "2027-06-30") + "peers = [\"10.0.2.8\"]\n";
    let audit = with(limited).audit();
    let [open] = &audit.findings[..] else { panic!("{:#?}", audit.findings) };
    assert_eq!((open.id, evidence(open, "peers")), (FindingId::PlaintextSeen, "10.0.2.9 (10)"));
    let [accepted] = &audit.accepted[..] else { panic!("{:#?}", audit.accepted) };
    assert_eq!(evidence(accepted, "peers"), "10.0.2.8 (10)");
    assert_ne!(open.fingerprint, accepted.fingerprint);
}

/// A key that the ledger does not keep accepts nothing.
#[test]
fn an_exception_for_a_process_accepts_its_flows_only() {
    let limited = |process: &str| {
        with(exception("plaintext-seen", "2027-06-30") + &format!("process = {process}\n")).found()
    };
    assert!(limited("{ exe = \"/opt/*\", unit = \"a.service\" }").is_empty());
    assert_eq!(limited("{ exe = \"/opt/b\" }"), ["high plaintext-seen"]);
    assert_eq!(limited("{ label = { app = \"x\" } }"), ["high plaintext-seen", "info exception-expiring"]);
}

#[test]
fn an_exception_that_ended_accepts_nothing() {
    let audit = with(exception("plaintext-seen", "2026-11-28"));
    assert_eq!(audit.found(), ["high plaintext-seen", "low exception-expiring"]);
    assert!(audit.audit().accepted.is_empty());
    let today = with(exception("plaintext-seen", "2026-11-29"));
    assert_eq!(today.found(), ["low exception-expiring"], "through its last day");
}

#[test]
fn an_exception_that_matches_nothing_is_said() {
    let mut world = World::good();
    world.exceptions.push(exception("plaintext-seen", "2027-06-30"));
    assert_eq!(world.found(), ["info exception-expiring"]);
    world.exceptions[0] = exception("certificate-expiring", "2027-06-30");
    assert!(world.found().is_empty(), "it was not judged");
    world.exceptions[0] = exception("undeclared-peer", "2027-06-30");
    assert_eq!(world.found(), ["info exception-expiring"]);
    let reason = violation(crate::verdict::ReasonId::UndeclaredPeer, None);
    world.ledger().edges.push(edge(port("customers-db", 5432, true), "10.9.9.9", reason));
    assert!(world.found().is_empty(), "it accepts a violation");
    world.observed = None;
    world.exceptions[0] = exception("plaintext-seen", "2027-06-30");
    assert!(world.found().is_empty(), "nothing was judged");
}

#[test]
fn another_port_or_finding_is_not_accepted() {
    let other = |port: &str| exception("plaintext-seen", "2027-06-30").replace("\"customers-db\"", port);
    assert_eq!(with(other("\"redis\"")).found()[0], "high plaintext-seen");
    assert!(with(other("5432")).found().is_empty(), "a number names the port too");
    assert_eq!(with(exception("weak-tls-seen", "2027-06-30")).found()[0], "high plaintext-seen");
    assert_eq!(
        with(exception("plaintext", "2027-06-30")).found()[0],
        "high plaintext-seen",
        "that is about events"
    );
}
