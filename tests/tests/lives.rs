//! The life of a connection at its edges: which end it is, how it begins and ends, and what is said of it when.

use gdprport_tests::bpf::PortTurn;
use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{Puppet, held};
use gdprport_tests::truth::End;
use gdprport_tests::{counters, wait};

/// Has the daemon use this policy.
#[track_caller]
fn reload(daemon: &Daemon, text: &str) {
    daemon.rewrite_policy(text);
    let output = daemon.ask(["daemon", "reload"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Two connections are open while their port leaves the policy: one ends meanwhile, one when the port is back.
#[test]
fn a_port_that_left_the_policy_misses_no_opening() {
    let (mut pair, other) = (Pair::new(), Port::free());
    let (first, second) = (pair.connect(), pair.connect());
    let port = pair.port.number();
    let is_open = |pair: &Pair, count: u64| pair.daemon.port_status(port)["open"] == count;
    wait::until("four ends are known", || is_open(&pair, 4));
    reload(&pair.daemon, &open(other.number()).alone());
    pair.close(&first);
    let _ = counters::settled(&pair.daemon);
    reload(&pair.daemon, &policy([open(port), open(other.number())]));
    wait::until("what is still open was found again", || is_open(&pair, 2));
    pair.close(&second);
    wait::until("nothing is open", || is_open(&pair, 0));
    let status = pair.daemon.port_status(port);
    counters::check_flow_conservation(&status);
    assert_eq!((&status["opening_missed"], &status["unwatched"]), (&0.into(), &4.into()), "{status}");
    assert_eq!(pair.daemon.status()["coverage"]["opening_missed"], 0);
    pair.daemon.stop();
}

/// Nobody accepted; the process called itself.
#[test]
fn a_socket_connected_to_itself_is_one_outgoing_flow() {
    let port = Port::free();
    let mut daemon = Daemon::with(open(port.number()).alone());
    for address in ["127.0.0.1", "[::1]"] {
        let mut client = Puppet::new();
        let to = format!("{address}:{port}");
        let own = held(&client.ask(&format!("connect-from {to} {to}")));
        client.ask(&format!("send {} 77", own.id));
        client.ask(&format!("recv {} 77", own.id));
        let end = End::of_client(&client, port.number(), port.number());
        let pid = u64::from(client.pid());
        let of = |daemon: &mut Daemon, kind: &str| {
            daemon
                .log
                .wait(kind, |event| event.is(kind, port.number()) && event.number("process.pid") == Some(pid))
        };
        let opened = of(&mut daemon, "flow.open");
        assert_eq!(opened.ends("out"), Some((end.local, end.peer)), "{}", opened.line());
        client.close(own);
        let closed = of(&mut daemon, "flow.close");
        end.check_owner(&closed);
        assert_eq!(closed.text("process.attribution"), "exact", "{}", closed.line());
        assert_eq!(closed.ends("out"), Some((end.local, end.peer)), "{}", closed.line());
        let bytes = ["flow.bytes_sent", "flow.bytes_received"].map(|field| closed.number(field));
        assert_eq!(bytes, [Some(77), Some(77)], "{}", closed.line());
    }
    let log = daemon.stop();
    assert_eq!(log.count(|event| event.kind() == "flow.open" && event.port() == Some(port.number())), 2);
}

/// Both call at the same moment, one of them from the watched port: only the other one's flow is to it.
#[test]
fn a_simultaneous_open_is_outgoing_while_it_is_open() {
    let (veth, port) = (VethPair::new(), Port::free());
    let other = Port::free();
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut near = Puppet::at(Place::default().netns(&veth.left));
    let mut far = Puppet::at(Place::default().netns(&veth.right));
    veth.left.ip(&["link", "set", "veth0", "address", "02:00:00:00:77:01"]);
    veth.right.ip(&["link", "set", "veth0", "address", "02:00:00:00:77:02"]);
    let neighbours = |left: &str, right: &str| {
        veth.left.ip(&["neigh", "replace", VethPair::RIGHT, "lladdr", right, "dev", "veth0"]);
        veth.right.ip(&["neigh", "replace", VethPair::LEFT, "lladdr", left, "dev", "veth0"]);
    };
    // The first SYNs go astray. The second SYN of one, a second later, meets the other one that waits.
    neighbours("02:00:00:00:77:99", "02:00:00:00:77:99");
    let (here, there) = (format!("{}:{other}", VethPair::LEFT), format!("{}:{port}", VethPair::RIGHT));
    far.send(&format!("connect-from {there} {here}"));
    near.send(&format!("connect-from {here} {there}"));
    std::thread::sleep(std::time::Duration::from_millis(400));
    neighbours("02:00:00:00:77:01", "02:00:00:00:77:02");
    let (mine, theirs) = (held(&near.reply()), held(&far.reply()));
    near.ask(&format!("send {} 77", mine.id));
    far.ask(&format!("recv {} 77", theirs.id));
    let end = End::of_client(&near, other.number(), port.number());
    end.named_exactly(&mut daemon.log, "flow.open");
    assert_eq!(daemon.port_status(port.number())["open"], 1);
    far.ask(&format!("send {} 33", theirs.id));
    near.ask(&format!("recv {} 33", mine.id));
    near.close(mine);
    far.close(theirs);
    let closed = end.named_exactly(&mut daemon.log, "flow.close");
    let bytes = ["flow.bytes_sent", "flow.bytes_received"].map(|field| closed.number(field));
    assert_eq!(bytes, [Some(77), Some(33)], "{}", closed.line());
    let log = daemon.stop();
    assert_eq!(log.count(|event| event.is("flow.open", port.number())), 1);
    assert_eq!(log.seen().last().expect("events").number("coverage.opening_missed").unwrap_or(0), 0);
}

/// A connection of the client whose server vanished, and how the client's kernel ends it.
#[test]
fn an_end_because_the_peer_is_silent_is_timed_out() {
    for how in ["user-timeout", "keepalive", "unreachable", "orphan", "last-ack"] {
        let (veth, port) = (VethPair::new(), Port::free());
        veth.left.sysctl("net/ipv4/tcp_orphan_retries", "1");
        let mut daemon = Daemon::with(open(port.number()).alone());
        let mut server = Puppet::at(Place::default().netns(&veth.right));
        let mut client = Puppet::at(Place::default().netns(&veth.left));
        server.listen(format!("0.0.0.0:{port}"));
        let there = client.connect(format!("{}:{port}", VethPair::RIGHT));
        let here = server.accept();
        client.ask(&format!("send {} 10", there.id));
        server.ask(&format!("recv {} 10", here.id));
        client.ask(&format!("drain {}", there.id));
        if how == "last-ack" {
            server.ask(&format!("shutdown {}", here.id));
            client.ask(&format!("recv-end {}", there.id));
        }
        // Without the address its host drops what comes, and sends nothing about it.
        veth.right.ip(&["addr", "del", "10.77.0.2/24", "dev", "veth0"]);
        match how {
            "keepalive" => drop(client.ask(&format!("impatient {} keepalive", there.id))),
            "user-timeout" | "unreachable" => {
                client.ask(&format!("impatient {} user-timeout", there.id));
                if how == "unreachable" {
                    veth.left.ip(&["neigh", "flush", "dev", "veth0"]);
                }
                client.ask(&format!("send {} 5", there.id));
            }
            _ => client.close(there),
        }
        let end = End::of_client(&client, there.address.port(), port.number());
        let closed = end.named_exactly(&mut daemon.log, "flow.close");
        assert_eq!(closed.text("flow.outcome"), "timed-out", "{how}: {}", closed.line());
        assert_eq!(closed.number("flow.bytes_sent"), Some(10), "{how}: {}", closed.line());
        assert_eq!(closed.number("flow.bytes_received"), Some(0), "{how}: {}", closed.line());
        daemon.stop();
    }
}

/// The caller closed it before the first bytes, with which the SYN would have left.
#[test]
fn a_fast_open_that_was_never_sent_is_aborted() {
    let (netns, port) = (Netns::new(), Port::free());
    // Client and server, and no cookie needed.
    netns.sysctl("net/ipv4/tcp_fastopen", "7");
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut client = Puppet::at(Place::default().netns(&netns));
    client.ask(&format!("connect-unsent 127.0.0.1:{port}"));
    let event = daemon.log.wait("flow.fail", |event| event.is("flow.fail", port.number()));
    assert_eq!(event.text("flow.outcome"), "aborted", "{}", event.line());
    End::of_client(&client, 0, port.number()).check_owner(&event);
    daemon.stop();
}

/// It was called for the watched port, and made or refused at the other one.
#[test]
fn a_connect_that_a_load_balancer_turns_away_is_not_denied() {
    let (mut pair, backend) = (Pair::new(), Port::free());
    let port = pair.port.number();
    let turning = PortTurn::of(port, backend.number());
    assert_eq!(pair.client.ask(&format!("connect-fail 127.0.0.1:{port}")), "ConnectionRefused");
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{backend}"));
    let there = pair.client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    pair.client.close(there);
    server.close(here);
    drop(turning);
    let connection = pair.connect();
    pair.close(&connection);
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    let log = pair.daemon.stop();
    assert_eq!(log.count(|event| event.is("flow.fail", port)), 0, "nothing failed at the watched port");
}

/// It called another port, which is not watched.
#[test]
fn the_caller_behind_a_load_balancer_is_exact() {
    let (mut pair, service) = (Pair::new(), Port::free());
    let _turning = PortTurn::of(service.number(), pair.port.number());
    for _ in 0..2 {
        let there = pair.client.connect(format!("127.0.0.1:{service}"));
        let here = pair.server.accept();
        let end = End::of_client(&pair.client, there.address.port(), pair.port.number());
        pair.client.close(there);
        pair.server.close(here);
        let closed = end.event(&mut pair.daemon.log, "flow.close");
        end.check_owner(&closed);
        assert_eq!(closed.text("process.attribution"), "exact", "{}", closed.line());
    }
    pair.daemon.stop();
}
