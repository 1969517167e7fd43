//! What listens, and where.

use super::world::*;
use crate::audit::{Edit, FindingId};
use crate::inventory::{Recognised, Unread};
use crate::ledger::{Identity, PostureKey};
use crate::model::PostureState;

fn redis() -> Identity {
    (*program("/usr/bin/redis-server", "redis-server.service")).clone()
}

#[test]
fn a_host_in_order_has_no_findings() {
    let audit = World::good().audit();
    assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
    let ids: Vec<_> = audit.not_judged.iter().flat_map(|not| &not.ids).collect();
    assert_eq!(ids, [&FindingId::CertificateExpiring]);
}

#[test]
fn a_catalog_port_that_listens_undeclared_is_one_finding() {
    let mut world = World::good();
    let by = [Recognised::Executable, Recognised::Port];
    world.host().listeners.push(listening("0.0.0.0", 6379, &redis(), &by, Some("redis")));
    world.host().listeners.push(listening("::", 6379, &redis(), &by, Some("redis")));
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::UndeclaredListener, "medium"));
    assert_eq!((found.subject.port.as_deref(), found.subject.number), (Some("redis"), Some(6379)));
    assert_eq!(evidence(&found, "known by"), "executable, port");
    assert_eq!(evidence(&found, "bound to"), "0.0.0.0:6379, [::]:6379");
    assert_eq!(found.place.map(|place| (place.file, place.line)), Some(("policy.toml".into(), 1)));
    assert_eq!(found.proposal.and_then(|proposal| proposal.edit), Some(Edit::Append));
}

#[test]
fn what_only_this_host_reaches_is_low() {
    let mut world = World::good();
    world.host().listeners.push(listening("127.0.0.1", 6379, &redis(), &[Recognised::Port], Some("redis")));
    assert_eq!(world.found(), ["low undeclared-listener"]);
}

/// Known by its executable; a program that the catalog does not know is no finding.
#[test]
fn a_service_on_a_port_that_nobody_knows_is_a_shadow() {
    let mut world = World::good();
    world.host().listeners.push(listening(
        "10.0.2.15",
        16_379,
        &redis(),
        &[Recognised::Executable],
        Some("redis"),
    ));
    let python = program("/usr/bin/python3.11", "app.service");
    world.host().listeners.push(listening("0.0.0.0", 8_090, &python, &[], None));
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::ShadowService, "medium"));
    assert_eq!(found.subject.process.as_deref(), Some("/usr/bin/redis-server"));
}

/// As a scan that watched finds it: the bytes name the service, and nothing else does.
#[test]
fn a_service_known_by_its_first_bytes_is_a_shadow() {
    let mut world = World::good();
    let python = program("/usr/bin/python3.11", "app.service");
    world.host().listeners.push(listening("10.0.2.15", 9_999, &python, &[Recognised::Bytes], Some("redis")));
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::ShadowService, "medium"));
    let by = found.evidence.iter().find(|evidence| &*evidence.what == "known by");
    assert_eq!(by.map(|by| &*by.value), Some("first bytes"));
}

#[test]
fn plain_http_is_found_only_if_others_can_reach_it() {
    let plain: (PostureKey, u64) = (posture(PostureState::Plaintext), 3);
    let python = program("/usr/bin/python3.11", "app.service");
    for (address, spoken, postures, expected) in [
        ("0.0.0.0", "HTTP", vec![plain.clone()], &["low shadow-service"][..]),
        ("127.0.0.1", "HTTP", vec![plain.clone()], &[]),
        ("0.0.0.0", "HTTP", vec![(tls13(), 3)], &[]),
        ("0.0.0.0", "IRC", vec![plain.clone()], &[]),
    ] {
        let mut world = World::good();
        let mut http = listening(address, 8_090, &python, &[Recognised::Bytes], None);
        http.service.name = Some(spoken.into());
        http.postures = postures;
        world.host().listeners.push(http);
        assert_eq!(world.found(), expected, "{address}");
    }
}

#[test]
fn a_listener_against_its_declaration_is_high() {
    let mut world = World::good();
    world.host().listeners[0].addresses.push("0.0.0.0".parse().expect("an address"));
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::ExposedListener, "high"));
    assert_eq!(found.subject.address.as_deref(), Some("0.0.0.0"));
    assert_eq!(found.place.map(|place| place.line), Some(7));
}

/// Only in the host's own network: containers listen on every address of theirs.
#[test]
fn without_listen_every_address_is_medium() {
    let mut world = World::with("listen = [\"10.0.2.15\"]\n", "");
    assert!(world.found().is_empty(), "a private address is none");
    world.host().listeners[0].addresses = vec!["0.0.0.0".parse().expect("an address")];
    assert_eq!(world.found(), ["medium exposed-listener"]);
    world.host().listeners[0].own_netns = false;
    assert!(world.found().is_empty());
    let mut declared = World::with("\"10.0.2.15\"", "\"any\"");
    declared.host().listeners[0].addresses = vec!["0.0.0.0".parse().expect("an address")];
    assert!(declared.found().is_empty(), "a decision is no finding");
}

#[test]
fn what_is_declared_elsewhere_listens_here_undeclared() {
    let mut world = World::good();
    world.files[0].text.push_str("\n[[port]]\nname = \"remote\"\nport = 8443\nservice = [\"10.9.9.9\"]\ntls = { min = \"1.3\" }\nrecord = { purpose = \"a\", subjects = [\"b\"], data = [\"c\"], recipients = [], transfers = [], retention = \"d\" }\n");
    let python = program("/usr/bin/python3.11", "app.service");
    world.host().listeners.push(listening("10.0.2.15", 8_443, &python, &[], None));
    let found = world.one();
    assert_eq!((found.id, found.subject.port.as_deref()), (FindingId::UndeclaredListener, Some("remote")));
}

#[test]
fn without_a_look_the_ledger_says_what_listens() {
    let mut world = World::good();
    world.inventory = None;
    world.ledger_listens(
        &port("redis", 6379, false),
        "0.0.0.0",
        program("/usr/bin/redis-server", "redis.service"),
    );
    world.ledger_listens(&port("customers-db", 5432, true), "0.0.0.0", postgres());
    assert_eq!(world.found(), ["high exposed-listener", "medium undeclared-listener"]);
    world.ledger().listeners.iter_mut().for_each(|row| row.open = false);
    let audit = world.audit();
    assert!(audit.findings.is_empty(), "what listened is no more: {:#?}", audit.findings);
    assert_eq!(why_not(&audit, FindingId::ShadowService), ["the host was not looked at"]);
    assert!(why_not(&audit, FindingId::ExposedListener).is_empty());
    world.observed = None;
    assert_eq!(why_not(&world.audit(), FindingId::ExposedListener), ["the host was not looked at"]);
}

#[test]
fn what_could_not_be_read_is_not_judged() {
    let mut world = World::good();
    let unread = Unread { what: "processes".into(), count: 3, why: "run it as root".into() };
    world.host().unread.push(unread);
    let why = why_not(&world.audit(), FindingId::ShadowService);
    assert_eq!(why, ["processes that could not be looked at: 3; run it as root"]);
}

/// Not once it listens, nor while it was watched for too short.
#[test]
fn a_declared_port_without_a_listener_is_found() {
    let mut world = World::good();
    world.host().listeners.clear();
    world.ledger().edges.clear();
    assert!(world.found().contains(&"low port-without-listener".to_owned()));
    let mut seen = world.clone();
    seen.ledger_listens(&port("customers-db", 5432, true), "10.0.2.15", postgres());
    seen.ledger().listeners[0].open = false;
    assert!(!seen.found().contains(&"low port-without-listener".to_owned()));
    world.ledger().coverage.clear();
    coverage(world.ledger(), "customers-db", 5432, 3);
    let audit = world.audit();
    assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
    assert_eq!(
        why_not(&audit, FindingId::PortWithoutListener),
        ["absence counts after 14d of watching without a loss, and there is less for customers-db (3d)"]
    );
}
