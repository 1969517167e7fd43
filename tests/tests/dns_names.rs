//! Host names among the peers: their present addresses decide, and a name that does not resolve is reported and allows
//! nothing.

use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::pair::{Connection, Pair};
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A daemon whose host knows names only by a file of this test, and resolves them every second.
struct Hosts {
    dir: TempDir,
    pair: Pair,
}

impl Hosts {
    fn knowing(hosts: &str) -> Self {
        let (dir, port) = (TempDir::new(), Port::free());
        let policy = declare("customers-db", port.number())
            .allow("orders-api", "in", "client.test", "")
            .allow("calling", "out", "any", "")
            .alone();
        let hosts = dir.write("hosts", hosts);
        let switch = dir.write("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
        let mount = |what: &std::path::Path, over| format!("mount --bind '{}' {over}", what.display());
        let script = format!("{}\n{}", mount(&hosts, "/etc/hosts"), mount(&switch, "/etc/nsswitch.conf"));
        let daemon = Start::with(policy).config("intervals.names = \"1s\"\n").prepare(&script).start();
        let (mut server, client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        wait::until("the names are resolved", || unresolved(&daemon).is_empty());
        Self { dir, pair: Pair { server, client, port, daemon } }
    }

    /// Changes what the host knows.
    fn write(&self, hosts: &str) {
        // In place: it is this file that is mounted.
        std::fs::write(self.dir.join("hosts"), hosts).expect("it is ours");
    }

    /// Waits for an event of this kind and verdict about the accepted end.
    #[track_caller]
    fn reported(&mut self, connection: &Connection, kind: &str, outcome: &str) -> Event {
        let ends = (self.pair.port.number(), connection.there.address.port());
        self.pair.daemon.log.wait(&format!("{kind} {outcome}"), |event| {
            event.kind() == kind && event.ends("in") == Some(ends) && event.text("verdict.outcome") == outcome
        })
    }
}

fn unresolved(daemon: &Daemon) -> Vec<serde_json::Value> {
    daemon.status()["policy"]["unresolved"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_changed_dns_name_changes_verdicts_of_open_and_new_flows() {
    let mut hosts = Hosts::knowing("127.0.0.1 client.test\n");
    let first = hosts.pair.connect();
    hosts.reported(&first, "flow.open", "declared");
    hosts.write("192.0.2.1 client.test\n");
    let violation = hosts.reported(&first, "violation", "violation");
    assert_eq!(violation.text("verdict.nearest.role"), "orders-api", "{}", violation.line());
    let second = hosts.pair.connect();
    hosts.reported(&second, "flow.open", "violation");
    hosts.write("127.0.0.1 client.test\n");
    hosts.reported(&first, "flow.update", "declared");
    let third = hosts.pair.connect();
    hosts.reported(&third, "flow.open", "declared");
    hosts.pair.daemon.stop();
}

/// It is reported with the rules that use it.
#[test]
fn a_vanished_dns_name_leaves_what_it_allowed_undecided() {
    let mut hosts = Hosts::knowing("127.0.0.1 client.test\n");
    let connection = hosts.pair.connect();
    hosts.reported(&connection, "flow.open", "declared");
    hosts.write("");
    let event = hosts.reported(&connection, "flow.update", "undecided");
    assert!(event.line().contains("client.test"), "{}", event.line());
    let unresolved_now = unresolved(&hosts.pair.daemon);
    assert_eq!(
        (unresolved_now.len(), &unresolved_now[0]["name"]),
        (1, &"client.test".into()),
        "{unresolved_now:?}"
    );
    assert_eq!(unresolved_now[0]["undecided"], "orders-api of customers-db", "{unresolved_now:?}");
    let later = hosts.pair.connect();
    hosts.reported(&later, "flow.open", "undecided");
    hosts.write("127.0.0.1 client.test\n");
    hosts.reported(&connection, "flow.update", "declared");
    assert!(unresolved(&hosts.pair.daemon).is_empty());
    let log = hosts.pair.daemon.stderr();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("client.test does not resolve"), 1, "{log}");
    assert_eq!(lines("orders-api of customers-db"), 1, "{log}");
    assert_eq!(lines("client.test resolves again"), 1, "{log}");
    hosts.pair.daemon.stop();
}
