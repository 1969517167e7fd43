//! What predates the daemon is found at its start and tracked from then on.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{Puppet, held};
use gdprport_tests::truth::End;
use gdprport_tests::wait;

/// Checks that an owner that could only be found by a scan is named correctly, and never called exact.
#[track_caller]
fn found(end: &End, event: &Event) {
    end.check_owner(event);
    assert_eq!(event.text("process.attribution"), "snapshot", "{}", event.line());
}

#[test]
fn an_existing_connection_is_named_and_counted_to_the_byte() {
    let port = Port::free();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    client.ask(&format!("send {} 1000", there.id));
    server.ask(&format!("recv {} 1000", here.id));

    let mut daemon = Daemon::with(open(port.number()).alone());
    client.ask(&format!("send {} 234", there.id));
    server.ask(&format!("recv {} 234", here.id));
    server.ask(&format!("send {} 55", here.id));
    client.ask(&format!("recv {} 55", there.id));
    wait::until("both ends are in the flow table", || daemon.port_status(port.number())["open"] == 2);
    client.close(there);
    server.close(here);

    let local = there.address.port();
    let (out, into) =
        (End::of_client(&client, local, port.number()), End::of_server(&server, port.number(), local));
    for (end, sent, received) in [(out, 1234, 55), (into, 55, 1234)] {
        let event = end.event(&mut daemon.log, "flow.close");
        found(&end, &event);
        assert_eq!(event.number("flow.bytes_sent"), Some(sent), "{}", event.line());
        assert_eq!(event.number("flow.bytes_received"), Some(received), "{}", event.line());
    }
    daemon.stop();
}

/// Its owner was found by a scan; an accept is named correctly, or marked as less than exact.
#[test]
fn an_existing_listener_and_its_accepts_are_right_or_marked() {
    let port = Port::free();
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    let mut daemon = Daemon::with(open(port.number()).alone());
    let event = daemon.log.wait("listener.open", |event| event.is("listener.open", port.number()));
    found(&End::of_server(&server, port.number(), 0), &event);

    let mut client = Puppet::new();
    for (how, allowed) in [("accept", &["exact"][..]), ("accept-null", &["exact", "listener", "snapshot"])] {
        let there = client.connect(format!("127.0.0.1:{port}"));
        let here = server.hold(how);
        client.close(there);
        server.close(here);
        let end = End::of_server(&server, port.number(), there.address.port());
        let event = end.event(&mut daemon.log, "flow.close");
        end.check_owner(&event);
        assert!(allowed.contains(&event.text("process.attribution")), "{how}: {}", event.line());
    }
    server.ask("unlisten");
    daemon.log.wait("listener.close", |event| event.is("listener.close", port.number()));
    daemon.stop();
}

#[test]
fn sockets_in_other_network_namespaces_are_found_too() {
    let (netns, port) = (Netns::new(), Port::free());
    let mut server = Puppet::at(Place::default().netns(&netns));
    let mut client = Puppet::at(Place::default().netns(&netns));
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();

    let mut daemon = Daemon::with(open(port.number()).alone());
    let event = daemon.log.wait("listener.open", |event| event.is("listener.open", port.number()));
    found(&End::of_server(&server, port.number(), 0), &event);
    assert_eq!(event.number("process.netns"), Some(netns.inode()), "{}", event.line());
    wait::until("both ends are in the flow table", || daemon.port_status(port.number())["open"] == 2);
    client.close(there);
    server.close(here);
    let local = there.address.port();
    let ends = [End::of_client(&client, local, port.number()), End::of_server(&server, port.number(), local)];
    for end in ends {
        let event = end.event(&mut daemon.log, "flow.close");
        found(&end, &event);
        assert_eq!(event.number("process.netns"), Some(netns.inode()), "{}", event.line());
    }
    daemon.stop();
}

#[test]
fn a_connection_outlives_one_daemon_and_is_found_by_the_next() {
    for client_first in [true, false] {
        outlives(client_first);
    }
}

/// A connection with bytes under each of two daemons and between them; the second daemon finds it.
fn outlives(client_first: bool) {
    let port = Port::free();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    let mut first = Daemon::with(open(port.number()).alone());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let local = there.address.port();
    let (out, into) =
        (End::of_client(&client, local, port.number()), End::of_server(&server, port.number(), local));
    let mut moved = |from_client: u32, from_server: u32| {
        client.ask(&format!("send {} {from_client}", there.id));
        server.ask(&format!("recv {} {from_client}", here.id));
        server.ask(&format!("send {} {from_server}", here.id));
        client.ask(&format!("recv {} {from_server}", there.id));
    };
    moved(1000, 2);
    out.event(&mut first.log, "flow.open");
    first.stop();
    moved(200, 30);

    let mut second = Daemon::with(open(port.number()).alone());
    // An end that closes while the second one still scans for owners is not found any more, and reported as unknown.
    wait::until("both ends are in the flow table", || second.port_status(port.number())["open"] == 2);
    moved(34, 400);
    if client_first {
        client.close(there);
        server.close(here);
    } else {
        server.close(here);
        client.close(there);
    }
    for (end, sent, received) in [(out, 1234, 432), (into, 432, 1234)] {
        let event = end.event(&mut second.log, "flow.close");
        found(&end, &event);
        assert_eq!(event.number("flow.bytes_sent"), Some(sent), "{}", event.line());
        assert_eq!(event.number("flow.bytes_received"), Some(received), "{}", event.line());
        assert_eq!(event.text("flow.outcome"), "closed", "{}", event.line());
    }
    second.stop();
}

/// The end half-closed before the daemon started.
#[test]
fn bytes_received_after_an_unseen_half_close_are_not_guessed() {
    let port = Port::free();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    let mut first = Daemon::with(open(port.number()).alone());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let end = End::of_client(&client, there.address.port(), port.number());
    end.event(&mut first.log, "flow.open");
    client.ask(&format!("send {} 1000", there.id));
    client.ask(&format!("shutdown {}", there.id));
    assert_eq!(server.ask(&format!("recv-end {}", here.id)), "1000 eof");
    first.stop();

    let mut second = Daemon::with(open(port.number()).alone());
    wait::until("both ends are in the flow table", || second.port_status(port.number())["open"] == 2);
    server.ask(&format!("send {} 55", here.id));
    client.ask(&format!("recv {} 55", there.id));
    server.close(here);
    assert_eq!(client.ask(&format!("recv-end {}", there.id)), "0 eof");
    client.close(there);
    let event = end.event(&mut second.log, "flow.close");
    assert_eq!(event.number("flow.bytes_sent"), Some(1000), "{}", event.line());
    assert!(event.at("flow.bytes_received").is_null(), "{}", event.line());
    second.stop();
}

/// A daemon that started while the connect `how` of `client` waits for an address that never replies, and that has
/// ingested what existed: the client's connect, and the listener of `server` in the same namespace.
fn started_while_connecting(
    (veth, port): (&VethPair, &Port),
    server: &mut Puppet,
    client: &mut Puppet,
    how: &str,
) -> Daemon {
    server.listen(format!("127.0.0.1:{port}"));
    client.send(&format!("{how} {}:{port}", VethPair::SILENT));
    wait::until("the SYN was sent", || {
        let sockets = veth.left.inside(|| std::fs::read_to_string("/proc/thread-self/net/tcp"));
        let sockets = sockets.expect("the sockets of a namespace");
        sockets.lines().any(|line| line.split_whitespace().nth(3) == Some("02"))
    });
    let mut daemon = Daemon::with(open(port.number()).alone());
    daemon.log.wait("listener.open", |event| event.is("listener.open", port.number()));
    daemon
}

/// It is pending at the start, and not yet a connection.
#[test]
fn a_pending_connect_that_fails_is_reported_once() {
    let (veth, port) = (VethPair::new(), Port::free());
    let mut server = Puppet::at(Place::default().netns(&veth.left));
    let mut client = Puppet::at(Place::default().netns(&veth.left));
    let mut daemon = started_while_connecting((&veth, &port), &mut server, &mut client, "connect-fail");
    assert_eq!(daemon.port_status(port.number())["open"], 0);
    let end = End::of_client(&client, 0, port.number());
    client.kill();
    let event = daemon.log.wait("flow.fail", |event| event.is("flow.fail", port.number()));
    found(&end, &event);
    assert!(["aborted", "timed-out"].contains(&event.text("flow.outcome")), "{}", event.line());
    let log = daemon.stop();
    let count = |kind| log.count(|event| event.is(kind, port.number()));
    assert_eq!((count("flow.fail"), count("flow.open"), count("flow.close")), (1, 0, 0));
}

/// It is pending at the start, and accepted later.
#[test]
fn a_pending_connect_that_succeeds_opens_and_closes_once() {
    let (veth, port) = (VethPair::new(), Port::free());
    let mut server = Puppet::at(Place::default().netns(&veth.left));
    let mut client = Puppet::at(Place::default().netns(&veth.left));
    let mut daemon = started_while_connecting((&veth, &port), &mut server, &mut client, "connect");
    let mut there = Puppet::at(Place::default().netns(&veth.right));
    there.listen(format!("0.0.0.0:{port}"));
    // The next SYN finds the address.
    veth.right.ip(&["addr", "add", &format!("{}/32", VethPair::SILENT), "dev", "lo"]);
    let here = held(&client.reply());
    let taken = there.accept();
    client.ask(&format!("send {} 1234", here.id));
    there.ask(&format!("recv {} 1234", taken.id));
    client.close(here);
    there.close(taken);
    let end = End::of_client(&client, here.address.port(), port.number());
    let event = end.event(&mut daemon.log, "flow.close");
    found(&end, &event);
    assert_eq!(event.number("flow.bytes_sent"), Some(1234), "{}", event.line());
    assert_eq!(event.number("flow.bytes_received"), Some(0), "{}", event.line());
    let log = daemon.stop();
    let count = |kind: &str| {
        log.count(|event| event.kind() == kind && event.ends("out") == Some((end.local, end.peer)))
    };
    assert_eq!((count("flow.fail"), count("flow.open"), count("flow.close")), (0, 1, 1));
}
