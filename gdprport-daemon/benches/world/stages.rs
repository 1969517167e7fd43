//! The stages, each alone.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::Duration;

use gdprport_core::community_id::CommunityId;
use gdprport_core::decode::{self, ConnectionRecord, Record};
use gdprport_core::encode::{Encoder, Encoding};
use gdprport_core::event::{Cookie, Flow as FlowObject, FlowEvent, FlowKind, Peer, PolicyRef, Port};
use gdprport_core::flow::{Context, Flow, Judgement, Limits, Table};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::{Direction, Endpoint, Outcome, Process};
use gdprport_core::policy::{ActivePolicy, DnsNames, Facts, Source, compile};
use gdprport_core::posture::{Protocol, Tracker};
use gdprport_core::shared::Shared;
use gdprport_core::verdict::Verdict;
use gdprport_daemon::measured::{Head, PortSet, Rows, read_replies};
use jiff::Timestamp;
use tempfile::TempDir;
use zerocopy::IntoBytes as _;

use super::case::Item;
use super::path::{NoMaps, resolver, stamper};
use super::records::{CLIENT, PORT, SERVER, begins, ends};

fn now() -> Timestamp {
    "2026-11-23T13:20:00.123456789Z".parse().expect("a time")
}

/// One item: the bytes of a record.
pub(super) fn decode() -> Item {
    let records: Vec<Vec<u8>> = (0..1_024)
        .flat_map(|number| {
            let since = begins(number);
            ends(number, CLIENT).map(|end| [end.opened(since), end.closed(since + 9_000, since)])
        })
        .flatten()
        .map(|record| record.as_bytes().to_vec())
        .collect();
    Box::new(move |number| {
        let bytes = &records[number as usize % records.len()];
        black_box(decode_one(black_box(bytes)));
    })
}

fn decode_one(bytes: &[u8]) -> Record<'_> {
    decode::decode(bytes).expect("a record of this bench")
}

fn owner(bytes: &[u8]) -> OwnerRef {
    match decode_one(bytes) {
        Record::Connection(
            ConnectionRecord::Connected(event)
            | ConnectionRecord::Arrived(event)
            | ConnectionRecord::Accepted(event),
        ) => event.owner,
        _ => panic!("the record of a socket that lives"),
    }
}

/// One item: the owner of a record, resolved before.
pub(super) fn identity() -> Item {
    let folder = TempDir::new().expect("a temporary folder");
    let mut resolver = resolver(folder.path());
    let owners = ends(1, CLIENT).map(|end| owner(end.opened(begins(1)).as_bytes()));
    Box::new(move |number| {
        let _kept = &folder;
        black_box(resolver.resolve(&owners[number as usize % 2], &NoMaps));
    })
}

/// Knows two processes and allows both.
struct TwoProcesses {
    processes: [Shared<Process>; 2],
    verdict: Shared<Verdict>,
}

impl Context for TwoProcesses {
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        Some(Shared::clone(&self.processes[usize::from(owner.tgid == SERVER.tgid)]))
    }

    fn in_common(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        self.process_of(owner)
    }

    fn with_names(&mut self, _: &Process) -> Option<Shared<Process>> {
        None
    }

    fn judge(&mut self, _: &Flow) -> Judgement {
        Judgement { verdict: Shared::clone(&self.verdict), port: Some(0) }
    }

    fn depends_on_posture(&self, _: &Facts<'_>) -> bool {
        false
    }

    fn tracker(&self, _: &Facts<'_>) -> Tracker {
        Tracker::new(Protocol::by_id("postgresql"))
    }
}

fn declared() -> Shared<Verdict> {
    Shared::new(Verdict::Declared { rule: "orders-api".into() })
}

fn processes() -> [Shared<Process>; 2] {
    let folder = TempDir::new().expect("a temporary folder");
    let mut resolver = resolver(folder.path());
    ends(1, CLIENT).map(|end| {
        let process = resolver.resolve(&owner(end.opened(begins(1)).as_bytes()), &NoMaps);
        // The host's name service answers when it likes, and a verdict that waits for a name takes another way.
        for _ in 0..3_000 {
            if let Some(process) = resolver.with_names(&process) {
                return process;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the name service does not reply")
    })
}

/// One item: both ends of a connection, from their opening to their end.
pub(super) fn flow() -> Item {
    let mut table = Table::new(Limits::default());
    let mut known = TwoProcesses { processes: processes(), verdict: declared() };
    let mut out = Vec::new();
    Box::new(move |number| {
        let since = begins(number);
        let [active, passive] = ends(number, CLIENT);
        for record in [
            passive.opened(since),
            active.opened(since + 1_000),
            passive.accepted(since + 9_000),
            active.closed(since + 30_000, since),
            passive.closed(since + 31_000, since),
        ] {
            let Record::Connection(record) = &decode_one(record.as_bytes()) else {
                unreachable!("of a connection")
            };
            table.ingest(record, &mut known, &mut out);
        }
        black_box(&out);
        out.clear();
    })
}

/// One item: the verdict on a flow, by a policy with as many rules, each with a peer of its own.
pub(super) fn policy(rules: u32) -> Item {
    let address = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 | number);
    let mut text = "version = 1\n".to_owned();
    let ports = rules.div_ceil(1_000);
    for port in 0..ports {
        writeln!(text, "[[port]]\nname = \"db-{port}\"\nport = {}", 20_000 + port).expect("a String");
        for rule in 0..rules.div_ceil(ports) {
            let peer = address(port << 12 | rule);
            writeln!(
                text,
                "[[port.allow]]\nrole = \"r-{rule}\"\ndirection = \"in\"\npeers = [\"{peer}\"]\n\
                 process = {{ exe = \"/usr/lib/postgresql/*/bin/postgres\", user = \"root\" }}"
            )
            .expect("a String");
        }
    }
    let texts = split(&text);
    let sources: Vec<Source> = texts
        .into_iter()
        .enumerate()
        .map(|(index, text)| Source { name: format!("{index}.toml"), text })
        .collect();
    let policy = compile(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    let [_, process] = processes();
    let policy = ActivePolicy::new(policy, DnsNames::default());
    let now = now();
    Box::new(move |number| {
        let number = (number as u32).wrapping_mul(0x9e37_79b1) % rules;
        let (port, rule) = (number / 1_000, number % 1_000);
        let facts = Facts {
            peer_missing: None,
            peer_within: None,
            direction: Direction::In,
            local: Endpoint::new(IpAddr::V4(address(0)), (20_000 + port) as u16),
            peer: Endpoint::new(IpAddr::V4(address(port << 12 | rule)), 40_000),
            nat: None,
            process: Some(&process),
            owner_withheld: None,
            posture: None,
        };
        black_box(policy.evaluate(&facts, now));
    })
}

/// A policy as files of a size that is allowed, cut between ports.
fn split(text: &str) -> Vec<String> {
    let mut files = vec![String::new()];
    for port in text.trim_start_matches("version = 1\n").split_inclusive("[[port]]\n") {
        let file = files.last_mut().expect("one at least");
        file.push_str(port);
        if file.len() > 2_000_000 {
            file.truncate(file.len() - "[[port]]\n".len());
            files.push("[[port]]\n".to_owned());
        }
    }
    files.into_iter().map(|file| format!("version = 1\n{file}")).collect()
}

/// One item: a `flow.close`, stamped and as a line of JSON.
pub(super) fn event() -> Item {
    let mut close = closes();
    let mut stamper = stamper();
    let mut encoder = Encoder::default();
    let mut line = Vec::new();
    let now = now();
    Box::new(move |number| {
        let event = close(number);
        line.clear();
        encoder.flow(stamper.head(now), FlowKind::Close, &event, &mut line);
        black_box(&line);
    })
}

/// One item: the same event as a record for a receiver.
pub(super) fn encoded(encoding: Encoding) -> Item {
    let mut close = closes();
    let mut stamper = stamper();
    let mut record = Vec::new();
    let now = now();
    Box::new(move |number| {
        let event = stamper.stamp(now, FlowKind::Close.body(close(number)));
        record.clear();
        encoding.write(&event, &mut record);
        black_box(&record);
    })
}

/// Flows that end, each of another client port.
fn closes() -> impl FnMut(u64) -> FlowEvent {
    let [client, server] = processes();
    let port =
        Shared::new(Port { name: "customers-db".into(), number: 5432, protocol: Some("postgresql".into()) });
    let policy = Some(PolicyRef { digest: "sha256:".to_owned().repeat(10).into() });
    let verdict = declared();
    let now = now();
    move |number| {
        let local = Endpoint::new(Ipv4Addr::LOCALHOST.into(), 32_768 + (number % 28_000) as u16);
        let peer = Endpoint::new(Ipv4Addr::LOCALHOST.into(), 5432);
        FlowEvent {
            port: Shared::clone(&port),
            flow: FlowObject {
                id: CommunityId::tcp(local, peer),
                cookie: Cookie(number),
                direction: Direction::Out,
                local,
                peer: Peer { ip: peer.ip, port: peer.port, name: None },
                nat: None,
                opened: Some(now),
                duration_ms: Some(0),
                bytes_sent: Some(1_839),
                bytes_received: Some(411),
                rtt_us: Some(30),
                retransmits: Some(0),
                outcome: Outcome::Closed,
                would_deny: false,
            },
            process: Some(Shared::clone(&client)),
            peer_process: Some(Shared::clone(&server)),
            posture: None,
            verdict: Shared::clone(&verdict),
            accepted: None,
            overload: None,
            volume: None,
            policy: policy.clone(),
        }
    }
}

/// One item: a socket of the host's list, as the kernel writes it; every other one is on the watched port.
pub(super) fn snapshot() -> Item {
    let datagrams = [PORT, PORT + 1].map(diag_message);
    let wanted: PortSet = [PORT].into_iter().collect();
    let mut found = Rows::default();
    Box::new(move |number| {
        let datagram = &datagrams[number as usize % 2];
        let on_ports = |head: &Head| head.is_on(&wanted);
        black_box(read_replies(black_box(datagram), on_ports, &mut found)).expect("a list");
        found.sockets.clear();
        found.seen.clear();
    })
}

/// A `struct inet_diag_msg`, in its netlink message.
fn diag_message(port: u16) -> Vec<u8> {
    // The only attribute of a list: which directions are shut down.
    const SHUTDOWN: [u8; 8] = [5, 0, 8, 0, 0, 0, 0, 0];
    let mut message = Vec::new();
    let length = 16 + 72 + SHUTDOWN.len();
    message.extend((length as u32).to_ne_bytes());
    message.extend(20_u16.to_ne_bytes());
    message.extend([0; 10]);
    message.extend([2, 1, 0, 0]);
    message.extend(port.to_be_bytes());
    message.extend(40_000_u16.to_be_bytes());
    for address in [[10, 0, 2, 15], [10, 0, 2, 7]] {
        message.extend(address);
        message.extend([0; 12]);
    }
    message.extend([0; 4]);
    message.extend(77_u64.to_ne_bytes());
    message.extend([0; 12]);
    message.extend(1_001_u32.to_ne_bytes());
    message.extend(4_242_u32.to_ne_bytes());
    message.extend(SHUTDOWN);
    message
}
