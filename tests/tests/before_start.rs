//! What was there before the daemon is found at its start and tracked from then on.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::netns::Netns;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::truth::End;
use gdprport_tests::wait;

/// Checks that an owner that could only be found by looking is named rightly, and never called exact.
#[track_caller]
fn found(end: &End, event: &Event) {
    end.check_owner(event);
    assert_eq!(event.text("process.attribution"), "snapshot", "{}", event.line());
}

#[test]
fn a_connection_from_before_the_start_is_named_and_counted_to_the_byte() {
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

#[test]
fn a_listener_from_before_the_start_is_named_and_what_it_accepts_is_right_or_marked() {
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
fn listeners_and_connections_in_other_network_namespaces_are_found_too() {
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
    let port = Port::free();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    let first = Daemon::with(open(port.number()).alone());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let end = End::of_client(&client, there.address.port(), port.number());
    let mut first = first;
    end.event(&mut first.log, "flow.open");
    first.stop();

    let mut second = Daemon::with(open(port.number()).alone());
    // Whoever closes while the second one still looks for owners is not found any more, and told as unknown.
    wait::until("both ends are in the flow table", || second.port_status(port.number())["open"] == 2);
    client.close(there);
    server.close(here);
    found(&end, &end.event(&mut second.log, "flow.close"));
    second.stop();
}
