//! What the ledger lacks never turns a verdict into another one: at most it leaves it undecided.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::{Container, Endpoint, Names, Naming, Posture, Process, StatedBy, TlsVersion, Workload};
use crate::policy::Facts;

pub(super) const RULES: &str = r#"
version = 1
[[port]]
name = "db"
port = 5432
tls = { min = "1.2" }
[[port.allow]]
role = "unit"
direction = "in"
peers = ["10.0.0.0/30"]
process = { unit = "a.service", exe = "/usr/bin/a" }
[[port.allow]]
role = "cgroup"
direction = "in"
peers = ["10.0.0.4/30"]
process = { cgroup = "/system.slice/a.service" }
[[port.allow]]
role = "group"
direction = "in"
peers = ["any"]
process = { group = 7, user = ["alice", 1000] }
[[port.allow]]
role = "named-group"
direction = "out"
peers = ["10.0.0.0/29"]
process = { group = "staff" }
[[port.allow]]
role = "container"
direction = "out"
peers = ["any"]
process = { container = "orders", image = "shop/orders:1.*", stated_by = ["alice", "root"] }
[[port.allow]]
role = "label"
direction = "in"
peers = ["any"]
process = { label = { app = "orders" } }
[[port.allow]]
role = "pod"
direction = "out"
peers = ["10.0.0.8"]
process = { namespace = "shop", workload = "Deployment/orders" }
[[port]]
name = "cache"
port = 6379
service = ["10.0.0.6", "10.0.0.9"]
[[port.allow]]
role = "anybody"
direction = "out"
peers = ["10.0.0.0/29"]
"#;

fn container() -> impl Strategy<Value = Container> {
    let names = (
        option::of(select(vec!["orders", "other"])),
        option::of(select(vec!["shop/orders:1.4", "shop/other:1"])),
        option::of(select(vec!["shop", "x"])),
        option::of(select(vec!["orders", "x"])),
        option::of(select(vec!["orders", "x"])),
        select(vec![0, 1000]),
    )
        .prop_map(|(name, image, namespace, workload, label, by)| Names {
            name: name.map(Into::into),
            image: image.map(Into::into),
            image_digest: None,
            image_id: None,
            labels: label.map(|value| ("app".into(), value.into())).into_iter().collect(),
            labels_omitted: 0,
            labels_unshown: std::collections::BTreeMap::new(),
            compose: None,
            namespace: namespace.map(Into::into),
            pod_name: None,
            workload: workload.map(|name| Workload { kind: "Deployment".into(), name: name.into() }),
            stated_by: StatedBy { uid: by, user: (by == 1000).then(|| "alice".into()) },
            writes_state: false,
        });
    (option::weighted(0.8, names), any::<bool>()).prop_map(|(names, docker)| {
        let by = names.as_ref().map_or(0, |names| names.stated_by.uid);
        Container {
            id: "4f1d0c2b3a49".into(),
            runtime: docker.then(|| "docker".into()),
            pod: None,
            claimed_by: (by != 0).then_some(by),
            naming: names.map_or(Naming::Unknown, |names| Naming::Known(Arc::new(names))),
        }
    })
}

fn process() -> impl Strategy<Value = Process> {
    let text = |all: Vec<&'static str>| option::weighted(0.8, select(all));
    (
        text(vec!["/usr/bin/a", "/usr/bin/b"]),
        text(vec!["a.service", "b.service"]),
        (select(vec![0_u32, 1000]), text(vec!["alice", "root"])),
        (select(vec![7_u32, 50]), text(vec!["staff", "wheel"])),
        text(vec!["/system.slice/a.service", "/"]),
        option::weighted(0.4, container()),
        select(vec![Attribution::Exact, Attribution::Listener, Attribution::Snapshot, Attribution::Unknown]),
    )
        .prop_map(|(exe, unit, (uid, user), (gid, group), cgroup, container, attribution)| Process {
            exe: exe.map(Into::into),
            unit: unit.map(Into::into),
            uid,
            user: user.map(Into::into),
            gid,
            group: group.map(Into::into),
            cgroup: cgroup.map(Into::into),
            container,
            attribution,
            ..Process::UNKNOWN
        })
}

fn postures() -> impl Strategy<Value = Option<Posture>> {
    let one = |state, version| Some(Posture { version, ..Posture::new(state, "seen") });
    select(vec![
        one(PostureState::Tls13, Some(TlsVersion::Tls13)),
        one(PostureState::StarttlsUpgraded, Some(TlsVersion::Tls12)),
        one(PostureState::Plaintext, None),
        one(PostureState::NoData, None),
        one(PostureState::Unknown, None),
        None,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The same policy says the same of a row as it said of the flow, or that the ledger cannot tell.
    #[test]
    fn what_is_not_kept_never_turns_a_verdict(
        process in process(),
        posture in postures(),
        direction in select(vec![Direction::In, Direction::Out]),
        number in select(vec![5432_u16, 6379]),
        host in 0_u8..12,
    ) {
        let judge = judge(RULES);
        let ip = IpAddr::from([10, 0, 0, host]);
        let (here, nobody) = (Endpoint::new(ip, 0), Endpoint::new(IpAddr::from([10, 0, 2, 15]), 0));
        let (local, peer) = match direction {
            Direction::In => (Endpoint { port: number, ..nobody }, here),
            Direction::Out => (nobody, Endpoint { port: number, ..here }),
        };
        let facts = Facts {
            peer_missing: None,
            peer_within: None,
            direction,
            local,
            peer,
            nat: None,
            process: Some(&process),
            owner_withheld: None,
            posture: posture.as_ref(),
        };
        let then = VerdictKey::from(&judge.active().evaluate(&facts, at("2026-11-28T08:00:00Z")));
        let mut edge = edge(number, &format!("{ip}/32"), Identity::of(Some(&process)), then.clone(), PostureState::Unknown);
        edge.key.direction = direction;
        edge.key.posture = Arc::new(PostureKey::of(posture.as_ref()));
        let now = judge.judge(&edge.key).now;
        prop_assert!(
            now.outcome() == then.outcome() || now.outcome() == "undecided",
            "{then:?} became {now:?}: {process:?}"
        );
    }
}
