//! Policies of what the ledger has.

use std::sync::Arc;

use super::*;
use crate::ledger::{Counts, Edge, EdgeKey, ListenerRow, Observed, PortKey, VerdictKey};
use crate::verdict::ReasonId;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn edge(
    direction: Direction,
    peer: &str,
    identity: Identity,
    verdict: VerdictKey,
    state: PostureState,
) -> Edge {
    let counts =
        Counts { flows: 7, moved: 0, opened: 7, closed: 7, failed: 0, bytes_sent: 1, bytes_received: 1 };
    let key = EdgeKey {
        port: port(),
        direction,
        identity: Arc::new(identity),
        peer: peer.parse().expect("a network"),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey { state, version: None, cipher: None, certificate_until: None }),
        policy: Some("sha256:1dc4".into()),
    };
    let (first, last) = (at("2026-11-02T08:00:00Z"), at("2026-11-28T09:00:00Z"));
    Edge { day: "2026-11-28".parse().expect("a day"), key, counts, first, last }
}

fn port() -> Arc<PortKey> {
    Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true })
}

fn observed(edges: Vec<Edge>) -> Observed {
    let listener = ListenerRow {
        port: port(),
        local: Endpoint::new(IpAddr::from([10, 0, 2, 15]), 5432),
        identity: Arc::new(postgres()),
        verdict: Arc::new(VerdictKey::Declared { rule: "listen".into() }),
        first: at("2026-11-01T00:00:00Z"),
        last: at("2026-11-29T00:00:00Z"),
        open: true,
    };
    Observed {
        from: at("2026-11-01T00:00:00Z"),
        to: at("2026-11-29T00:00:00Z"),
        edges,
        listeners: vec![listener],
        coverage: Vec::new(),
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    }
}

fn declared() -> VerdictKey {
    VerdictKey::Declared { rule: "orders".into() }
}

#[test]
fn rules_of_the_ledger_say_when_and_how_often() {
    let violation = VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPeer], nearest: None };
    let observed = observed(vec![
        edge(Direction::In, "10.0.2.77/32", postgres(), declared(), PostureState::Tls13),
        edge(Direction::In, "10.0.2.78/32", postgres(), violation, PostureState::Tls12),
        edge(Direction::Out, "10.0.2.15/32", psql(), declared(), PostureState::Tls13),
        edge(Direction::Out, "10.0.9.9/32", psql(), declared(), PostureState::Tls13),
        edge(Direction::In, "10.0.2.79/32", Identity::UNKNOWN, declared(), PostureState::Tls13),
    ]);
    let starter = starter(&Seen::of_ledger(&observed), &Answers::default(), &CONTEXT);
    let policy = active(&starter.text);
    for (direction, peer, identity) in [
        (Direction::In, [10, 0, 2, 77], postgres()),
        (Direction::In, [10, 0, 2, 78], postgres()),
        (Direction::Out, [10, 0, 2, 15], psql()),
        (Direction::Out, [10, 0, 9, 9], psql()),
    ] {
        let got = verdict(
            &policy,
            direction,
            5432,
            IpAddr::from(peer),
            &identity,
            Some((PostureState::Tls13, None)),
        );
        assert!(matches!(got, Verdict::Declared { .. }), "{got:?}\n{}", starter.text);
    }
    assert_eq!((starter.ports, starter.unproven), (2, 7));
    for said in [
        "# 14 connections accepted by postgresql@15-main.service from 2026-11-02 to 2026-11-28; not all were\n# allowed by",
        "tls = { min = \"1.2\" }",
        "# No rule for 7 connections accepted here from 10.0.2.79: the process is not known.",
        "service = [\"10.0.9.9\"]",
    ] {
        assert!(starter.text.contains(said), "{said}\n{}", starter.text);
    }
}

/// Who tried every port of a host must not find itself declared.
#[test]
fn an_attempt_that_failed_declares_nobody() {
    let reasons = vec![ReasonId::UndeclaredPort];
    let violation = VerdictKey::Violation { reasons, nearest: None };
    let mut tried = edge(Direction::Out, "127.0.0.1/32", psql(), violation.clone(), PostureState::Unknown);
    tried.counts = Counts { flows: 2, failed: 2, ..Counts::default() };
    tried.key.port = Arc::new(PortKey { name: "elasticsearch".into(), number: 9200, declared: false });
    let mut met = edge(Direction::In, "127.0.0.1/32", postgres(), violation, PostureState::Tls13);
    met.key.policy = None;
    let starter = starter(&Seen::of_ledger(&observed(vec![tried, met])), &Answers::default(), &CONTEXT);
    assert_eq!((starter.ports, starter.rules), (1, 1), "{}", starter.text);
    assert!(starter.text.contains("2 attempts to connect failed; no rule is for them"), "{}", starter.text);
    assert!(!starter.text.contains("policy in force"), "there was none: {}", starter.text);
    assert!(!starter.text.contains("Known by its port only"), "its executable is known: {}", starter.text);
}

/// A rule for a pseudonym would allow nobody.
#[test]
fn a_pseudonym_is_no_peer() {
    let edges = vec![edge(Direction::In, "100::7/128", postgres(), declared(), PostureState::Unknown)];
    let starter = starter(&Seen::of_ledger(&observed(edges)), &Answers::default(), &CONTEXT);
    active(&starter.text);
    assert_eq!((starter.rules, starter.unproven), (0, 7), "{}", starter.text);
    assert!(!starter.text.contains("100::"), "{}", starter.text);
}
