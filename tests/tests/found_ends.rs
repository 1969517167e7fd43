//! Which end an existing connection is shows by what it has sent, and by no port.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::policy::{open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{HeldStream, Puppet, held};
use gdprport_tests::truth::End;
use gdprport_tests::wait;

/// Waits until the daemon has applied what existed: a listener on another watched port is reported after it was listed.
#[track_caller]
fn started(ports: &[&Port]) -> (Daemon, Puppet) {
    let (witness, mut listening) = (Port::free(), Puppet::new());
    listening.listen(format!("127.0.0.1:{witness}"));
    let peer = listening.connect(format!("127.0.0.1:{witness}"));
    let declared = ports.iter().map(|port| open(port.number())).chain([open(witness.number())]);
    let daemon = Daemon::with(policy(declared));
    wait::until("both ends are in the flow table", || daemon.port_status(witness.number())["open"] == 2);
    let _ = peer;
    (daemon, listening)
}

/// A client that calls from `from`, and its server.
struct Call {
    client: Puppet,
    server: Puppet,
    there: HeldStream,
    here: HeldStream,
}

impl Call {
    #[track_caller]
    fn new(from: &str, listen: &str, to: &str) -> Self {
        let (mut client, mut server) = (Puppet::new(), Puppet::new());
        server.listen(listen);
        let there = held(&client.ask(&format!("connect-from {from} {to}")));
        let here = server.accept();
        client.ask(&format!("send {} 123", there.id));
        server.ask(&format!("recv {} 123", here.id));
        server.ask(&format!("send {} 45", here.id));
        client.ask(&format!("recv {} 45", there.id));
        Self { client, server, there, here }
    }

    /// Closes both ends and checks that they are reported to this port, each as what it is, with their bytes.
    #[track_caller]
    fn close(mut self, daemon: &mut Daemon, from: u16, to: u16) {
        wait::until("both ends are known", || daemon.port_status(to)["open"] == 2);
        let ends = [End::of_client(&self.client, from, to), End::of_server(&self.server, to, from)];
        self.client.close(self.there);
        self.server.close(self.here);
        for (end, sent, received) in [(&ends[0], 123, 45), (&ends[1], 45, 123)] {
            let closed = end.event(&mut daemon.log, "flow.close");
            end.check_owner(&closed);
            let bytes = ["flow.bytes_sent", "flow.bytes_received"].map(|field| closed.number(field));
            assert_eq!(bytes, [Some(sent), Some(received)], "{}", closed.line());
        }
    }
}

/// The addresses of client, listener and call of each family.
const FAMILIES: [[&str; 3]; 3] = [
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["[::1]", "[::]", "[::1]"],
    ["[::ffff:127.0.0.1]", "[::]", "[::ffff:127.0.0.1]"],
];

/// By chance, as 50000 may be; neither end is a flow of that port.
#[test]
fn a_client_whose_own_port_is_watched_is_no_server() {
    for [from, listen, to] in FAMILIES {
        let (chance, service) = (Port::free(), Port::free());
        let call = Call::new(
            &format!("{from}:{chance}"),
            &format!("{listen}:{service}"),
            &format!("{to}:{service}"),
        );
        let (daemon, _witness) = started(&[&chance]);
        let status = daemon.port_status(chance.number());
        assert_eq!((&status["open"], &status["opened"]), (&0.into(), &0.into()), "{from}: {status}");
        drop(call);
        let log = daemon.stop();
        assert_eq!(log.count(|event| event.port() == Some(chance.number())), 0, "{from}");
    }
}

#[test]
fn between_two_watched_ports_the_called_one_counts() {
    for [from, listen, to] in FAMILIES {
        let (own, service) = (Port::free(), Port::free());
        let call =
            Call::new(&format!("{from}:{own}"), &format!("{listen}:{service}"), &format!("{to}:{service}"));
        let (mut daemon, _witness) = started(&[&own, &service]);
        call.close(&mut daemon, own.number(), service.number());
        assert_eq!(daemon.port_status(own.number())["opened"], 0, "{from}");
        daemon.stop();
    }
}

#[test]
fn an_accepted_end_outlives_its_listener() {
    let (own, service) = (Port::free(), Port::free());
    let mut call = Call::new(
        &format!("127.0.0.1:{own}"),
        &format!("127.0.0.1:{service}"),
        &format!("127.0.0.1:{service}"),
    );
    call.server.ask("unlisten");
    let (mut daemon, _witness) = started(&[&own, &service]);
    call.close(&mut daemon, own.number(), service.number());
    daemon.stop();
}

/// There, a listener has the number that is the client's own here.
#[test]
fn a_listener_of_another_namespace_makes_no_server() {
    let (netns, chance, service) = (Netns::new(), Port::free(), Port::free());
    let mut elsewhere = Puppet::at(Place::default().netns(&netns));
    elsewhere.listen(format!("0.0.0.0:{chance}"));
    let at = |port: &Port| format!("127.0.0.1:{port}");
    let _call = Call::new(&at(&chance), &at(&service), &at(&service));
    let (mut daemon, _witness) = started(&[&chance]);
    let is_listener = |event: &gdprport_tests::event::Event| event.is("listener.open", chance.number());
    daemon.log.wait("listener.open", is_listener);
    assert_eq!(daemon.port_status(chance.number())["opened"], 0);
    daemon.stop();
}

#[test]
fn a_socket_connected_to_itself_is_found_outgoing() {
    let port = Port::free();
    let mut client = Puppet::new();
    let to = format!("127.0.0.1:{port}");
    client.ask(&format!("connect-from {to} {to}"));
    let (mut daemon, _witness) = started(&[&port]);
    let end = End::of_client(&client, port.number(), port.number());
    end.check_owner(&end.event(&mut daemon.log, "flow.open"));
    daemon.stop();
}

/// Bytes are on their way at both ends, and nobody listens any more where one was accepted.
#[test]
fn bytes_on_their_way_do_not_hide_which_end_it_is() {
    let (veth, port) = (VethPair::new(), Port::free());
    let mut server = Puppet::at(Place::default().netns(&veth.right));
    let mut client = Puppet::at(Place::default().netns(&veth.left));
    server.listen(format!("0.0.0.0:{port}"));
    let there = client.connect(format!("{}:{port}", VethPair::RIGHT));
    let here = server.accept();
    server.ask("unlisten");
    // Packets of both go astray.
    for (netns, to) in [(&veth.left, VethPair::RIGHT), (&veth.right, VethPair::LEFT)] {
        netns.ip(&["neigh", "replace", to, "lladdr", "02:00:00:00:77:99", "dev", "veth0"]);
    }
    client.ask(&format!("send {} 9", there.id));
    server.ask(&format!("send {} 9", here.id));
    let (mut daemon, _witness) = started(&[&port]);
    let local = there.address.port();
    for end in [End::of_client(&client, local, port.number()), End::of_server(&server, port.number(), local)]
    {
        end.check_owner(&end.event(&mut daemon.log, "flow.open"));
    }
    daemon.stop();
}
