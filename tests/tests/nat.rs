//! Connections whose addresses the host translates, by the kernel's own connection tracking.
//!
//! Everything runs in the namespace that translates, as on a host: the daemon asks in its own only.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::nat::NatHost;
use gdprport_tests::need;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;

/// The published number of the container's port.
const PUBLISHED: u16 = 15_432;

fn published(port: &Port) -> String {
    format!("tcp dport {PUBLISHED} dnat to {}:{port}", NatHost::CONTAINER)
}

fn daemon(policy: String) -> Daemon {
    Start::with(policy).prepare(NatHost::AS_HOST).start()
}

/// Allows the gateway, and not the client behind it.
fn only_the_gateway(port: &Port) -> String {
    declare("db", port.number()).allow("gateway", "in", NatHost::GATEWAY, "").alone()
}

/// An accepted flow's peer is masqueraded, and its client outside.
#[track_caller]
fn masqueraded(event: &Event) {
    let line = event.line();
    assert_eq!(event.text("flow.local.ip"), NatHost::CONTAINER, "{line}");
    assert_eq!(event.text("flow.peer.ip"), NatHost::GATEWAY, "{line}");
    assert_eq!(event.text("flow.nat.state"), "translated", "{line}");
    assert_eq!(event.text("flow.nat.peer.ip"), NatHost::OUTSIDE, "{line}");
    assert_eq!(event.text("flow.nat.destination.ip"), NatHost::PUBLIC, "{line}");
    assert_eq!(event.number("flow.nat.destination.port"), Some(PUBLISHED.into()), "{line}");
    assert_eq!(event.reasons(), ["undeclared-peer"], "{line}");
}

#[test]
fn a_client_of_a_published_port_does_not_pass_as_the_gateway() {
    let (net, port) = (need!(NatHost::new()), Port::free());
    net.translate(&published(&port));
    net.host.inside(|| {
        let mut daemon = daemon(only_the_gateway(&port));
        let mut server = Puppet::at(Place::default().netns(&net.container));
        let mut client = Puppet::at(Place::default().netns(&net.outside));
        server.listen(format!("0.0.0.0:{port}"));
        let there = client.connect(format!("{}:{PUBLISHED}", NatHost::PUBLIC));
        let here = server.accept();
        let opened = daemon.log.wait("flow.open", |event| event.is("flow.open", port.number()));
        masqueraded(&opened);
        assert_eq!(opened.number("flow.nat.peer.port"), Some(there.address.port().into()));
        assert_eq!(
            daemon.log.count(|event| event.is("flow.update", port.number())),
            0,
            "it was known at once"
        );
        // From the host itself it is the gateway.
        let mut local = Puppet::new();
        local.connect(format!("{}:{port}", NatHost::CONTAINER));
        server.accept();
        let direct = daemon.log.wait("the gateway's", |event| {
            event.is("flow.open", port.number()) && event.text("verdict.outcome") == "declared"
        });
        assert!(direct.at("flow.nat").is_null(), "{}", direct.line());
        client.ask(&format!("close {}", there.id));
        server.ask(&format!("close {}", here.id));
        let closed = daemon.log.wait("flow.close", |event| event.is("flow.close", port.number()));
        masqueraded(&closed);
        daemon.stop();
    });
}

#[test]
fn a_connection_that_ends_at_once_is_known_by_its_client() {
    let (net, port) = (need!(NatHost::new()), Port::free());
    net.translate(&published(&port));
    net.host.inside(|| {
        let mut daemon = daemon(only_the_gateway(&port));
        let mut server = Puppet::at(Place::default().netns(&net.container));
        let mut client = Puppet::at(Place::default().netns(&net.outside));
        server.listen(format!("0.0.0.0:{port}"));
        for _ in 0..20 {
            let there = client.connect(format!("{}:{PUBLISHED}", NatHost::PUBLIC));
            let here = server.accept();
            server.ask(&format!("close {}", here.id));
            client.ask(&format!("close {}", there.id));
        }
        for kind in ["flow.open", "flow.close"] {
            daemon.log.wait_count(kind, 20, |event| event.is(kind, port.number()));
        }
        daemon.log.seen().iter().filter(|event| event.port() == Some(port.number())).for_each(|event| {
            if event.kind().starts_with("flow.") && event.kind() != "flow.fail" {
                masqueraded(event);
            }
        });
        daemon.stop();
    });
}

#[test]
fn a_call_to_a_service_address_shows_the_server_behind_it() {
    let (net, port) = (need!(NatHost::new()), Port::free());
    net.translate(&format!("ip daddr {} tcp dport {port} dnat to {}", NatHost::SERVICE, NatHost::OUTSIDE));
    net.host.inside(|| {
        let policy = declare("db", port.number()).allow("servers", "out", NatHost::OUTSIDE, "").allow(
            "containers",
            "in",
            NatHost::CONTAINER,
            "",
        );
        let mut daemon = daemon(policy.alone());
        let mut server = Puppet::at(Place::default().netns(&net.outside));
        let mut client = Puppet::at(Place::default().netns(&net.container));
        server.listen(format!("0.0.0.0:{port}"));
        client.connect(format!("{}:{port}", NatHost::SERVICE));
        server.accept();
        let mut opened = |direction: &str| {
            let is_it =
                |event: &Event| event.kind() == "flow.open" && event.text("flow.direction") == direction;
            daemon.log.wait(direction, is_it)
        };
        let (out, inward) = (opened("out"), opened("in"));
        assert_eq!(out.text("flow.peer.ip"), NatHost::SERVICE, "{}", out.line());
        assert_eq!(out.text("flow.nat.peer.ip"), NatHost::OUTSIDE, "{}", out.line());
        assert_eq!(out.text("flow.nat.source.ip"), NatHost::PUBLIC, "{}", out.line());
        assert_eq!(out.text("verdict.rule"), "servers", "{}", out.line());
        assert_eq!(inward.text("flow.peer.ip"), NatHost::PUBLIC, "{}", inward.line());
        assert_eq!(inward.text("flow.nat.peer.ip"), NatHost::CONTAINER, "{}", inward.line());
        assert_eq!(inward.text("flow.nat.destination.ip"), NatHost::SERVICE, "{}", inward.line());
        assert_eq!(inward.text("verdict.rule"), "containers", "{}", inward.line());
        daemon.stop();
    });
}

#[test]
fn a_translated_connection_that_predates_the_daemon_is_known() {
    let (net, port) = (need!(NatHost::new()), Port::free());
    net.translate(&published(&port));
    net.host.inside(|| {
        let mut server = Puppet::at(Place::default().netns(&net.container));
        let mut client = Puppet::at(Place::default().netns(&net.outside));
        server.listen(format!("0.0.0.0:{port}"));
        client.connect(format!("{}:{PUBLISHED}", NatHost::PUBLIC));
        server.accept();
        let mut daemon = daemon(only_the_gateway(&port));
        let opened = daemon.log.wait("flow.open", |event| event.is("flow.open", port.number()));
        masqueraded(&opened);
        daemon.stop();
    });
}
