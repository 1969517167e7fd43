//! Host names among the peers: what they mean now decides, and what they do not tell is said and never allowed.

use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::pair::{Connection, Pair};
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A daemon whose host knows names by a file of ours alone, and asks for them every second.
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

    /// What the host knows from now on.
    fn write(&self, hosts: &str) {
        // In place: it is this file that is mounted.
        std::fs::write(self.dir.join("hosts"), hosts).expect("it is ours");
    }

    /// Waits for an event of this kind and verdict about the accepted end.
    #[track_caller]
    fn told(&mut self, connection: &Connection, kind: &str, outcome: &str) -> Event {
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
    hosts.told(&first, "flow.open", "declared");
    hosts.write("192.0.2.1 client.test\n");
    let violation = hosts.told(&first, "violation", "violation");
    assert_eq!(violation.text("verdict.nearest.role"), "orders-api", "{}", violation.line());
    let second = hosts.pair.connect();
    hosts.told(&second, "flow.open", "violation");
    hosts.write("127.0.0.1 client.test\n");
    hosts.told(&first, "flow.update", "declared");
    let third = hosts.pair.connect();
    hosts.told(&third, "flow.open", "declared");
    hosts.pair.daemon.stop();
}

/// It is reported with the rules that use it.
#[test]
fn a_vanished_dns_name_leaves_what_it_allowed_undecided() {
    let mut hosts = Hosts::knowing("127.0.0.1 client.test\n");
    let connection = hosts.pair.connect();
    hosts.told(&connection, "flow.open", "declared");
    hosts.write("");
    let event = hosts.told(&connection, "flow.update", "undecided");
    assert!(event.line().contains("client.test"), "{}", event.line());
    let told = unresolved(&hosts.pair.daemon);
    assert_eq!((told.len(), &told[0]["name"]), (1, &"client.test".into()), "{told:?}");
    assert_eq!(told[0]["undecided"], "orders-api of customers-db", "{told:?}");
    let later = hosts.pair.connect();
    hosts.told(&later, "flow.open", "undecided");
    hosts.write("127.0.0.1 client.test\n");
    hosts.told(&connection, "flow.update", "declared");
    assert!(unresolved(&hosts.pair.daemon).is_empty());
    let said = hosts.pair.daemon.stderr();
    let lines = |words: &str| said.lines().filter(|line| line.contains(words)).count();
    assert_eq!(lines("client.test does not resolve"), 1, "{said}");
    assert_eq!(lines("orders-api of customers-db"), 1, "{said}");
    assert_eq!(lines("client.test resolves again"), 1, "{said}");
    hosts.pair.daemon.stop();
}
