//! What the loaded kernel side counts while nobody reads the ring buffer, compared with what was done.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use gdprport_common::{Hook, OverloadSums};
use gdprport_core::decode::overload::{OverloadGroup, OverloadLevel};
use gdprport_core::decode::{ConnectionEnd, ConnectionRecord, Record, decode};
use gdprport_core::model::Direction;
use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::super::{Collected, Collector, Probes, Ring, Sizes};
use crate::host::process::Roots;

/// The smallest ring buffer: it is nearly full with 340 records, and has 128 groups of peers and 64 of networks.
fn small() -> Sizes {
    Sizes { ring_bytes: 1 << 16, tasks: 1_024, execs: 64, ..Sizes::default() }
}

/// What a client sends, and what the server answers.
const REQUEST: usize = 7;
const REPLY: usize = 1_000;

/// What was seen of one direction, in records and in groups together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Seen {
    opened: u64,
    ended: u64,
    failed: u64,
    sent: u64,
    received: u64,
}

impl Seen {
    fn end(&mut self, end: &ConnectionEnd, direction: Direction) {
        self.ended += 1;
        self.sent += end.bytes_sent(direction);
        self.received += end.bytes_received.expect("known");
    }

    fn sums(&mut self, sums: &OverloadSums) {
        self.opened += sums.opened;
        self.ended += sums.closed + sums.ends_of_described;
        self.failed += sums.failed + sums.denied;
        self.sent += sums.sent + sums.described_sent;
        self.received += sums.received + sums.described_received;
    }
}

struct Scene {
    probes: Probes,
    ring: Ring,
    collector: Collector,
    listener: TcpListener,
    port: u16,
}

impl Scene {
    /// `None` without root.
    fn new() -> Result<Self, Missing> {
        if rustix::process::geteuid() != rustix::process::Uid::ROOT {
            return Err(Missing::of("root"));
        }
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("readable");
        let cgroup2 = Roots::discover().expect("/proc is mounted").cgroups.cgroup2;
        let (mut probes, ring) = Probes::load(small(), release.trim(), cgroup2, None).expect("it loads");
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        // It is listening already, as one that predates the kernel side: only its owner is not known.
        probes.watch([port]).expect("watched");
        let collector = probes.collector().expect("the first to ask");
        Ok(Self { probes, ring, collector, listener, port })
    }

    /// Connects from one address to another.
    fn connect(&self, from: Ipv4Addr, to: Ipv4Addr) -> (TcpStream, TcpStream) {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &SocketAddr::new(IpAddr::V4(from), 0)).expect("a local address");
        connect(&socket, &SocketAddr::new(IpAddr::V4(to), self.port)).expect("it listens");
        let (accepted, _) = self.listener.accept().expect("connected");
        (socket.into(), accepted)
    }

    /// What is in the ring buffer, and what is in groups.
    fn read(&mut self) -> (BTreeMap<Direction, Seen>, Vec<OverloadGroup>, Collected) {
        let mut seen: BTreeMap<Direction, Seen> = BTreeMap::new();
        let port = self.port;
        let of = |peer: u16| if peer == port { Direction::Out } else { Direction::In };
        let mut records = 0;
        loop {
            let read = self.ring.drain(1_000, |bytes| {
                records += 1;
                match decode(bytes).expect("a record") {
                    Record::Connection(
                        ConnectionRecord::Connected(event) | ConnectionRecord::Arrived(event),
                    ) => seen.entry(of(event.peer.port)).or_default().opened += 1,
                    Record::Connection(ConnectionRecord::Ended(event, end)) => {
                        let direction = of(event.peer.port);
                        seen.entry(direction).or_default().end(&end, direction);
                    }
                    Record::Connection(ConnectionRecord::Failed(..)) => {
                        seen.entry(Direction::Out).or_default().failed += 1;
                    }
                    _ => {}
                }
            });
            if read == 0 {
                break;
            }
        }
        let collected = self.collector.collect();
        for group in &collected.groups {
            assert_eq!(group.port, port);
            seen.entry(group.direction).or_default().sums(&group.sums);
        }
        (seen, collected.groups.clone(), collected)
    }
}

/// Requests and replies, then both ends close: the client first, or the server.
fn talk((mut client, mut server): (TcpStream, TcpStream), client_first: bool) {
    client.write_all(&[1; REQUEST]).expect("sent");
    let mut room = [0; REPLY];
    server.read_exact(&mut room[..REQUEST]).expect("received");
    server.write_all(&[2; REPLY]).expect("sent");
    client.read_exact(&mut room).expect("received");
    let (mut first, mut second) = if client_first { (client, server) } else { (server, client) };
    first.shutdown(std::net::Shutdown::Write).expect("open");
    assert_eq!(second.read(&mut room).expect("open"), 0);
    drop(second);
    assert_eq!(first.read(&mut room).expect("open"), 0);
}

/// Both ends of the last connections may be on their way still.
fn settle() {
    std::thread::sleep(Duration::from_millis(100));
}

fn host(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x7f00_0000 | number)
}

/// The peer of a client is the server's address, that of the server the client's.
#[tokio::test]
async fn every_connection_is_in_a_record_or_in_one_group() {
    let mut scene = need!(Scene::new());
    const CONNECTIONS: u32 = 1_500;
    for number in 0..CONNECTIONS {
        // Of 1,500 peers in 1,500 networks, and of one in one.
        let from = host((number + 2) << 8 | 1);
        talk(scene.connect(from, host(1)), number & 1 == 0);
    }
    settle();
    let (seen, groups, collected) = scene.read();
    let (opened, ended) = (u64::from(CONNECTIONS), u64::from(CONNECTIONS));
    let (request, reply) = (opened * REQUEST as u64, opened * REPLY as u64);
    let client = Seen { opened, ended, failed: 0, sent: request, received: reply };
    let server = Seen { sent: reply, received: request, ..client.clone() };
    assert_eq!(seen, [(Direction::In, server), (Direction::Out, client)].into());
    assert!(collected.is_whole(), "{collected:?}");
    let levels = |level, direction| {
        groups.iter().filter(|group| (group.level, group.direction) == (level, direction)).count()
    };
    assert_eq!(levels(OverloadLevel::Peer, Direction::Out), 1, "one server");
    assert_eq!(levels(OverloadLevel::Peer, Direction::In), 127);
    assert_eq!(levels(OverloadLevel::Network, Direction::In), 64);
    assert_eq!(levels(OverloadLevel::Port, Direction::In), 1);
    let counters = scene.probes.counters().expect("readable");
    for (hook, place) in Hook::ALL.iter().zip(&counters.hooks) {
        let accounted = place.emitted + place.filtered + place.grouped + place.dropped_ring_full;
        assert_eq!(place.seen, accounted, "{}", hook.name());
    }
    for hook in [Hook::Established, Hook::Close, Hook::Denied] {
        assert_eq!(counters.hooks[hook as usize].dropped_ring_full, 0, "{}", hook.name());
    }
    let grouped: u64 = counters.hooks.iter().map(|place| place.grouped).sum();
    assert_eq!(collected.accounted, grouped);
    let (seen, groups, collected) = scene.read();
    assert!(seen.is_empty() && groups.is_empty() && collected.is_whole(), "all was taken");
}

/// Its opening is in a group, its end in a record that says so.
#[tokio::test]
async fn an_end_after_the_overload_says_that_its_opening_is_grouped() {
    let mut scene = need!(Scene::new());
    let open: Vec<_> = (0..400).map(|_| scene.connect(host(1), host(1))).collect();
    let (seen, groups, _) = scene.read();
    assert_eq!((seen[&Direction::In].opened, seen[&Direction::Out].opened), (400, 400));
    let grouped: u64 = groups.iter().map(|group| group.sums.opened).sum();
    assert!(grouped > 0, "{groups:?}");
    for connection in open {
        talk(connection, true);
        // Nobody else reads.
        std::thread::yield_now();
    }
    settle();
    let (mut ended, mut of_grouped) = (0, 0);
    while scene.ring.drain(1_000, |bytes| {
        if let Ok(Record::Connection(ConnectionRecord::Ended(_, end))) = decode(bytes) {
            ended += 1;
            of_grouped += u64::from(end.grouped);
        }
    }) > 0
    {}
    let collected = scene.collector.collect();
    let closed: u64 = collected.groups.iter().map(|group| group.sums.closed).sum();
    let described: u64 = collected.groups.iter().map(|group| group.sums.ends_of_described).sum();
    assert_eq!(of_grouped + closed, grouped, "each grouped opening has one end");
    assert_eq!(ended + closed + described, 800);
}

/// As when a daemon was killed between taking groups and reporting them.
#[tokio::test]
async fn groups_that_were_taken_and_not_reported_are_missing() {
    let mut scene = need!(Scene::new());
    for _ in 0..600 {
        talk(scene.connect(host(1), host(1)), true);
    }
    settle();
    let (_, _, collected) = scene.read();
    assert!(collected.accounted > 0 && collected.is_whole(), "{collected:?}");
    let lost = collected.accounted;
    scene.collector.accounted = 0;
    let collected = scene.collector.collect();
    assert_eq!((collected.missing, collected.is_whole()), (lost, false));
    assert!(scene.collector.collect().is_whole(), "it is said once");
}
