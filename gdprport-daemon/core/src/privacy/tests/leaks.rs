//! Whatever flows there are, nothing that leaves shows a true address of a peer or a person's name or id.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::encode::{Encoder, native};
use crate::event::{
    Body, Cookie, Event, Finding, FindingEvent, FindingId, Flow as FlowObject, FlowEvent, FlowFindingEvent,
    FlowKind, Listener, ListenerEvent, Peer, Violation, samples,
};
use crate::flow::Flow;
use crate::model::{
    Attribution, Certificate, Container, Direction, Endpoint, Names, Naming, Nat, Parent, Posture,
    PostureState, Process, StatedBy, Translation,
};
use crate::policy::{ActivePolicy, DnsNames, Emit, Source, compile};
use crate::privacy::Shown;
use crate::shared::Shared;
use crate::suppress::{Suppressor, With};

/// Who is not to be found again.
#[derive(Debug, Clone)]
struct Persons {
    /// The users of both ends, and one whom the policy names.
    names: [String; 3],
    ids: [u32; 3],
    /// Peer, true peer, destination, source, and one that the policy names.
    addresses: [IpAddr; 5],
}

fn name() -> impl Strategy<Value = String> {
    // Rare letters, so that no word of a text is one by chance.
    "zq[a-z0-9]{3,8}(-[a-z0-9]{2,4})?"
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0x1000..=0xffff_u32).prop_map(|low| IpAddr::from((198 << 24 | 18 << 16 | low).to_be_bytes())),
        any::<[u16; 4]>().prop_map(|[a, b, c, d]| IpAddr::from([0x2001, 0xdb8, 7, 7, a, b, c, d])),
    ]
}

fn persons() -> impl Strategy<Value = Persons> {
    let id = || 1_000_000..2_000_000_u32;
    ([name(), name(), name()], [id(), id(), id()], [address(), address(), address(), address(), address()])
        .prop_map(|(names, ids, addresses)| Persons { names, ids, addresses })
        .prop_filter("persons are two", |persons| {
            let [a, b, c] = &persons.names;
            a != b && b != c && a != c
        })
}

fn process(name: &str, id: u32, other: &str) -> Process {
    let container = Container {
        id: "4f".repeat(32).into(),
        runtime: Some("podman".into()),
        pod: None,
        claimed_by: Some(id),
        naming: Naming::Known(Arc::new(Names {
            name: Some("orders".into()),
            image: Some("registry.example/orders:1".into()),
            image_digest: None,
            image_id: None,
            labels: [].into(),
            labels_omitted: 0,
            labels_unshown: [].into(),
            compose: None,
            namespace: None,
            pod_name: None,
            workload: None,
            stated_by: StatedBy { uid: id, user: Some(name.into()) },
            writes_state: false,
        })),
    };
    Process {
        pid: 812,
        exe: Some(format!("/home/{name}/.local/bin/tool").into()),
        script: Some(format!("/data/{name}/x.py").into()),
        comm: Some(name.chars().take(15).collect::<String>().as_str().into()),
        uid: id,
        user: Some(name.into()),
        gid: id,
        group: Some(name.into()),
        euid: Some(id),
        egid: Some(id),
        unit: Some(format!("user@{id}.service").into()),
        slice: Some(format!("user-{id}.slice").into()),
        container: Some(container),
        cgroup: Some(format!("/user.slice/user-{id}.slice/user@{id}.service/tool@{name}.service").into()),
        parent: Some(Parent { pid: 7, exe: Some(format!("/home/{other}/bin/sh").into()) }),
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    }
}

/// The rules name a person and an address, so that texts about what failed would too.
fn policy(persons: &Persons, privacy: &Arc<Privacy>) -> ActivePolicy {
    let (name, id, address) = (&persons.names[2], persons.ids[2], persons.addresses[4]);
    let text = format!(
        r#"
version = 1
[[port]]
name = "db"
port = 5432
[[port.allow]]
role = "app"
direction = "in"
peers = ["{address}", "10.0.0.0/24"]
process = {{ user = ["{name}", "{id}"], group = "{name}", exe = "/home/{name}/bin/*", unit = "user@{id}.service", container = "other", stated_by = "{name}" }}
[[port.allow]]
role = "out"
direction = "out"
peers = ["{address}"]
process = {{ user = "{id}", cgroup = "/user.slice/user-{id}.slice/*" }}
"#
    );
    let source = Source { name: "policy.toml".to_owned(), text };
    let policy = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
    ActivePolicy::new(policy, DnsNames::default()).with_privacy(Some(Arc::clone(privacy)))
}

fn flow(persons: &Persons, direction: Direction, nat: u8, known: u8) -> Flow {
    let [peer, behind, destination, source, _] = persons.addresses;
    let (local, peer) = match direction {
        Direction::In => (Endpoint::new(ip("10.9.9.9"), 5432), Endpoint::new(peer, 40_000)),
        Direction::Out => (Endpoint::new(ip("10.9.9.9"), 40_000), Endpoint::new(peer, 5432)),
    };
    let mut flow = Flow::new(7, direction, local, peer);
    let end = |ip| Some(Endpoint::new(ip, 1));
    flow.nat = match nat {
        0 => None,
        1 => Some(Nat::Pending),
        _ => Some(Nat::Translated(Box::new(Translation {
            peer: end(behind),
            destination: end(destination),
            source: end(source),
        }))),
    };
    let mut owner = process(&persons.names[0], persons.ids[0], &persons.names[1]);
    match known {
        0 => owner.exe = None,
        1 => owner.user = None,
        2 => (owner.cgroup, owner.unit) = (None, None),
        3 => owner.names_pending = true,
        _ => {}
    }
    flow.process = (known != 5).then(|| Shared::new(owner));
    flow.peer_process = Some(process(&persons.names[1], persons.ids[1], &persons.names[0]).into());
    flow.posture = Some(Shared::new(Posture {
        sni: Some(persons.addresses[0].to_string().as_str().into()),
        certificate: Some(Box::new(Certificate {
            subject: format!("CN={}", persons.addresses[0]),
            issuer: format!("CN={}", persons.addresses[1]),
            not_after: samples::now(),
        })),
        ..Posture::new(PostureState::Tls12, "TLS 1.2, by the server's hello")
    }));
    flow
}

fn event_of(flow: &Flow) -> FlowEvent {
    let flow_object = FlowObject {
        id: flow.id,
        cookie: Cookie(flow.cookie),
        direction: flow.direction,
        local: flow.local,
        peer: Peer { ip: flow.peer.ip, port: flow.peer.port, name: Some("db.example".into()) },
        nat: flow.nat.clone(),
        opened: None,
        duration_ms: None,
        bytes_sent: None,
        bytes_received: None,
        rtt_us: None,
        retransmits: None,
        outcome: flow.outcome,
        would_deny: flow.would_deny,
    };
    FlowEvent {
        port: samples::port(),
        flow: flow_object,
        process: flow.process.clone(),
        peer_process: flow.peer_process.clone(),
        posture: flow.posture.clone(),
        verdict: flow.verdict.clone(),
        accepted: None,
        overload: None,
        volume: Some(Box::new(samples::volume::moved())),
        policy: samples::policy(),
    }
}

/// Every event that there can be about a flow and a listener.
fn bodies(event: &FlowEvent, listener: &ListenerEvent) -> Vec<Body> {
    let kinds = [
        FlowKind::Open,
        FlowKind::Fail,
        FlowKind::Close,
        FlowKind::Update,
        FlowKind::Posture,
        FlowKind::Violation,
    ];
    let mut bodies: Vec<Body> = kinds.iter().map(|kind| kind.body(event.clone())).collect();
    let mut suppressor = Suppressor::default();
    let emit = Emit::Summary { every: std::time::Duration::from_secs(60) };
    let quiet =
        FlowEvent { verdict: samples::declared(crate::model::Outcome::Closed).verdict, ..event.clone() };
    let _ = suppressor.offer(FlowKind::Close, With::default(), &quiet, emit, samples::now());
    for _ in 0..2 {
        let with = With { violation: true, finding: true };
        let _ = suppressor.offer(FlowKind::Close, with, event, Emit::Auto { most: 1 }, samples::now());
    }
    bodies.extend(suppressor.flush(samples::now()));
    assert_eq!(bodies.len(), kinds.len() + 2, "a summary of each");
    let finding = Finding { id: FindingId::PostureUnknown, detail: "nothing was seen".to_owned() };
    bodies
        .push(Body::Finding(Box::new(FindingEvent::Flow(FlowFindingEvent { finding, flow: event.clone() }))));
    bodies.push(Body::ListenerOpen(Box::new(listener.clone())));
    bodies.push(Body::ListenerFail(Box::new(listener.clone())));
    bodies.push(Body::ListenerClose(Box::new(listener.clone())));
    bodies.push(Body::Violation(Box::new(Violation::Listener(listener.clone()))));
    bodies
}

/// All lines of all events, by both encoders.
fn lines(persons: &Persons, privacy: &Arc<Privacy>, direction: Direction, nat: u8, known: u8) -> String {
    let active = policy(persons, privacy);
    let mut flow = flow(persons, direction, nat, known);
    flow.verdict = active.evaluate(&flow.facts(), samples::now()).into();
    let owner = flow.process.clone();
    let local = Endpoint::new(ip("0.0.0.0"), 5432);
    let verdict =
        active.evaluate_listener(Endpoint::new(ip("0.0.0.0"), 6000), owner.as_deref(), samples::now());
    let mut shown = Shown::new(Arc::clone(privacy));
    shown.flow(&mut flow);
    let listener = ListenerEvent {
        port: samples::port(),
        listener: Listener::new(local, Cookie(7)),
        process: owner.map(|process| shown.process(&process)),
        verdict,
        accepted: None,
        policy: samples::policy(),
    };
    let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
    let mut stamper = samples::stamper();
    for body in bodies(&event_of(&flow), &listener) {
        let event: Event = stamper.stamp(samples::now(), body);
        encoder.native(&event, &mut bytes);
        native(&event, &mut bytes);
    }
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

proptest! {
    #[test]
    fn no_event_shows_a_true_address_or_a_person(
        persons in persons(),
        inbound in any::<bool>(),
        nat in 0..3_u8,
        known in 0..6_u8,
    ) {
        let direction = if inbound { Direction::In } else { Direction::Out };
        let lines = lines(&persons, &privacy(), direction, nat, known);
        for address in persons.addresses {
            prop_assert!(!lines.contains(&address.to_string()), "{address} in {lines}");
        }
        for name in &persons.names {
            prop_assert!(!lines.contains(name.as_str()), "{name} in {lines}");
        }
        for id in persons.ids {
            prop_assert!(!lines.contains(&id.to_string()), "{id} in {lines}");
        }
    }

    #[test]
    fn a_truncated_address_is_in_no_event(persons in persons(), inbound in any::<bool>(), nat in 0..3_u8) {
        let direction = if inbound { Direction::In } else { Direction::Out };
        let privacy = truncated(16, 64);
        let lines = lines(&persons, &privacy, direction, nat, 4);
        for address in persons.addresses.into_iter().filter(|address| privacy.address(*address) != *address) {
            prop_assert!(!lines.contains(&address.to_string()), "{address} in {lines}");
        }
        prop_assert!(lines.contains(&persons.names[0]), "users were not to be hidden");
    }

    /// What leaves is changed, what is decided is not.
    #[test]
    fn verdicts_are_made_of_true_values(
        persons in persons(),
        inbound in any::<bool>(),
        nat in 0..3_u8,
        known in 0..6_u8,
    ) {
        let direction = if inbound { Direction::In } else { Direction::Out };
        let flow = flow(&persons, direction, nat, known);
        let hidden = policy(&persons, &privacy()).evaluate(&flow.facts(), samples::now());
        let open = policy(&persons, &privacy()).with_privacy(None).evaluate(&flow.facts(), samples::now());
        prop_assert_eq!(hidden.outcome(), open.outcome());
        let ids = |verdict: &crate::verdict::Verdict| {
            verdict.reasons().iter().map(|reason| reason.id).collect::<Vec<_>>()
        };
        prop_assert_eq!(ids(&hidden), ids(&open));
    }
}
