//! Failure modes of size: tens of thousands of connections at the start, a thousand clients at once, little memory.
//!
//! What is asserted are relations and bounds, never times. The tests load the machine, so they run one after
//! another. Tests whose names begin with `in_full` do the same with the numbers of the documentation.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use gdprport_tests::child::Place;
use gdprport_tests::counters::{self, count, sum};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::memory::MemoryLimit;
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::serial::alone;
use gdprport_tests::wait;

/// The sum of one count over all sinks.
fn sinks(status: &Value, key: &str) -> u64 {
    let sinks = status["sinks"].as_array().map(Vec::as_slice).unwrap_or_default();
    sinks.iter().filter_map(|sink| sink[key].as_u64()).sum()
}

/// Connections that one puppet holds at most: a process may have 20,000 descriptors.
const HELD: u32 = 15_000;

/// Open connections on one port, both ends here.
struct Crowd {
    pairs: Vec<(Puppet, Puppet)>,
}

impl Crowd {
    /// Makes `connections` of them, through listeners at several loopback addresses.
    #[track_caller]
    fn new(port: u16, connections: u32) -> Self {
        let mut pairs = Vec::new();
        let mut missing = connections;
        for number in 1.. {
            if missing == 0 {
                break;
            }
            let share = missing.min(HELD);
            missing -= share;
            let (mut server, mut client) = (Puppet::at(Place::default()), Puppet::at(Place::default()));
            let at = format!("127.0.1.{number}:{port}");
            server.listen(&at);
            // In portions that fit the accept queue.
            let mut rest = share;
            while rest > 0 {
                let portion = rest.min(2_000);
                client.ask(&format!("connect-many {at} {portion}"));
                server.ask(&format!("accept-many {portion}"));
                rest -= portion;
            }
            pairs.push((server, client));
        }
        Self { pairs }
    }

    /// Lets every server greet at length, like a mail server, which leaves the encryption undecided while the client is
    /// silent.
    #[track_caller]
    fn dawdle(&mut self) {
        for _ in 0..3 {
            for (server, _) in &mut self.pairs {
                server.ask("send-line-many 220- 1900");
            }
        }
    }

    #[track_caller]
    fn close(&mut self) {
        for (server, client) in &mut self.pairs {
            client.ask("close-many");
            server.ask("close-many");
        }
    }
}

/// Starts a daemon on a host with so many connections; returns its high-water mark in KiB.
#[track_caller]
fn start_with(connections: u32) -> u64 {
    let port = Port::free();
    let mut crowd = Crowd::new(port.number(), connections);
    let begun = std::time::Instant::now();
    let daemon = Daemon::with(open(port.number()).alone());
    let flows = u64::from(connections) * 2;
    wait::until("all existing connections are in the table", || {
        daemon.port_status(port.number())["open"] == flows
    });
    let peak = daemon.memory_kib("VmHWM");
    println!("{flows} flows at the start: known after {:?}, high-water mark {peak} KiB", begun.elapsed());
    let entry = daemon.port_status(port.number());
    assert!(entry["declared_flows"].as_u64() >= Some(flows) && entry["violations_total"] == 0, "{entry}");
    crowd.close();
    wait::until("the end of each is reported", || daemon.port_status(port.number())["closed"] == flows);
    let status = daemon.status();
    println!(
        "{flows} ends: high-water mark {} KiB, {} of them found by polling",
        daemon.memory_kib("VmHWM"),
        status["coverage"]["end_missed"]
    );
    assert_eq!(daemon.port_status(port.number())["open"], 0);
    assert!(
        status["sinks"].as_array().is_some_and(|sinks| sinks.iter().all(|sink| sum(sink, "dropped") == 0))
    );
    daemon.stop();
    peak
}

/// What one flow that predates the daemon may cost at the peak: 500 bytes in the table, the listing and the
/// scan for owners, its event in the queue of a sink.
const KIB_PER_FLOW: u64 = 2;

#[track_caller]
fn memory_grows_with_the_flows_only(few: u32, many: u32) {
    let _alone = alone();
    let (low, high) = (start_with(few), start_with(many));
    let flows = u64::from(many - few) * 2;
    assert!(high <= low + flows * KIB_PER_FLOW, "{high} KiB for {many}, {low} KiB for {few} connections");
}

/// The memory is in proportion to their number.
#[test]
fn thousands_of_existing_connections_are_all_found() {
    memory_grows_with_the_flows_only(100, 2_500);
}

/// The memory is in proportion to their number.
#[test]
#[ignore = "on demand: it needs 50,000 sockets"]
fn in_full_fifty_thousand_existing_flows_are_all_found() {
    memory_grows_with_the_flows_only(100, 25_000);
}

/// The result of one client's request for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reception {
    Served,
    TurnedAway,
    Dropped,
}

/// Asks for the status, all of `clients` at the same time, and returns the result of each.
fn ask_at_once(socket: &Path, clients: usize) -> Vec<Reception> {
    // All are connected before the first request; the queue of the socket holds them.
    let mut streams: Vec<UnixStream> =
        (0..clients).map(|_| UnixStream::connect(socket).expect("the queue is long enough")).collect();
    let ask = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for stream in &mut streams {
        stream.set_read_timeout(Some(wait::TIMEOUT)).expect("a time-out can be set");
        // It may have been turned away already.
        let _ = stream.write_all(ask);
    }
    let reception = |mut stream: UnixStream| {
        let mut response = Vec::new();
        let end = stream.read_to_end(&mut response);
        match &response[..] {
            text if text.starts_with(b"HTTP/1.1 200") => Reception::Served,
            text if text.starts_with(b"HTTP/1.1 503") => Reception::TurnedAway,
            // Its request was still unread when it was turned away: the kernel resets such a connection.
            [] if end.is_ok() || end.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset) => {
                Reception::Dropped
            }
            other => panic!("neither a status nor a refusal: {}", String::from_utf8_lossy(other)),
        }
    };
    streams.into_iter().map(reception).collect()
}

/// No event is lost meanwhile.
#[test]
fn a_thousand_clients_at_once_are_served_or_turned_away() {
    const CLIENTS: usize = 1_000;
    const CONNECTIONS: u64 = 3_000;
    let _alone = alone();
    let port = Port::free();
    // Few descriptors, so that a leak would show.
    let mut daemon = Start::with(open(port.number()).alone()).prepare("ulimit -n 256").start();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    let initial = daemon.descriptors();

    // A follower that never reads, and clients that never finish their request.
    let mut follower = UnixStream::connect(daemon.socket()).expect("there is room");
    follower.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").expect("the daemon reads");
    wait::until("the follower is there", || daemon.status()["control"]["followers"] == 1);
    let slow: Vec<UnixStream> = (0..20)
        .map(|_| {
            let mut stream = UnixStream::connect(daemon.socket()).expect("there is room");
            stream.write_all(b"GET /v1/st").expect("the daemon reads");
            stream
        })
        .collect();

    client.send(&format!("burst 127.0.0.1:{port} {CONNECTIONS} 2"));
    let receptions = ask_at_once(daemon.socket(), CLIENTS);
    let most = daemon.descriptors();
    client.reply();
    let served = receptions.iter().filter(|one| **one == Reception::Served).count();
    let dropped = receptions.iter().filter(|one| **one == Reception::Dropped).count();
    println!("{served} served, {} turned away, {dropped} of them without a response", CLIENTS - served);
    assert!(served > 0, "some are served");
    assert!(most < initial + 100, "{initial} descriptors at first, {most} under load");

    for (kind, number) in [("flow.open", 2 * CONNECTIONS), ("flow.close", 2 * CONNECTIONS)] {
        let number = usize::try_from(number).expect("small");
        let ours = [client.pid(), server.pid()].map(u64::from);
        let wanted = |event: &Event| {
            let pid = event.number("process.pid");
            event.is(kind, port.number()) && pid.is_some_and(|pid| ours.contains(&pid))
        };
        assert_eq!(daemon.log.wait_count(kind, number, wanted), number, "{kind}");
    }
    let status = daemon.status();
    assert_eq!(sum(&status, "coverage.kernel.dropped") + sum(&status, "coverage.dropped"), 0);
    assert!(
        status["sinks"].as_array().is_some_and(|sinks| sinks.iter().all(|sink| sum(sink, "dropped") == 0))
    );
    assert_eq!(count(&status, "control.refused") as usize, CLIENTS - served, "{}", status["control"]);
    wait::until("the follower's loss is counted", || count(&daemon.status(), "control.follower_lost") > 0);
    drop((follower, slow));
    wait::until("all descriptors are given back", || daemon.descriptors() <= initial);
    daemon.stop();
}

const LIMIT: u64 = 64 << 20;

/// Everything at once within 64 MiB: open flows with many bytes that leave their encryption undecided, a ring buffer
/// that overflows, a burst afterwards, a client that lists all flows.
#[track_caller]
fn little_memory(connections: u32) {
    let _alone = alone();
    let limit = need!(MemoryLimit::of(LIMIT));
    let port = Port::free();
    let mut daemon = Start::with(open(port.number()).alone()).prepare(&limit.enter()).start();
    println!("idle: {} KiB charged, {} KiB resident", limit.used() / 1024, daemon.memory_kib("VmRSS"));
    let mut crowd = Crowd::new(port.number(), connections);
    let flows = u64::from(connections) * 2;
    wait::until("all flows are open", || daemon.port_status(port.number())["open"] == flows);
    println!(
        "{flows} flows: {} KiB charged, {} KiB resident",
        limit.used() / 1024,
        daemon.memory_kib("VmRSS")
    );

    crowd.dawdle();
    wait::until("undecided flows give way to the others", || {
        count(&daemon.status(), "coverage.posture_given_up") > 0
    });
    println!(
        "undecided: {} KiB charged, {} KiB resident, {} of them given up",
        limit.used() / 1024,
        daemon.memory_kib("VmRSS"),
        count(&daemon.status(), "coverage.posture_given_up")
    );

    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    // 4 MiB hold 29,000 records, and a connection makes five.
    daemon.signal(libc::SIGSTOP);
    for _ in 0..3 {
        client.ask(&format!("burst 127.0.0.1:{port} 4000 4"));
    }
    daemon.signal(libc::SIGCONT);
    let listed = daemon.ask(["flows", "--json"]);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let grouped = count(&daemon.status(), "coverage.kernel.grouped");
    println!("the ring buffer was nearly full: {grouped} occasions counted in groups");
    assert!(grouped > 0, "the ring buffer holds less than 12,000 connections");
    client.ask(&format!("burst 127.0.0.1:{port} 4000 4"));
    crowd.close();
    // Every end that was lost is found by polling.
    wait::until("nothing is open any more", || daemon.port_status(port.number())["open"] == 0);
    wait::until("what is queued is written", || sinks(&daemon.status(), "queued") == 0);
    assert!(daemon.is_running());
    assert_eq!(limit.kills(), 0, "the kernel killed no process");
    let peak = limit.peak().map_or_else(|| "not counted".to_owned(), |peak| format!("{} KiB", peak / 1024));
    println!("peak: {peak} charged, {} KiB resident", daemon.memory_kib("VmHWM"));
    let status = daemon.status();
    counters::check_conservation(&status);
    daemon.log.wait("the loss, reported", |event| {
        event.kind() == "coverage"
            && event.at("coverage.gaps").as_array().is_some_and(|gaps| !gaps.is_empty())
    });
    let cap = count(&status, "coverage.flows_cap");
    assert!(cap < 30_000, "what was not configured fits the limit: {cap} flows");
    println!(
        "gave way: {} records of the ring, {} flows of {cap}, {} events of the file's queue",
        count(&status, "coverage.kernel.grouped") + sum(&status, "coverage.kernel.dropped"),
        count(&status, "coverage.evicted"),
        sum(&status["sinks"][0], "dropped"),
    );
    assert!(daemon.terminate().success());
}

#[test]
fn flows_overflow_and_burst_fit_into_sixty_four_mebibytes() {
    little_memory(2_500);
}

#[test]
#[ignore = "on demand: it needs 20,000 sockets"]
fn in_full_twenty_thousand_flows_fit_into_sixty_four_mebibytes() {
    little_memory(10_000);
}
