//! The counters are conserved while the policy changes under full load, and no flow of a port that stays watched is
//! lost or reported twice.

use std::collections::HashMap;

use gdprport_tests::counters::{self, count, print, settled, sum};
use gdprport_tests::daemon::Start;
use gdprport_tests::event::Event;
use gdprport_tests::policy::{open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::wait;

const CONNECTIONS: u64 = 4_000;
/// At least so many reloads, so that every change of the policy meets active connections many times.
const RELOADS: u64 = 30;

/// A server on a port and a client that is to load it.
struct Side {
    port: Port,
    server: Puppet,
    client: Puppet,
}

impl Side {
    fn new() -> Self {
        let (port, mut server) = (Port::free(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        Self { port, server, client: Puppet::new() }
    }

    /// Begins connections that go on until the reply.
    fn load(&mut self, total: u64) {
        self.client.send(&format!("burst 127.0.0.1:{} {total} 4", self.port));
    }
}

/// The counters add up and every flow is reported once.
#[test]
fn policy_changes_under_load_lose_and_repeat_no_flow() {
    let (mut always, mut sometimes) = (Side::new(), Side::new());
    let (kept, other) = (always.port.number(), sometimes.port.number());
    let both = policy([open(kept), open(other)]);
    let one = open(kept).alone();
    // The same ports, another verdict: what is watched does not change.
    let stricter = policy([
        open(kept).key("tls = { min = \"1.3\" }"),
        open(other).allow("nobody", "in", "192.0.2.1", ""),
    ]);
    // Room for everything at once: the result must not depend on how fast this machine reads.
    let room = "limits.ring_bytes = 67108864\nevents.queue = 262144\n";
    let mut daemon = Start::with(both.clone()).config(room).start();
    // A daemon that has just started does not know who listens yet: flows that end before that have no process.
    for port in [kept, other] {
        daemon.log.wait("listener.open", |event| event.is("listener.open", port));
    }
    always.load(CONNECTIONS);
    sometimes.load(CONNECTIONS);

    let texts = [&one, &stricter, &both];
    let served = |side: &mut Side| side.server.ask("served").parse::<u64>().expect("a number");
    let mut reloads = 0;
    while reloads < RELOADS || served(&mut always) < CONNECTIONS || served(&mut sometimes) < CONNECTIONS {
        let text = texts[(reloads % 3) as usize];
        daemon.rewrite_policy(text);
        let output = daemon.ask(["daemon", "reload"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        reloads += 1;
    }
    for side in [&mut always, &mut sometimes] {
        assert_eq!(side.client.reply(), CONNECTIONS.to_string());
    }
    let status = settled(&daemon);
    print(&format!("\n{reloads} reloads during {} connections", 2 * CONNECTIONS));
    counters::check_conservation(&status);
    let lost = sum(&status, "coverage.kernel.dropped") + sum(&status, "coverage.dropped");
    assert_eq!(lost, 0, "there is room for everything: {}", status["coverage"]);
    // The port that comes and goes is watched again: its flows were reported to their end, or counted as unwatched.
    daemon.rewrite_policy(&both);
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    let mut unwatched = 0;
    for port in [kept, other] {
        wait::until("nothing is open any more", || daemon.port_status(port)["open"] == 0);
        let entry = daemon.port_status(port);
        counters::check_flow_conservation(&entry);
        unwatched += count(&entry, "unwatched");
    }
    let in_all = count(&daemon.status(), "coverage.unwatched");
    print(&format!(
        "{unwatched} flows were dropped with their port, {in_all} with those that began meanwhile"
    ));
    assert!(0 < in_all && unwatched <= in_all, "{}", status["coverage"]);
    assert_eq!(daemon.port_status(kept)["unwatched"], 0, "no flow of a port that stays is dropped");

    for kind in ["flow.open", "flow.close"] {
        for direction in ["out", "in"] {
            let what = format!("{kind} {direction} of the port that stays watched");
            let wanted = |event: &Event| event.is(kind, kept) && event.ends(direction).is_some();
            daemon.log.wait_count(&what, CONNECTIONS as usize, wanted);
        }
    }
    let log = daemon.stop();
    let mut reports: HashMap<(&str, &str), usize> = HashMap::new();
    for event in log.seen().iter().filter(|event| ["flow.open", "flow.close"].contains(&event.kind())) {
        *reports.entry((event.kind(), event.text("flow.cookie"))).or_default() += 1;
    }
    // What is open when its port comes back is reported as opened again: it was given up with the port.
    for event in log.seen().iter().filter(|event| event.is("flow.open", kept) || event.kind() == "flow.close")
    {
        let times = reports[&(event.kind(), event.text("flow.cookie"))];
        assert_eq!(times, 1, "reported {times} times: {}", event.line());
    }
    // Only of our own processes: others on this host may use the same number in network namespaces of their own.
    let pids = [always.client.pid(), always.server.pid()].map(u64::from);
    let is_ours = |event: &&Event| event.number("process.pid").is_some_and(|pid| pids.contains(&pid));
    let mut ours = 0;
    for event in log.seen().iter().filter(|event| event.is("flow.close", kept)).filter(is_ours) {
        assert!(
            reports.contains_key(&("flow.open", event.text("flow.cookie"))),
            "not opened: {}",
            event.line()
        );
        ours += 1;
    }
    for event in log.seen().iter().filter(|event| event.is("flow.open", kept)).filter(is_ours) {
        assert!(
            reports.contains_key(&("flow.close", event.text("flow.cookie"))),
            "not closed: {}",
            event.line()
        );
    }
    assert_eq!(ours, 2 * CONNECTIONS, "both ends of every connection on the port that stays watched");
    print(&format!("{ours} flows of the port that stays watched, each reported once"));
    let coverage = counters::last_coverage(&log);
    counters::check_conservation(coverage.json());
    assert_eq!(coverage.number("coverage.unwatched"), Some(in_all));
}
