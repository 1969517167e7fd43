//! What a port sends by default, on the traffic of an hour: three busy pools, two strangers and a scanner.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gdprport_common::SocketRole;
use gdprport_core::decode::{ConnectionEnd, ConnectionRecord, Record, SocketEvent};
use gdprport_core::event::{Agent, Host, Stamper};
use gdprport_core::flow::{Limits, Table};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::{Endpoint, Outcome};
use gdprport_core::policy::{Source, compile};
use serde_json::Value;
use tempfile::TempDir;

use super::super::monitor::{Evidence, Input, Monitor, Publisher};
use super::world::{Lines, NoMaps, OWNER, PORT, clock, resolver};
use crate::sink::Fanout;

const POLICY: &str = r#"
version = 1
[controller]
name = "Example"
contact = "privacy@example.org"
[[port]]
name = "customers-db"
port = 5432
protocol = "postgresql"
tls = { required = false, why = "a test" }
[port.record]
purpose = "a test"
subjects = ["customers"]
data = ["identity"]
recipients = []
transfers = []
retention = "6 years"
[[port.allow]]
role = "orders"
direction = "in"
peers = ["10.0.1.0/24"]
process = { exe = "/usr/bin/server" }
[[port.allow]]
role = "reports"
direction = "in"
peers = ["10.0.2.0/24"]
process = { exe = "/usr/bin/server" }
[[port.allow]]
role = "backup"
direction = "out"
peers = ["10.0.3.0/24"]
process = { exe = "/usr/bin/client" }
"#;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// Who makes a connection: which end is here, the program here, and the peer.
#[derive(Debug, Clone, Copy)]
struct Who {
    role: SocketRole,
    exec_id: u64,
    peer: Ipv4Addr,
}

const fn inbound(peer: Ipv4Addr) -> Who {
    Who { role: SocketRole::Accepted, exec_id: 1, peer }
}

const fn outbound(exec_id: u64, peer: Ipv4Addr) -> Who {
    Who { role: SocketRole::Connected, exec_id, peer }
}

/// A client of nobody's.
const STRANGER_IN: Who = inbound(Ipv4Addr::new(203, 0, 113, 7));
/// A program of nobody's, that calls where a pool may.
const STRANGER_OUT: Who = outbound(3, Ipv4Addr::new(10, 0, 3, 1));

/// A pool of one client, one of twenty, and one of this host's.
fn pool(number: u64) -> (&'static str, Who) {
    match number % 3 {
        0 => ("orders", inbound(Ipv4Addr::new(10, 0, 1, 1))),
        1 => ("reports", inbound(Ipv4Addr::new(10, 0, 2, (number / 3 % 20) as u8))),
        _ => ("backup", outbound(2, Ipv4Addr::new(10, 0, 3, 1))),
    }
}

/// The next one that a program looks for.
fn scanned(number: u64) -> Who {
    outbound(4, Ipv4Addr::from_bits((number as u32).wrapping_mul(0x9e37_79b1)))
}

/// Opened, closed, failed, sent, received; violations.
type Sums = [u64; 6];

/// What the lines say.
#[derive(Debug, Default)]
struct Said {
    lines: u64,
    bytes: u64,
    sums: Sums,
    /// By rule: bytes of lines, and the sums.
    rules: BTreeMap<String, (u64, Sums)>,
}

impl Said {
    fn line(&mut self, line: &Bytes) -> Value {
        let event: Value = serde_json::from_slice(line).expect("JSON");
        let number = |path: &str| event.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        let sums: Sums = match event["kind"].as_str().expect("a kind") {
            "flow.open" => [1, 0, 0, 0, 0, 0],
            "flow.close" => [0, 1, 0, number("/flow/bytes_sent"), number("/flow/bytes_received"), 0],
            "flow.fail" => [0, 0, 1, 0, 0, 0],
            "violation" => [0, 0, 0, 0, 0, 1],
            "flow.summary" => ["opened", "closed", "failed", "bytes_sent", "bytes_received", "violations"]
                .map(|field| number(&format!("/summary/{field}"))),
            _ => [0; 6],
        };
        let rule = event.pointer("/verdict/rule").and_then(Value::as_str).unwrap_or_default();
        let (bytes, of_rule) = self.rules.entry(rule.to_owned()).or_default();
        *bytes += line.len() as u64;
        for (at, sum) in sums.into_iter().enumerate() {
            self.sums[at] += sum;
            of_rule[at] += sum;
        }
        self.lines += 1;
        self.bytes += line.len() as u64;
        event
    }
}

/// The daemon's own monitor, and the truth.
struct Picture {
    _dir: TempDir,
    monitor: Monitor<NoMaps>,
    lines: Arc<Mutex<Vec<Bytes>>>,
    now_ns: u64,
    cookie: u64,
    said: Said,
    made: Sums,
}

impl Picture {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let source = Source { name: "policy.toml".to_owned(), text: POLICY.to_owned() };
        let policy = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
        let lines: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let mut fanout = Fanout::new(Vec::new());
        fanout.follow(Box::new(Lines(Arc::clone(&lines))));
        let run = "019ab3c2-0000-7a31-9d53-0c2f6a4e8b11".parse().expect("a UUID");
        let host = Host { name: "db-1".into(), boot_id: "5f0b3f0e-6a53-4d0e-8b3c-2b0f3f1c9a77".into() };
        let stamper = Stamper::new(host, Agent { version: "0.1.0".into(), run, privacy: None });
        let publisher = Publisher::new(fanout, stamper, clock());
        let evidence = Evidence::new(resolver(&dir), NoMaps);
        let monitor = Monitor::new(Table::new(Limits::default()), policy, evidence, publisher);
        Self {
            _dir: dir,
            monitor,
            lines,
            now_ns: 7_200 * SECOND,
            cookie: 0,
            said: Said::default(),
            made: [0; 6],
        }
    }

    fn event(&mut self, Who { role, exec_id, peer }: Who) -> SocketEvent {
        self.cookie += 1;
        let far = |port| Endpoint::new(IpAddr::V4(peer), port);
        let near = |port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 9, 9)), port);
        let (local, peer) = match role {
            SocketRole::Accepted => (near(PORT), far(40_000)),
            _ => (near(40_000), far(PORT)),
        };
        let time_ns = self.now_ns;
        let owner = OwnerRef { exec_id, time_ns, role, ..OWNER };
        SocketEvent { time_ns, cookie: self.cookie, local, peer, owner, would_deny: false }
    }

    fn record(&mut self, record: ConnectionRecord<'_>) {
        let now = clock().timestamp(self.now_ns);
        self.monitor.apply(Input::Record(&Record::Connection(record)), now);
    }

    /// A connection, opened and closed; the number decides how much it carries.
    fn connection(&mut self, who: Who, number: u64) {
        let event = self.event(who);
        if who.role == SocketRole::Accepted {
            self.record(ConnectionRecord::Arrived(event));
            self.record(ConnectionRecord::Accepted(event));
        } else {
            self.record(ConnectionRecord::Connected(event));
        }
        let (sent, received) = (number % 1_999, number % 4_001);
        // The SYN is acknowledged as a byte.
        let acked = sent + u64::from(who.role == SocketRole::Connected);
        self.record(ConnectionRecord::Ended(event, end(acked, received, self.now_ns, Outcome::Closed)));
        for (made, more) in self.made.iter_mut().zip([1, 1, 0, sent, received, 0]) {
            *made += more;
        }
    }

    fn attempt(&mut self, who: Who) {
        let event = self.event(who);
        self.record(ConnectionRecord::Failed(event, end(0, 0, self.now_ns, Outcome::Refused)));
        self.made[2] += 1;
        self.made[5] += 1;
    }

    /// What was sent since the last call.
    fn hear(&mut self) -> Vec<Value> {
        self.monitor.publisher.deliver();
        let lines = std::mem::take(&mut *self.lines.lock().expect("nobody panicked"));
        lines.iter().map(|line| self.said.line(line)).collect()
    }

    /// A stranger is sent before anything else happens, with everything.
    fn stranger(&mut self, who: Who, number: u64) {
        self.hear();
        self.connection(who, number);
        self.made[5] += 1;
        let events = self.hear();
        let kinds: Vec<_> = events.iter().filter_map(|event| event["kind"].as_str()).collect();
        assert_eq!(kinds, ["flow.open", "violation", "flow.close"], "{events:#?}");
        assert!(events.iter().all(|event| event["severity"] == "high"));
    }

    fn second(&mut self) {
        let now = clock().timestamp(self.now_ns);
        self.monitor.settle(self.now_ns, self.now_ns, now);
        self.monitor.publisher.summaries(now);
        self.hear();
    }
}

fn end(acked: u64, received: u64, since_ns: u64, outcome: Outcome) -> ConnectionEnd {
    let bytes_received = Some(received);
    ConnectionEnd {
        acked,
        bytes_received,
        rtt_us: Some(30),
        retransmits: 0,
        since_ns,
        outcome,
        aborted: false,
        grouped: false,
    }
}

/// An hour in which so many connections are made, a tenth of them by the scanner.
fn hour(connections: u64) -> Picture {
    let mut picture = Picture::new();
    let step = HOUR / connections;
    let mut rules: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    let mut second = picture.now_ns;
    for number in 0..connections {
        picture.now_ns += step;
        if number % 10 == 3 {
            picture.attempt(scanned(number));
        } else {
            let (rule, who) = pool(number);
            picture.connection(who, number);
            rules.entry(rule).and_modify(|sums| sums[0] += 1).or_insert([1, 0])[1] += number % 1_999;
        }
        // Each comes thrice in the hour, in the thick of it.
        if number % (connections / 3) == connections / 7 {
            picture.stranger(STRANGER_IN, number);
            picture.stranger(STRANGER_OUT, number);
        }
        if picture.now_ns >= second {
            second += SECOND;
            picture.second();
        }
    }
    let now = clock().timestamp(picture.now_ns);
    picture.monitor.publisher.flush(now);
    picture.hear();
    assert_eq!(picture.said.sums, picture.made, "exact to the connection and byte");
    for (rule, [made, sent]) in rules {
        let (_, sums) = picture.said.rules[rule];
        assert_eq!([sums[0], sums[1], sums[3]], [made, made, sent], "{rule}");
    }
    let snapshot = picture.monitor.publisher.snapshot();
    assert_eq!(snapshot.received, snapshot.published + snapshot.suppressed);
    assert_eq!(snapshot.published, picture.said.lines);
    picture
}

fn figures(picture: &Picture, connections: u64) -> String {
    let Said { lines, bytes, rules, .. } = &picture.said;
    let rules = rules.iter().map(|(rule, (bytes, sums))| {
        let rule = if rule.is_empty() { "strangers and the scanner" } else { rule };
        format!("{rule}: {bytes} bytes for {} connections", sums[0] + sums[2])
    });
    let rules = rules.collect::<Vec<_>>().join("\n");
    format!("{connections} connections: {lines} lines, {bytes} bytes\n{rules}")
}

#[test]
fn an_hour_of_pools_strangers_and_a_scan_is_short_and_exact() {
    let picture = hour(20_000);
    let figures = figures(&picture, 20_000);
    println!("{figures}");
    assert!(picture.said.bytes < 4 << 20, "{figures}");
    assert!(picture.said.rules["orders"].0 < 200_000, "{figures}");
}

#[test]
#[ignore = "on demand: some minutes; the same with a million connections, and the bytes that they take"]
fn a_million_connections_take_a_few_megabytes() {
    let picture = hour(1_000_000);
    println!("{}", figures(&picture, 1_000_000));
    for rule in ["orders", "backup"] {
        assert!(picture.said.rules[rule].0 < 1 << 20, "a pool of one client: {rule}");
    }
}

/// All of one pool of ten clients. What it takes grows with its clients and with the hours, and not with its connections.
#[test]
#[ignore = "on demand: some minutes; a million connections of one declared pool in an hour"]
fn a_million_connections_of_a_pool_take_less_than_a_megabyte() {
    let mut picture = Picture::new();
    for number in 0..1_000_000 {
        picture.now_ns += HOUR / 1_000_000;
        picture.connection(inbound(Ipv4Addr::new(10, 0, 1, (number % 10) as u8)), number);
        if number % 278 == 0 {
            picture.second();
        }
    }
    picture.monitor.publisher.flush(clock().timestamp(picture.now_ns));
    picture.hear();
    assert_eq!(picture.said.sums, picture.made);
    println!("{}", figures(&picture, 1_000_000));
    assert!(picture.said.bytes <= 1_000_000);
}
