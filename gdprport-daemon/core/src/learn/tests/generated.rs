//! Inventories at random, with names that somebody chose to break the file.

use std::collections::BTreeSet;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::process::demand;
use super::*;
use crate::model::PostureState::{NoData, Plaintext, StarttlsUpgraded, Tls12, Tls13, Unknown, WeakTls};

/// What somebody may call a file, a unit or a container.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]{1,3}(-[0-9]{1,3})?(\\.service|\\.scope)?",
        2 => "[a\"'\\\\\\[\\]{}*?!#=,\n\r\t\u{1b}\u{202e}\u{0}é漢 @:/.-]{0,12}",
        1 => "[0-9]{1,11}",
        1 => "[0-9a-f]{12,64}",
        1 => Just("x".repeat(1_100)),
        1 => Just("[".repeat(300)),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["/usr/bin/a", "/usr/bin/python3.11", "/usr/bin/[", "/opt/x*/{b}"]).prop_map(str::to_owned),
        2 => text().prop_map(|name| format!("/tmp/{name}")),
        1 => text(),
    ]
}

fn container() -> impl Strategy<Value = ContainerIdentity> {
    let some = || option::of(text().prop_map(Into::into));
    let image = option::of(prop_oneof![
        Just("registry.example/shop/orders:1.4".to_owned()),
        Just("postgres".to_owned()),
        Just(format!("sha256:{}", "a".repeat(64))),
        text(),
    ]);
    let workload = option::of(prop_oneof![
        Just("Deployment/orders".to_owned()),
        Just("Job/nightly-28391040".to_owned()),
        (text(), text()).prop_map(|(kind, name)| format!("{kind}/{name}")),
    ]);
    (some(), some(), image, some(), workload, option::of(select(vec![0, 1000, u32::MAX]))).prop_map(
        |(runtime, name, image, namespace, workload, stated_by)| ContainerIdentity {
            runtime,
            name,
            image: image.map(Into::into),
            namespace,
            workload: workload.map(Into::into),
            stated_by,
        },
    )
}

pub(super) fn who() -> BoxedStrategy<Identity> {
    let known = (
        option::weighted(0.8, path()),
        option::of(path()),
        option::of(text()),
        (select(vec![0, 1000, u32::MAX]), option::of(text())),
        option::weighted(0.3, container()),
    )
        .prop_map(|(exe, script, unit, (uid, user), container)| Identity {
            attribution: Attribution::Exact,
            exe: exe.map(Into::into),
            script: script.map(Into::into),
            unit: unit.map(Into::into),
            uid: Some(uid),
            user: user.map(Into::into),
            group: None,
            container,
        });
    prop_oneof![9 => known, 1 => Just(Identity::UNKNOWN)].boxed()
}

pub(super) fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        4 => (0_u8..3, 1_u8..9).prop_map(|(net, host)| IpAddr::from([10, 0, net, host])),
        2 => select(vec!["127.0.0.1", "::1", "::ffff:10.0.2.7", "192.0.2.1", "fd00::5", "fe80::1", "0.0.0.0", "::"])
            .prop_map(|text| text.parse().expect("an address")),
        1 => any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        1 => any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

fn peers() -> impl Strategy<Value = Vec<PeerGroup>> {
    let net = (address(), prop_oneof![8 => Just(128_u8), 1 => 0_u8..128]).prop_map(|(ip, length)| {
        let net = IpNet::from(ip);
        IpNet::new(ip, length.min(net.max_prefix_len())).map_or(net, |net| net.trunc())
    });
    let group = (
        net,
        select(vec![Direction::In, Direction::In, Direction::Out]),
        1_u64..99,
        option::of(who()),
        option::of(address()),
    )
        .prop_map(|(net, direction, connections, process, called)| PeerGroup {
            net,
            direction,
            connections,
            process,
            called,
        })
        .boxed();
    prop_oneof![6 => vec(group.clone(), 0..6), 1 => vec(group, 60..140)]
}

fn found() -> BoxedStrategy<Listening> {
    let postures = vec(
        (select(vec![Tls13, Tls12, StarttlsUpgraded, WeakTls, Plaintext, NoData, Unknown]), 0_u64..9)
            .prop_map(|(state, connections)| {
                (PostureKey { state, version: None, cipher: None, certificate_until: None }, connections)
            }),
        0..3,
    );
    let port = prop_oneof![4 => select(vec![5432_u16, 6379, 8090]), 1 => 1_u16..];
    let name = option::weighted(0.1, text().prop_map(Into::into));
    (port, vec(address(), 0..3), who(), peers(), postures, any::<bool>(), name)
        .prop_map(|(port, addresses, holder, peers, postures, own_netns, declared)| Listening {
            addresses,
            own_netns,
            declared,
            postures,
            ..listening(port, &[], holder, peers)
        })
        .boxed()
}

fn inventory() -> impl Strategy<Value = Inventory> {
    (vec(found(), 0..6), vec(found(), 0..3)).prop_map(|(listeners, remote)| Inventory {
        listeners,
        remote,
        ..Inventory::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever was seen and is proven is declared; everybody else is not.
    #[test]
    fn a_starter_policy_allows_what_was_seen(inventory in inventory(), stranger in who(), from in address()) {
        let seen = Seen::of_inventory(&inventory);
        let every = seen.services.iter().map(|service| (Which::Port(service.port), true)).collect();
        let answers = Answers { services: every, ..Answers::default() };
        let starter = starter(&seen, &answers, &CONTEXT);
        let policy = active(&starter.text);
        for service in &seen.services {
            let posture = service.postures.keys().next().copied();
            for edge in &service.edges {
                let Some(peer) = edge.peer else { continue };
                if demand(&edge.identity).is_err() || peer.addr().to_canonical().is_unspecified() {
                    continue;
                }
                let got = verdict(&policy, edge.direction, service.port, peer.addr().to_canonical(), &edge.identity, posture);
                prop_assert!(matches!(got, Verdict::Declared { .. }), "{edge:?}: {got:?}\n{}", starter.text);
            }
            let table = |identity: &Identity| demand(identity).ok().map(|demand| demand.table);
            // What is accepted is the local service's, whichever of the port is asked.
            let of_port = seen.services.iter().filter(|other| other.port == service.port);
            let edges: Vec<_> = of_port.flat_map(|other| &other.edges).collect();
            let known: BTreeSet<_> = edges.iter().filter_map(|edge| table(&edge.identity)).collect();
            let got = verdict(&policy, Direction::In, service.port, from, &stranger, posture);
            let is_stranger = table(&stranger).is_some_and(|table| !known.contains(&table));
            // A user without a name is asked for by number, which one that has got a name since has too.
            let nameless = |edge: &SeenEdge| edge.identity.user.is_none() && edge.identity.uid == stranger.uid;
            let is_stranger = is_stranger && !edges.into_iter().any(nameless);
            let prefixes = stranger.container.is_some();
            prop_assert!(!is_stranger || prefixes || !matches!(got, Verdict::Declared { .. }), "{got:?}\n{}", starter.text);
        }
        prop_assert!(starter.rules <= RULES_MAX);
    }

    /// What nobody chose stands there as comments, which are a policy too once their marks are removed.
    #[test]
    fn what_is_commented_is_a_policy_once_uncommented(found in found()) {
        let mut found = found;
        (found.service, found.declared, found.port) = (Service::default(), None, 8090);
        let starter = written(&Inventory { listeners: vec![found], ..Inventory::default() });
        active(&starter.text);
        let (_, commented) = starter.text.split_once("PORT=yes`.").expect("the service is listed");
        let block: String = commented.lines().map(|line| line.strip_prefix("# ").unwrap_or("").to_owned() + "\n").collect();
        active(&format!("version = 1\n{block}"));
    }
}
