//! A storm that the kernel side has counted: a stranger in it is reported at once, the lines are few, the sums exact, and
//! nothing leaves that privacy hides.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gdprport_common::{OverloadSums, SocketRole};
use gdprport_core::decode::overload::{OverloadGroup, OverloadLevel, OverloadOwner, Specimen};
use gdprport_core::decode::{ConnectionRecord, Record, SocketEvent};
use gdprport_core::event::{Agent, Host, Stamper};
use gdprport_core::flow::{Limits, Table};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::{Direction, Endpoint};
use gdprport_core::policy::{Source, compile};
use gdprport_core::privacy::{Accounts, Key, Privacy};
use ipnet::IpNet;
use serde_json::Value;
use tempfile::TempDir;

use super::super::monitor::{Evidence, Input, Monitor, Publisher};
use super::super::overload::Slices;
use super::world::{Lines, NoMaps, OWNER, PORT, clock, resolver};
use crate::sink::Fanout;

/// Whatever `emit` asks for.
const EMITS: [&str; 5] = ["\"auto\"", "\"every\"", "\"violations\"", "{ summary = \"60s\" }", "{ auto = 1 }"];

/// A group of connections like this one.
pub(super) fn group(level: OverloadLevel, socket: SocketEvent, sums: OverloadSums) -> OverloadGroup {
    let OwnerRef { role, withheld, exec_id, cgroup_id, uid, gid, euid, egid, .. } = socket.owner;
    let accepted = role != SocketRole::Connected;
    let prefix = match (level, socket.peer.ip) {
        (OverloadLevel::Network, IpAddr::V4(_)) => 24,
        (OverloadLevel::Network, IpAddr::V6(_)) => 48,
        (_, IpAddr::V4(_)) => 32,
        (_, IpAddr::V6(_)) => 128,
    };
    let is_port = level == OverloadLevel::Port;
    let peer = IpNet::new(socket.peer.ip, prefix).expect("a prefix").trunc();
    OverloadGroup {
        level,
        port: if accepted { socket.local.port } else { socket.peer.port },
        direction: if accepted { Direction::In } else { Direction::Out },
        peer: (!is_port).then_some(peer),
        owner: (!is_port).then_some(OverloadOwner {
            role,
            withheld,
            exec_id,
            cgroup_id,
            uid,
            gid,
            euid,
            egid,
        }),
        sums,
        first_ns: socket.time_ns,
        last_ns: socket.time_ns,
        specimen: Specimen { socket, end: None },
    }
}

/// Accepted by a program of the host: 1 is the server, 3 a stranger.
fn accepted(peer: Ipv4Addr, exec_id: u64) -> SocketEvent {
    let owner = OwnerRef { exec_id, time_ns: 7_200_000_000_000, role: SocketRole::Bound, ..OWNER };
    SocketEvent {
        time_ns: owner.time_ns,
        cookie: u64::from(peer.to_bits()),
        local: Endpoint::new(Ipv4Addr::new(10, 0, 9, 9).into(), PORT),
        peer: Endpoint::new(peer.into(), 40_000),
        owner,
        would_deny: false,
    }
}

fn opened(opened: u64) -> OverloadSums {
    OverloadSums {
        opened,
        closed: opened / 2,
        sent: 10 * opened,
        received: opened,
        ..OverloadSums::default()
    }
}

struct Storm {
    _dir: TempDir,
    monitor: Monitor<NoMaps>,
    lines: Arc<Mutex<Vec<Bytes>>>,
}

impl Storm {
    fn new(emit: &str, tls: &str, privacy: Option<Privacy>) -> Self {
        let dir = TempDir::new().expect("a directory");
        let text = format!(
            "version = 1\n[controller]\nname = \"Example\"\ncontact = \"privacy@example.org\"\n[[port]]\nname = \
             \"customers-db\"\nport = {PORT}\nemit = {emit}\nprotocol = \"postgresql\"\ntls = {tls}\n[port.record]\npurpose = \
             \"a test\"\nsubjects = [\"customers\"]\ndata = [\"identity\"]\nrecipients = []\ntransfers = []\nretention = \"6 \
             years\"\n[[port.allow]]\nrole = \"pool\"\ndirection = \"in\"\npeers = [\"10.0.0.0/8\"]\nprocess = {{ exe = \
             \"/usr/bin/server\" }}\n"
        );
        let source = Source { name: "policy.toml".to_owned(), text };
        let policy = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
        let lines: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let mut fanout = Fanout::new(Vec::new());
        fanout.follow(Box::new(Lines(Arc::clone(&lines))));
        let run = "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".parse().expect("a UUID");
        let host = Host { name: "db-1".into(), boot_id: "boot".into() };
        let stamper = Stamper::new(host, Agent { version: "0".into(), run, privacy: None });
        let publisher = Publisher::new(fanout, stamper, clock()).with_privacy(privacy.map(Arc::new));
        let evidence = Evidence::new(resolver(&dir), NoMaps);
        let monitor = Monitor::new(Table::new(Limits::default()), policy, evidence, publisher);
        Self { _dir: dir, monitor, lines }
    }

    /// What is sent of these groups.
    fn collect(&mut self, groups: &[OverloadGroup]) -> Vec<Value> {
        let mut slices = Slices::of(groups.to_vec());
        while !slices.judge(&mut self.monitor) {}
        self.sent()
    }

    /// What was sent since the last time.
    fn sent(&mut self) -> Vec<Value> {
        self.monitor.publisher.deliver();
        let lines = std::mem::take(&mut *self.lines.lock().expect("nobody panicked"));
        lines.iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect()
    }
}

const NO_TLS: &str = "{ required = false, why = \"a test\" }";

fn storm() -> Vec<OverloadGroup> {
    let pool = (0..8_000_u32).map(|number| {
        let peer = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + number * 7);
        group(OverloadLevel::Peer, accepted(peer, 1), opened(3))
    });
    let stranger = group(OverloadLevel::Peer, accepted(Ipv4Addr::new(203, 0, 113, 7), 3), opened(812));
    pool.chain([stranger]).collect()
}

fn of(event: &Value, path: &str) -> u64 {
    event.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

#[test]
fn a_stranger_in_a_storm_is_a_violation_whatever_emit_says() {
    for emit in EMITS {
        let mut world = Storm::new(emit, NO_TLS, None);
        let events = world.collect(&storm());
        let violations: Vec<_> = events.iter().filter(|event| event["kind"] == "violation").collect();
        let [violation] = &violations[..] else { panic!("{emit}: {violations:#?}") };
        assert_eq!(violation["flow"]["peer"]["ip"], "203.0.113.7");
        assert_eq!(violation["overload"]["connections"], 812);
        assert_eq!((&violation["severity"], &violation["process"]["pid"]), (&"high".into(), &7.into()));
        let summaries = events.iter().filter(|event| event["kind"] == "flow.summary");
        let counted: u64 = summaries.map(|event| of(event, "/summary/violations")).sum();
        assert_eq!(1 + counted, 812, "{emit}");
        let snapshot = world.monitor.publisher.snapshot();
        assert_eq!(snapshot.received, snapshot.published + snapshot.suppressed);
    }
}

#[test]
fn a_storm_is_few_lines_and_exact() {
    let mut world = Storm::new("\"auto\"", NO_TLS, None);
    let events = world.collect(&storm());
    assert!(events.len() <= 45, "{}", events.len());
    let sum = |field: &str| events.iter().map(|event| of(event, &format!("/summary/{field}"))).sum::<u64>();
    assert_eq!((sum("opened"), sum("closed")), (24_000 + 812, 8_000 + 406));
    assert_eq!((sum("bytes_sent"), sum("bytes_received")), (240_000 + 8_120, 24_000 + 812));
    let of_port = world.monitor.counters.get(PORT, &"customers-db".into()).expect("counted");
    assert_eq!(
        (of_port.summed.opened, of_port.declared_flows, of_port.violations_total),
        (24_812, 24_000, 812)
    );
    assert_eq!(of_port.opened, 0, "nothing was described");
    let counters = world.monitor.counters.overload;
    assert_eq!((counters.groups, counters.counts.opened), (8_001, 24_812));
}

/// They do not wait for the whole of it, and its sums are those of the whole of it.
#[test]
fn between_the_slices_of_a_storm_other_inputs_are_handled() {
    let mut world = Storm::new("\"every\"", NO_TLS, None);
    let mut slices = Slices::of(storm());
    assert!(!slices.judge(&mut world.monitor));
    assert_eq!(world.monitor.counters.overload.groups, 1_024);
    let arrived = accepted(Ipv4Addr::new(10, 2, 0, 1), 1);
    let now = clock().timestamp(7_201_000_000_000);
    let record = Record::Connection(ConnectionRecord::Arrived(arrived));
    world.monitor.apply(Input::Record(&record), now);
    world.monitor.settle(u64::MAX, u64::MAX, now);
    let between = world.sent();
    let [open] = &between[..] else { panic!("{between:#?}") };
    assert_eq!((&open["kind"], &open["flow"]["peer"]["ip"]), (&"flow.open".into(), &"10.2.0.1".into()));
    let mut others = 1;
    while !slices.judge(&mut world.monitor) {
        others += 1;
        assert!(world.sent().is_empty(), "sums of a part");
    }
    assert_eq!(others, 8_001 / 1_024);
    let events = world.sent();
    assert_eq!(events.iter().map(|event| of(event, "/summary/opened")).sum::<u64>(), 24_812);
    assert_eq!(world.monitor.counters.overload.groups, 8_001);
    assert!(events.len() <= 45, "{}", events.len());
}

/// Unknown is never compliant.
#[test]
fn where_tls_is_demanded_what_was_counted_is_undecided() {
    let mut world = Storm::new("\"auto\"", "{ min = \"1.2\" }", None);
    let events =
        world.collect(&[group(OverloadLevel::Peer, accepted(Ipv4Addr::new(10, 1, 0, 1), 1), opened(4))]);
    let [summary] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(summary["verdict"]["outcome"], "undecided");
    assert_eq!((of(summary, "/summary/findings"), of(summary, "/summary/opened")), (2, 4));
    assert_eq!(summary["summary"]["group"]["posture"]["state"], "unknown");
}

/// Neither the address of the one that is reported nor the network of those that were counted.
#[test]
fn nothing_that_was_counted_leaves_with_a_true_address() {
    let key = Key::new([7; 32]);
    let privacy = Privacy::new(Some(key), None, None, Accounts::default()).expect("pseudonyms");
    let mut world = Storm::new("\"every\"", NO_TLS, Some(privacy));
    let levels = [OverloadLevel::Peer, OverloadLevel::Network, OverloadLevel::Port];
    let groups = levels.map(|level| group(level, accepted(Ipv4Addr::new(203, 0, 113, 7), 3), opened(5)));
    let events = world.collect(&groups);
    assert!(events.iter().any(|event| event["kind"] == "violation"), "{events:#?}");
    let text = serde_json::to_string(&events).expect("JSON");
    assert!(!text.contains("203.0.113"), "{text}");
    assert!(text.contains("\"100::"), "{text}");
}
