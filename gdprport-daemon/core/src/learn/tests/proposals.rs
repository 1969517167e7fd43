//! What the ledger supports becomes a rule, and nothing else does.

use std::sync::Arc;

use super::*;
use crate::ledger::{Counts, Edge, EdgeKey, ListenerRow, Observed, PortKey, VerdictKey};
use crate::verdict::ReasonId;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn exact(unit: &str, exe: &str, user: &str) -> Identity {
    Identity { attribution: Attribution::Exact, ..identity(unit, exe, user) }
}

pub(super) fn server() -> Identity {
    exact("postgresql@15-main.service", "/usr/lib/postgresql/15/bin/postgres", "postgres")
}

/// A row: so many connections of a process with a peer, and what was said of them.
pub(super) fn row(direction: Direction, peer: &str, identity: Identity, verdict: VerdictKey) -> Edge {
    let key = EdgeKey {
        port: Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true }),
        direction,
        identity: Arc::new(identity),
        peer: peer.parse().or_else(|_| peer.parse::<IpAddr>().map(IpNet::from)).expect("a peer"),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey {
            state: PostureState::Tls13,
            version: Some(TlsVersion::Tls13),
            cipher: None,
            certificate_until: None,
        }),
        policy: Some("sha256:1dc4".into()),
    };
    let counts =
        Counts { flows: 7, moved: 0, opened: 7, closed: 7, failed: 0, bytes_sent: 1, bytes_received: 1 };
    let (first, last) = (at("2026-11-02T08:00:00Z"), at("2026-11-28T09:00:00Z"));
    Edge { day: "2026-11-28".parse().expect("a day"), key, counts, first, last }
}

pub(super) fn declared() -> VerdictKey {
    VerdictKey::Declared { rule: "orders".into() }
}

pub(super) fn violation() -> VerdictKey {
    VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPeer], nearest: None }
}

pub(super) fn seen(edges: &[Edge]) -> Seen {
    let listener = ListenerRow {
        port: Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true }),
        local: Endpoint::new(IpAddr::from([10, 0, 2, 15]), 5432),
        identity: Arc::new(server()),
        verdict: Arc::new(VerdictKey::Declared { rule: "listen".into() }),
        first: at("2026-11-01T00:00:00Z"),
        last: at("2026-11-29T00:00:00Z"),
        open: true,
    };
    Seen::of_ledger(&Observed {
        from: at("2026-11-01T00:00:00Z"),
        to: at("2026-11-29T00:00:00Z"),
        edges: edges.to_vec(),
        listeners: vec![listener],
        coverage: Vec::new(),
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    })
}

pub(super) fn numbered(edges: &[Edge]) -> Vec<(i64, Edge)> {
    (1..).zip(edges.iter().cloned()).collect()
}

pub(super) fn learn(edges: &[Edge], include_violations: bool) -> Proposal {
    let (rows, seen) = (numbered(edges), seen(edges));
    let asked = Asked { rows: &rows, seen: &seen, include_violations, context: &LEARN };
    propose(&asked).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Whether a policy allows this on the port.
pub(super) fn allows(text: &str, direction: Direction, peer: &str, identity: &Identity) -> bool {
    let posture = Some((PostureState::Tls13, Some(TlsVersion::Tls13)));
    let peer = peer.parse().expect("an address");
    matches!(verdict(&active(text), direction, 5432, peer, identity, posture), Verdict::Declared { .. })
}

#[test]
fn a_proposal_of_a_server_and_its_clients() {
    let backup = exact("backup.service", "/usr/bin/pg_dump", "backup");
    let mut edges: Vec<Edge> =
        (11..16).map(|host| row(Direction::In, &format!("10.0.2.{host}"), server(), declared())).collect();
    edges.push(row(Direction::In, "203.0.113.7", server(), violation()));
    edges.push(row(Direction::Out, "10.0.9.9", backup, declared()));
    edges.push(row(Direction::In, "10.0.2.77", Identity::UNKNOWN, VerdictKey::Undecided { nearest: None }));
    let proposal = learn(&edges, false);
    assert_eq!((proposal.ports, proposal.rules, proposal.commented), (2, 2, 2), "{}", proposal.text);
    insta::assert_snapshot!(proposal.text);
}

#[test]
fn a_violation_is_a_comment_unless_somebody_asks() {
    let edges = [
        row(Direction::In, "10.0.2.11", server(), declared()),
        row(Direction::In, "10.0.2.66", server(), violation()),
    ];
    let held = learn(&edges, false);
    assert!(allows(&held.text, Direction::In, "10.0.2.11", &server()));
    assert!(!allows(&held.text, Direction::In, "10.0.2.66", &server()), "{}", held.text);
    assert!(
        held.text.contains("It was a violation of the policy of then: undeclared-peer."),
        "{}",
        held.text
    );
    let included = learn(&edges, true);
    assert!(allows(&included.text, Direction::In, "10.0.2.66", &server()), "{}", included.text);
    assert!(
        included.text.contains("# Some of it was a violation of the policy of then: undeclared-peer."),
        "{}",
        included.text
    );
    // Without a policy nobody has decided anything.
    let mut by_catalog = row(Direction::In, "10.0.2.66", server(), violation());
    by_catalog.key.policy = None;
    assert!(allows(&learn(&[by_catalog], false).text, Direction::In, "10.0.2.66", &server()));
}

#[test]
fn only_exact_evidence_becomes_a_rule_in_force() {
    let known_by = |attribution| Identity { attribution, ..server() };
    let claimed = ContainerIdentity {
        name: Some("orders".into()),
        image: Some("localhost/orders".into()),
        stated_by: Some(1000),
        ..ContainerIdentity::default()
    };
    let by_word = Identity { container: Some(claimed), ..exact("", "/usr/bin/node", "alice") };
    for (identity, why, key) in [
        (known_by(Attribution::Listener), "by who listened only", true),
        (known_by(Attribution::Snapshot), "by who had the socket open later only", true),
        (by_word, "claimed by user 1000", false),
        (Identity::UNKNOWN, "the process is not known", false),
    ] {
        let proposal = learn(&[row(Direction::In, "10.0.2.11", identity, declared())], false);
        assert_eq!((proposal.rules, proposal.commented), (0, 1), "{}", proposal.text);
        let text = proposal.text.replace("\n# ", " ");
        assert!(text.contains(why), "{}", proposal.text);
        assert_eq!(proposal.text.contains("# process = {}"), !key, "{}", proposal.text);
    }
}

#[test]
fn no_rule_names_a_public_network_or_more_than_a_subnet() {
    let name = |net: &str| learn(&[row(Direction::In, net, server(), declared())], false);
    let subnet = name("10.0.2.0/24");
    assert!(allows(&subnet.text, Direction::In, "10.0.2.200", &server()), "{}", subnet.text);
    assert!(subnet.text.contains("(255 addresses more)"), "{}", subnet.text);
    for net in ["10.0.0.0/16", "203.0.113.0/24", "fd00::/48", "2001:db8::/64", "0.0.0.0/0", "100::/64"] {
        let proposal = name(net);
        assert_eq!((proposal.rules, proposal.commented), (0, 1), "{net}: {}", proposal.text);
        assert!(proposal.text.contains("# peers = []"), "{net}: {}", proposal.text);
    }
}

/// The internet is a list of addresses, of which those that came most often are named.
#[test]
fn many_addresses_become_subnets_or_are_left_out() {
    let private: Vec<Edge> =
        (0..100).map(|host| row(Direction::In, &format!("10.0.2.{host}"), server(), declared())).collect();
    let text = learn(&private, false).text;
    assert!(text.contains(r#"peers = ["10.0.2.0/25"]"#), "{text}");
    let text = text.replace("\n# ", " ");
    assert!(text.contains("10.0.2.0/25 would allow 28 addresses more than the 100 seen"), "{text}");
    let public: Vec<Edge> =
        (0..100).map(|net| row(Direction::In, &format!("198.51.{net}.7"), server(), declared())).collect();
    let proposal = learn(&public, false);
    assert_eq!((proposal.rules, proposal.grouped), (1, 1), "{}", proposal.text);
    let text = proposal.text.replace("\n# ", " ");
    assert!(text.contains("36 addresses more were seen and are left out"), "{}", proposal.text);
    assert!(!proposal.text.contains("198.51.0.0/"), "{}", proposal.text);
    let elsewhere = |n: u32| {
        let peer = std::net::Ipv4Addr::from(0xc633_0000 + n).to_string();
        row(Direction::Out, &peer, exact("app.service", "/usr/bin/app", "app"), declared())
    };
    let edges: Vec<Edge> = (0..2_000).map(elsewhere).collect();
    let proposal = learn(&edges, false);
    assert!(proposal.text.len() < 10_000 && proposal.rules == 1, "{}", proposal.text);
    assert_eq!(super::merged::merged(&edges, &proposal.text, false).text, proposal.text);
}

#[test]
fn a_port_has_only_as_many_rules_as_can_be_read() {
    let many: Vec<Edge> = (0..60)
        .map(|n| {
            row(
                Direction::Out,
                "10.0.9.9",
                exact(&format!("job-{n}.service"), &format!("/usr/bin/j{n}"), "j"),
                declared(),
            )
        })
        .collect();
    let proposal = learn(&many, false);
    assert_eq!((proposal.rules, proposal.grouped), (32, 28), "{}", proposal.text);
    assert!(proposal.text.contains("28 groups more with 196 connections"), "{}", proposal.text);
    assert!(proposal.text.lines().count() < 400, "{}", proposal.text);
}

/// Whose server is down stays declared; who looks for open ports does not become it.
#[test]
fn an_attempt_is_a_rule_only_if_it_was_declared() {
    let attempt = |peer: &str, verdict| {
        let mut edge =
            row(Direction::Out, peer, exact("backup.service", "/usr/bin/pg_dump", "backup"), verdict);
        edge.counts = Counts { flows: 4, failed: 4, ..Counts::default() };
        edge
    };
    let undecided = VerdictKey::Undecided { nearest: None };
    let edges =
        [attempt("10.0.9.9", declared()), attempt("10.0.9.10", undecided), attempt("10.0.9.11", violation())];
    let text = learn(&edges, true).text;
    assert!(text.contains("4 attempts, none of which succeeded, made by backup.service"), "{text}");
    assert!(text.contains("peers = [\"10.0.9.9\"]") && !text.contains("10.0.9.1"), "{text}");
}

/// What broke the demand on the encryption is not allowed by leaving the demand out.
#[test]
fn a_demand_that_was_not_met_is_kept() {
    let mut plain = row(
        Direction::In,
        "10.0.2.11",
        server(),
        VerdictKey::Violation { reasons: vec![ReasonId::Plaintext], nearest: None },
    );
    let state = PostureState::Plaintext;
    plain.key.posture = Arc::new(PostureKey { state, version: None, cipher: None, certificate_until: None });
    let text = learn(&[row(Direction::In, "10.0.2.12", server(), declared()), plain.clone()], false).text;
    assert!(text.contains("\ntls = { min = \"1.3\" }"), "{text}");
    let seen = Some((PostureState::Plaintext, None));
    let got = verdict(&active(&text), Direction::In, 5432, IpAddr::from([10, 0, 2, 11]), &server(), seen);
    assert!(matches!(got, Verdict::Violation { .. }), "{got:?}\n{text}");
}
