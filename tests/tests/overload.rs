//! While the ring buffer has no room for each, every connection is described alone or counted once: with whom, by whom, how
//! many and how much.
//!
//! What is compared are the sums of what the clients made and those of all events. The tests stop the daemon.

use std::collections::BTreeMap;

use gdprport_tests::child::Place;
use gdprport_tests::counters::{self, count, settled};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::{declare, open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::serial::alone;
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// The smallest ring buffer, with room for 455 records, 128 groups of peers and 64 of networks.
const SMALL: &str = "limits.ring_bytes = 65536\n";

/// Direction, the peers' address or network, and the user of the process.
type Party = (String, String, String);

/// Ends of connections at this host.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    opened: u64,
    ended: u64,
    failed: u64,
    sent: u64,
    received: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.ended += other.ended;
        self.failed += other.failed;
        self.sent += other.sent;
        self.received += other.received;
    }
}

/// What the events say about a port: those of single flows, and sums of those that were counted.
fn account(logs: &[&EventLog], port: u16) -> BTreeMap<Party, Sums> {
    let mut all: BTreeMap<Party, Sums> = BTreeMap::new();
    for event in logs.iter().flat_map(|log| log.seen()).filter(|event| event.port() == Some(port)) {
        if let Some((party, sums)) = of_event(event) {
            all.entry(party).or_default().add(sums);
        }
    }
    all
}

fn of_event(event: &Event) -> Option<(Party, Sums)> {
    let number = |path: &str| event.number(path).unwrap_or_default();
    let party = |direction: &str, peer: String, user| {
        (event.text(direction).to_owned(), peer, event.at(user).as_str().unwrap_or("nobody known").to_owned())
    };
    let flow = || party("flow.direction", event.text("flow.peer.ip").to_owned(), "process.user");
    Some(match event.kind() {
        "flow.open" => (flow(), Sums { opened: 1, ..Sums::default() }),
        "flow.fail" => (flow(), Sums { failed: 1, ..Sums::default() }),
        // The end of one that is lost is in a sum.
        "flow.close" if event.text("flow.outcome") != "lost" => {
            let (sent, received) = (number("flow.bytes_sent"), number("flow.bytes_received"));
            (flow(), Sums { ended: 1, sent, received, ..Sums::default() })
        }
        "flow.summary" if is_counted(event) => {
            let mut peer = event.text("summary.group.peer_ip").to_owned();
            if let Some(prefix) = event.number("summary.group.peer_prefix") {
                peer = format!("{peer}/{prefix}");
            }
            let of_described = |what: &str| number(&format!("summary.overload.{what}"));
            let sums = Sums {
                opened: number("summary.opened"),
                ended: number("summary.closed") + of_described("ends_of_described"),
                failed: number("summary.failed"),
                sent: number("summary.bytes_sent") + of_described("described_bytes_sent"),
                received: number("summary.bytes_received") + of_described("described_bytes_received"),
            };
            (party("summary.group.direction", peer, "summary.group.user"), sums)
        }
        _ => return None,
    })
}

/// Whether an event is of connections that the kernel side counted.
fn is_counted(event: &Event) -> bool {
    event.kind() == "flow.summary" && event.at("summary.overload.why").as_str() == Some("kernel-overload")
}

/// The sums of all parties of a direction.
fn of_direction(account: &BTreeMap<Party, Sums>, direction: &str) -> Sums {
    let mut all = Sums::default();
    account.iter().filter(|((of, ..), _)| of == direction).for_each(|(_, sums)| all.add(*sums));
    all
}

/// A server on a watched port, and what was made of it.
struct Served {
    server: Puppet,
    port: Port,
    total: u64,
    made: BTreeMap<Party, Sums>,
}

impl Served {
    /// It listens once [`Self::begin`] is called.
    fn new() -> Self {
        Self { server: Puppet::new(), port: Port::free(), total: 0, made: BTreeMap::new() }
    }

    fn begin(&mut self) {
        self.server.listen(format!("0.0.0.0:{}", self.port));
        self.server.ask("serve");
    }

    /// Makes connections that send so many bytes each, and waits until both ends of all are closed.
    #[track_caller]
    fn burst(&mut self, client: &mut Puppet, user: &str, host: &str, total: u64, bytes: u64) {
        let to = format!("burst {host}:{} {total} 4 {bytes}", self.port);
        assert_eq!(client.ask(&to), total.to_string());
        let sent = total * bytes;
        let out = Sums { opened: total, ended: total, sent, ..Sums::default() };
        let into = Sums { received: sent, sent: 0, ..out };
        let parties = [("out", host, user, out), ("in", "127.0.0.1", "root", into)];
        for (direction, peer, user, sums) in parties {
            self.made.entry((direction.into(), peer.into(), user.into())).or_default().add(sums);
        }
        self.total += total;
        let all = self.total.to_string();
        wait::until("all are served", || self.server.ask("served") == all);
    }
}

/// Waits until everything that the kernel side has counted is in events.
#[track_caller]
fn collected(daemon: &mut Daemon) {
    let status = settled(daemon);
    counters::check_conservation(&status);
    let grouped = count(&status, "coverage.kernel.grouped");
    assert!(grouped > 0, "the ring buffer was never nearly full: {}", status["coverage"]);
    wait::until("all groups are in events", || {
        daemon.log.refresh();
        let of_events: u64 = daemon.log.seen().iter().filter(|event| is_counted(event)).map(occasions).sum();
        of_events >= grouped
    });
}

/// How many occasions of the kernel side a sum has.
fn occasions(event: &Event) -> u64 {
    let keys = ["summary.opened", "summary.closed", "summary.failed", "summary.overload.ends_of_described"];
    keys.iter().map(|key| event.number(key).unwrap_or_default()).sum()
}

/// Two programs of two users, several peers, both directions: to the connection and to the byte.
#[test]
fn each_connection_is_described_or_counted_exactly_once() {
    let _alone = alone();
    let mut served = Served::new();
    let mut daemon = Start::with(open(served.port.number()).alone()).config(SMALL).start();
    served.begin();
    let (nobody, games) = (User::nobody(), User::games());
    let mut alpha = Puppet::at(Place::default().user(&nobody));
    let mut beta = Puppet::at(Place::default().user(&games));
    daemon.signal(libc::SIGSTOP);
    for (host, of_alpha, of_beta) in [("127.0.0.1", 150, 90), ("127.0.0.2", 70, 0), ("127.0.1.1", 0, 110)] {
        served.burst(&mut alpha, &nobody.name, host, of_alpha, 10);
        served.burst(&mut beta, &games.name, host, of_beta, 3);
    }
    daemon.signal(libc::SIGCONT);
    served.made.retain(|_, sums| *sums != Sums::default());
    let port = served.port.number();
    collected(&mut daemon);
    wait::until("every end is known", || {
        daemon.log.refresh();
        account(&[&daemon.log], port) == served.made
    });
    let status = settled(&daemon);
    for place in ["established", "close", "denied"] {
        assert_eq!(status["coverage"]["places"][place]["dropped"], 0, "{place}: {}", status["coverage"]);
    }
    let log = daemon.stop();
    assert_eq!(account(&[&log], port), served.made, "nothing comes twice");
}

/// Connects of many peers to one service, each in a network of its own.
#[test]
fn more_peers_than_groups_are_counted_by_network_and_port() {
    let _alone = alone();
    let mut served = Served::new();
    let mut daemon = Start::with(open(served.port.number()).alone()).config(SMALL).start();
    served.begin();
    let mut client = Puppet::new();
    daemon.signal(libc::SIGSTOP);
    served.burst(&mut client, "root", "127.0.0.1", 150, 5);
    for network in 1..=230 {
        served.burst(&mut client, "root", &format!("127.1.{network}.1"), 1, 7);
    }
    daemon.signal(libc::SIGCONT);
    collected(&mut daemon);
    let log = daemon.stop();
    let account = account(&[&log], served.port.number());
    for direction in ["out", "in"] {
        assert_eq!(of_direction(&account, direction), of_direction(&served.made, direction), "{direction}");
    }
    let by = |how: &str| {
        let of = |event: &Event| is_counted(event) && event.text("summary.overload.counted_by") == how;
        log.seen().iter().any(of)
    };
    assert!(by("peer") && by("port"), "fine as long as there is room");
}

/// Held connections to a port of their own, beside one whose load fills the ring buffer.
struct Held {
    served: Served,
    holder: Puppet,
    client: Puppet,
    port: Port,
}

impl Held {
    fn new() -> (Self, Daemon) {
        let (mut served, port) = (Served::new(), Port::free());
        let both = policy([open(served.port.number()), open(port.number())]);
        let daemon = Start::with(both).config(SMALL).start();
        served.begin();
        let mut holder = Puppet::new();
        holder.listen(format!("127.0.0.1:{port}"));
        (Self { served, holder, client: Puppet::new(), port }, daemon)
    }

    fn open(&mut self, number: u64) {
        self.client.ask(&format!("connect-many 127.0.0.1:{} {number}", self.port));
        self.holder.ask(&format!("accept-many {number}"));
        // With bytes, so that an end says more than that it was.
        self.client.ask("send-line-many x 20");
    }

    fn close(&mut self) {
        self.client.ask("close-many");
        self.holder.ask("close-many");
    }

    fn load(&mut self, total: u64) {
        self.served.burst(&mut Puppet::new(), "root", "127.0.0.1", total, 0);
    }
}

#[test]
fn what_opened_in_a_group_ends_once_after_the_overload() {
    let _alone = alone();
    let (mut held, mut daemon) = Held::new();
    daemon.signal(libc::SIGSTOP);
    held.load(150);
    held.open(30);
    daemon.signal(libc::SIGCONT);
    collected(&mut daemon);
    let port = held.port.number();
    let opened = |event: &Event| event.port() == Some(port) && is_counted(event);
    daemon.log.wait("openings that were counted", |event| {
        opened(event) && event.number("summary.opened") > Some(0)
    });
    held.close();
    wait::until("each has ended", || {
        daemon.log.refresh();
        let now = account(&[&daemon.log], port);
        ["out", "in"].iter().all(|direction| of_direction(&now, direction).ended == 30)
    });
    wait::until("no flow stays open", || daemon.port_status(port)["open"] == 0);
    let log = daemon.stop();
    let counted: u64 = log
        .seen()
        .iter()
        .filter(|event| opened(event))
        .filter_map(|event| event.number("summary.opened"))
        .sum();
    assert_eq!(counted, 60, "both ends of each, and none when it was found open");
    let now = account(&[&log], port);
    assert_eq!((of_direction(&now, "out").ended, of_direction(&now, "in").ended), (30, 30));
    let sent: u64 = of_direction(&now, "out").sent;
    assert_eq!((sent, of_direction(&now, "in").received), (30 * 20, 30 * 20));
}

#[test]
fn an_end_without_room_is_counted_and_its_flow_is_lost() {
    let _alone = alone();
    let (mut held, mut daemon) = Held::new();
    let port = held.port.number();
    held.open(150);
    daemon.log.wait_count("both ends of each", 300, |event| event.is("flow.open", port));
    daemon.signal(libc::SIGSTOP);
    // More than what is left of the ring buffer: the ends of these fill its last quarter.
    held.load(400);
    held.close();
    daemon.signal(libc::SIGCONT);
    collected(&mut daemon);
    wait::until("no flow stays open whose end was counted", || daemon.port_status(port)["open"] == 0);
    let log = daemon.stop();
    let now = account(&[&log], port);
    let (out, into) = (of_direction(&now, "out"), of_direction(&now, "in"));
    assert_eq!((out.opened, out.ended, out.sent, out.received), (150, 150, 150 * 20, 0));
    assert_eq!((into.opened, into.ended, into.sent, into.received), (150, 150, 0, 150 * 20));
    let counted: u64 = log
        .seen()
        .iter()
        .filter(|event| event.port() == Some(port) && is_counted(event))
        .filter_map(|event| event.number("summary.overload.ends_of_described"))
        .sum();
    let lost = log.count(|event| event.is("flow.close", port) && event.text("flow.outcome") == "lost") as u64;
    assert!(counted > 0);
    assert_eq!(counted, lost, "what is counted is what is lost");
}

/// The one that nobody declared, in the middle of a storm that is declared.
#[test]
fn a_stranger_in_an_overload_is_a_violation() {
    let _alone = alone();
    let mut served = Served::new();
    let number = served.port.number();
    let declared = declare("db", number).allow("serving", "in", "any", "").allow(
        "calling",
        "out",
        "any",
        "user = \"root\"",
    );
    let mut daemon = Start::with(declared.alone()).config(SMALL).start();
    served.begin();
    let (mut client, nobody) = (Puppet::new(), User::nobody());
    let mut stranger = Puppet::at(Place::default().user(&nobody));
    daemon.signal(libc::SIGSTOP);
    served.burst(&mut client, "root", "127.0.0.1", 200, 1);
    served.burst(&mut stranger, &nobody.name, "127.0.0.1", 3, 1);
    served.burst(&mut client, "root", "127.0.0.1", 200, 1);
    daemon.signal(libc::SIGCONT);
    collected(&mut daemon);
    let violation = daemon.log.wait("a violation", |event| event.is("violation", number));
    assert_eq!(violation.text("process.user"), nobody.name, "{}", violation.line());
    let log = daemon.stop();
    let all = log.count(|event| event.is("violation", number));
    assert_eq!(all, 1, "one for all three");
    assert_eq!(account(&[&log], number), served.made);
}

/// As `restart.rs` does, with a kernel side that has gone on to count.
#[test]
fn groups_outlive_a_daemon_that_was_killed() {
    let _alone = alone();
    let (fs, mut served) = (BpfFs::new(), Served::new());
    let port = served.port.number();
    let start = || Start::with(open(port).alone()).config(SMALL).pins(&fs.pins()).start();
    let mut first = start();
    served.begin();
    first.log.wait("listener.open", |event| event.is("listener.open", port));
    first.kill();
    served.burst(&mut Puppet::new(), "root", "127.0.0.1", 400, 6);
    let mut second = start();
    wait::until("every end is known", || {
        second.log.refresh();
        account(&[&second.log], port) == served.made
    });
    let status = second.status();
    for place in ["established", "close"] {
        assert_eq!(status["coverage"]["places"][place]["dropped"], 0, "{place}: {}", status["coverage"]);
    }
    let log = second.interrupt();
    assert!(log.seen().iter().any(is_counted));
    assert_eq!(account(&[&log], port), served.made, "nothing comes twice");
}
