//! Every kind of address, every kind of failure, every namespace.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::truth::End;

/// Connects to `address`; both ends must have been at `ip` and share the flow's id.
#[track_caller]
fn both_ends_at(listen: &str, address: &str, ip: &str) {
    let mut pair = Pair::listening_on(listen);
    let connection = pair.connect_to(address, "accept");
    pair.close(&connection);
    let mut ids = Vec::new();
    for end in [&connection.client, &connection.server] {
        for kind in ["flow.open", "flow.close"] {
            let event = end.event(&mut pair.daemon.log, kind);
            assert_eq!(event.text("flow.local.ip"), ip, "{}", event.line());
            assert_eq!(event.text("flow.peer.ip"), ip, "{}", event.line());
            ids.push(event.text("flow.id").to_owned());
        }
        end.named_exactly(&mut pair.daemon.log, "flow.close");
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "both ends and all events of one connection share its id: {ids:?}");
    pair.daemon.stop();
}

#[test]
fn ipv6_connections_are_named_at_both_ends() {
    both_ends_at("[::1]", "[::1]", "::1");
}

#[test]
fn an_ipv4_client_of_a_dual_stack_listener_is_an_ipv4_peer() {
    both_ends_at("[::]", "127.0.0.1", "127.0.0.1");
}

#[test]
fn an_ipv4_mapped_destination_is_an_ipv4_peer() {
    both_ends_at("127.0.0.1", "[::ffff:127.0.0.1]", "127.0.0.1");
}

/// Waits for the `flow.fail` of a connect from `client` to `port` and checks its owner and outcome.
#[track_caller]
fn failed(daemon: &mut Daemon, client: &Puppet, port: u16, outcome: &str) {
    let event = daemon.log.wait("flow.fail", |event| event.is("flow.fail", port));
    assert_eq!(event.text("flow.outcome"), outcome, "{}", event.line());
    let (local, peer) = event.ends("out").expect("a failed connect is an outward flow");
    assert_eq!(peer, port);
    let end = End::of_client(client, local, port);
    end.check_owner(&event);
    assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
    let mistaken = daemon.log.count(|event| event.is("flow.open", port) || event.is("flow.close", port));
    assert_eq!(mistaken, 0, "a connection that was never made was neither opened nor closed");
}

#[test]
fn a_refused_connect_is_reported_with_its_owner() {
    let port = Port::free();
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut client = Puppet::new();
    for to in ["127.0.0.1", "[::1]"] {
        assert_eq!(client.ask(&format!("connect-fail {to}:{port}")), "ConnectionRefused");
    }
    failed(&mut daemon, &client, port.number(), "refused");
    daemon.log.wait_count("flow.fail", 2, |event| event.is("flow.fail", port.number()));
    daemon.stop();
}

#[test]
fn a_connect_that_nobody_answers_is_reported_as_timed_out() {
    let (veth, port) = (VethPair::new(), Port::free());
    veth.left.sysctl("net/ipv4/tcp_syn_retries", "1");
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut client = Puppet::at(Place::default().netns(&veth.left));
    assert_eq!(client.ask(&format!("connect-fail {}:{port}", VethPair::SILENT)), "TimedOut");
    failed(&mut daemon, &client, port.number(), "timed-out");
    daemon.stop();
}

#[test]
fn a_connect_that_its_caller_abandons_is_reported_as_aborted() {
    let (veth, port) = (VethPair::new(), Port::free());
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut client = Puppet::at(Place::default().netns(&veth.left));
    client.ask(&format!("connect-abandon {}:{port}", VethPair::SILENT));
    failed(&mut daemon, &client, port.number(), "aborted");
    daemon.stop();
}

#[test]
fn a_connect_without_a_route_is_reported_as_denied() {
    let (netns, port) = (Netns::new(), Port::free());
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut client = Puppet::at(Place::default().netns(&netns));
    assert_eq!(client.ask(&format!("connect-fail 192.0.2.1:{port}")), "NetworkUnreachable");
    failed(&mut daemon, &client, port.number(), "denied");
    daemon.stop();
}

/// Each end is reported with the inode number of its own network namespace.
#[test]
fn both_ends_of_a_veth_pair_are_seen_in_their_own_namespace() {
    let (veth, port) = (VethPair::new(), Port::free());
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut server = Puppet::at(Place::default().netns(&veth.right));
    let mut client = Puppet::at(Place::default().netns(&veth.left));
    server.listen(format!("[::]:{port}"));
    for (to, left, right) in [
        (VethPair::RIGHT.to_owned(), VethPair::LEFT, VethPair::RIGHT),
        ("[fd77::2]".to_owned(), "fd77::1", "fd77::2"),
    ] {
        let there = client.connect(format!("{to}:{port}"));
        let here = server.accept();
        client.ask(&format!("send {} 77", there.id));
        server.ask(&format!("recv {} 77", here.id));
        client.close(there);
        server.close(here);
        let local = there.address.port();
        let out = End::of_client(&client, local, port.number()).named_exactly(&mut daemon.log, "flow.close");
        assert_eq!((out.text("flow.local.ip"), out.text("flow.peer.ip")), (left, right));
        assert_eq!(out.number("process.netns"), Some(veth.left.inode()), "{}", out.line());
        assert_eq!(out.number("flow.bytes_sent"), Some(77), "{}", out.line());
        let into = End::of_server(&server, port.number(), local).named_exactly(&mut daemon.log, "flow.close");
        assert_eq!((into.text("flow.local.ip"), into.text("flow.peer.ip")), (right, left));
        assert_eq!(into.number("process.netns"), Some(veth.right.inode()), "{}", into.line());
        assert_eq!(into.number("flow.bytes_received"), Some(77), "{}", into.line());
    }
    daemon.stop();
}

/// All four addresses and ports are equal; only the namespace differs.
#[test]
fn equal_addresses_in_two_namespaces_are_not_confused() {
    let port = Port::free();
    let mut daemon = Daemon::with(open(port.number()).alone());
    let worlds: Vec<(Netns, u64)> = (1..=2).map(|n| (Netns::new(), n * 1000)).collect();
    for (netns, bytes) in &worlds {
        // One ephemeral port each, the same in both: all four addresses and ports are equal.
        netns.sysctl("net/ipv4/ip_local_port_range", "45000 45000");
        let mut server = Puppet::at(Place::default().netns(netns));
        let mut client = Puppet::at(Place::default().netns(netns));
        server.listen(format!("127.0.0.1:{port}"));
        let there = client.connect(format!("127.0.0.1:{port}"));
        assert_eq!(there.address.port(), 45000);
        let here = server.accept();
        client.ask(&format!("send {} {bytes}", there.id));
        server.ask(&format!("recv {} {bytes}", here.id));
        let pid = u64::from(client.pid());
        drop((client, server));
        let event = daemon.log.wait("the client's close", |event| {
            event.is("flow.close", port.number()) && event.number("process.pid") == Some(pid)
        });
        assert_eq!(event.number("flow.bytes_sent"), Some(*bytes), "{}", event.line());
    }
    daemon.stop();
}

#[test]
fn a_port_that_is_not_watched_leaves_no_trace() {
    let mut pair = Pair::new();
    let other = Port::free();
    pair.server.listen(format!("127.0.0.1:{other}"));
    let there = pair.client.connect(format!("127.0.0.1:{other}"));
    let here = pair.server.accept();
    pair.client.close(there);
    pair.server.close(here);
    // What comes after on the watched port shows that the daemon has read past it.
    pair.server.listen(format!("127.0.0.1:{}", pair.port));
    let connection = pair.connect();
    pair.close(&connection);
    connection.client.event(&mut pair.daemon.log, "flow.close");
    connection.server.event(&mut pair.daemon.log, "flow.close");
    let log = pair.daemon.stop();
    assert!(!log.seen().iter().any(|event| event.line().contains(&format!("\"port\":{other}"))));
}
