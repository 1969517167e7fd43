//! Nothing is lost silently: what happened was reported, or counted as lost.
//!
//! The tests here compare counters of the whole host, so they run one after another.

use std::collections::HashSet;

use gdprport_tests::counters::{self, count, settled, sum};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{Declaration, open};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::serial::alone;
use gdprport_tests::wait;
use serde_json::Value;

/// A daemon, a serving puppet and a client on one watched port.
struct LoadedPort {
    daemon: Daemon,
    server: Puppet,
    client: Puppet,
    port: Port,
    made: u64,
}

impl LoadedPort {
    #[track_caller]
    fn new() -> Self {
        Self::with("")
    }

    /// With a configuration of the daemon.
    #[track_caller]
    fn with(config: &str) -> Self {
        Self::declared(open, config)
    }

    /// Also with a declaration of the port.
    #[track_caller]
    fn declared(declare: impl FnOnce(u16) -> Declaration, config: &str) -> Self {
        let port = Port::free();
        let daemon = Start::with(declare(port.number()).alone()).config(config).start();
        let (mut server, client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        Self { daemon, server, client, port, made: 0 }
    }

    /// Makes connections and waits until both ends of each are closed.
    #[track_caller]
    fn burst(&mut self, total: u64, ways: u64) {
        let to = format!("burst 127.0.0.1:{} {total} {ways}", self.port);
        assert_eq!(self.client.ask(&to), total.to_string());
        self.made += total;
        let made = self.made.to_string();
        wait::until("all are served", || self.server.ask("served") == made);
    }
}

/// What finds no room is counted with its connection; every loss is also reported, in exactly one gap.
#[test]
fn losses_while_the_reader_is_stopped_are_counted_exactly() {
    let _alone = alone();
    // A small ring buffer, so that a short burst fills it.
    let mut load = LoadedPort::with("limits.ring_bytes = 262144\n");
    // The first connection also brings what is sent once: the executables of both ends.
    load.burst(1, 1);
    // The occasions for records of one connection, while nothing is lost.
    let before = settled(&load.daemon);
    load.burst(200, 4);
    let after = settled(&load.daemon);
    let seen =
        |from: &Value, to: &Value| count(to, "coverage.kernel.seen") - count(from, "coverage.kernel.seen");
    let occasions = seen(&before, &after);
    assert_eq!(sum(&after, "coverage.kernel.dropped") + count(&after, "coverage.kernel.grouped"), 0);
    assert_eq!(occasions % 200, 0, "every connection yields the same records");

    load.daemon.signal(libc::SIGSTOP);
    load.burst(5000, 8);
    load.daemon.signal(libc::SIGCONT);
    let now = settled(&load.daemon);
    counters::check_conservation(&now);
    let dropped = sum(&now, "coverage.kernel.dropped");
    assert!(
        count(&now, "coverage.kernel.grouped") > 0,
        "a small ring buffer cannot hold the records of 5000 connections"
    );
    assert_eq!(
        seen(&after, &now),
        occasions / 200 * 5000,
        "every occasion is emitted, filtered, counted or lost"
    );

    // After the loss the stream is complete again, and nothing that has ended stays open in the counters.
    load.burst(100, 1);
    let port = load.port.number();
    wait::until("no flow stays open whose end was lost", || load.daemon.port_status(port)["open"] == 0);
    assert_eq!(sum(&settled(&load.daemon), "coverage.kernel.dropped"), dropped);
    let log = load.daemon.stop();
    let last = counters::last_coverage(&log);
    assert_eq!(
        sum(last.json(), "coverage.kernel.dropped"),
        dropped,
        "the last coverage event has the whole loss"
    );
    assert_eq!(counters::reported_lost(&log, "ring-full:"), dropped, "every loss lies in exactly one gap");
}

/// Every flow that ends is reported with its posture, or is a finding.
#[test]
fn a_loss_hides_no_flow_on_a_port_that_demands_tls() {
    let _alone = alone();
    let demanding = |port| open(port).key("tls = { min = \"1.2\" }");
    let mut load = LoadedPort::declared(demanding, "limits.ring_bytes = 262144\n");
    load.daemon.signal(libc::SIGSTOP);
    load.burst(3000, 8);
    load.daemon.signal(libc::SIGCONT);
    assert!(
        count(&settled(&load.daemon), "coverage.kernel.grouped") > 0,
        "a small ring buffer cannot hold that"
    );
    let port = load.port.number();
    wait::until("no flow stays open whose end was lost", || load.daemon.port_status(port)["open"] == 0);
    let log = load.daemon.stop();
    let findings: HashSet<&str> = log
        .seen()
        .iter()
        .filter(|event| event.is("finding", port))
        .map(|event| event.text("flow.cookie"))
        .collect();
    let mut closed = 0;
    for event in log.seen().iter().filter(|event| event.is("flow.close", port)) {
        let state = event.at("posture.state").as_str();
        let known = state.is_some_and(|state| state != "unknown");
        assert!(known || findings.contains(event.text("flow.cookie")), "passed over: {}", event.line());
        closed += 1;
    }
    assert!(closed > 0, "some flows were reported");
}

#[test]
fn a_long_lived_flow_reports_its_progress() {
    let mut pair = Pair::with("intervals.flow_update = \"1s\"\n");
    let connection = pair.connect();
    for total in [1000, 3000] {
        pair.client.ask(&format!("send {} {}", connection.there.id, if total == 1000 { 1000 } else { 2000 }));
        for (end, key) in
            [(&connection.client, "flow.bytes_sent"), (&connection.server, "flow.bytes_received")]
        {
            let event = pair.daemon.log.wait("flow.update with all bytes", |event| {
                event.kind() == "flow.update"
                    && event.ends(end.direction) == Some((end.local, end.peer))
                    && event.number(key) == Some(total)
            });
            end.check_owner(&event);
        }
    }
    pair.daemon.stop();
}

mod host_only {
    //! Run on the host alone: too slow for an emulator, or the same on every kernel.

    use super::*;

    /// Opened = closed = made on both ends, nothing lost, by the events and by the status.
    #[track_caller]
    fn nothing_lost(ways: u64) {
        const TOTAL: u64 = 10_000;
        let _alone = alone();
        let mut load = LoadedPort::new();
        load.burst(TOTAL, ways);
        let port = load.port.number();
        // What a busy machine cannot describe is counted: each is in one of the two.
        let of =
            |entry: &Value, key: &str| count(entry, key) + entry["summed"][key].as_u64().unwrap_or_default();
        wait::until("both ends of each have opened and closed", || {
            let entry = load.daemon.port_status(port);
            [of(&entry, "opened"), of(&entry, "closed")] == [2 * TOTAL, 2 * TOTAL]
        });
        let status = settled(&load.daemon);
        counters::check_conservation(&status);
        assert_eq!(sum(&status, "coverage.kernel.dropped"), 0, "{}", status["coverage"]);
        assert_eq!(sum(&status, "coverage.dropped"), 0, "{}", status["coverage"]);
        let entry = load.daemon.port_status(port);
        counters::check_flow_conservation(&entry);
        for (key, expected) in [("opened", 2 * TOTAL), ("closed", 2 * TOTAL), ("failed", 0)] {
            assert_eq!(of(&entry, key), expected, "{key}: {entry}");
        }
        assert_eq!(entry["open"], 0, "{entry}");
        let log = load.daemon.stop();
        for (kind, counted) in [("flow.open", "summary.opened"), ("flow.close", "summary.closed")] {
            let sums = log.seen().iter().filter_map(|event| event.number(counted)).sum::<u64>();
            let single = log.count(|event| event.is(kind, port)) as u64;
            assert_eq!(single + sums, 2 * TOTAL, "{kind}: none came twice");
        }
        // What the counters call delivered is what a reader finds.
        for (lines, event) in (0_u64..).zip(log.seen()).filter(|(_, event)| event.kind() == "coverage") {
            counters::check_conservation(event.json());
            assert_eq!(event.number("coverage.delivered"), Some(lines), "{}", event.line());
            let sink = &event.at("coverage.sinks")[0];
            assert_eq!(count(sink, "delivered") + count(sink, "queued"), lines, "{}", event.line());
        }
        assert_eq!(counters::reported_lost(&log, ""), 0);
    }

    /// One at a time.
    #[test]
    fn ten_thousand_sequential_connections_all_open_and_close() {
        nothing_lost(1);
    }

    /// Eight at a time.
    #[test]
    fn ten_thousand_parallel_connections_all_open_and_close() {
        nothing_lost(8);
    }

    #[test]
    fn a_full_flow_table_forgets_flows_and_counts_them() {
        const FLOWS: u64 = 64;
        let _alone = alone();
        let mut load = LoadedPort::with(&format!("limits.flows = {FLOWS}\n"));
        for _ in 0..100 {
            load.client.connect(format!("127.0.0.1:{}", load.port));
        }
        let status = settled(&load.daemon);
        assert!(count(&status, "coverage.flows_open") <= FLOWS, "{}", status["coverage"]);
        let open = count(&status, "coverage.flows_open") + count(&status, "coverage.evicted");
        assert_eq!(open, 200, "what is not open was counted as evicted: {}", status["coverage"]);
        let (port, evicted) = (load.port.number(), count(&status, "coverage.evicted"));
        wait::until("every flow has settled", || count(&load.daemon.port_status(port), "opened") == 200);
        counters::check_flow_conservation(&load.daemon.port_status(port));
        load.daemon.log.wait("the flows that were forgotten, reported", |event| {
            event.kind() == "coverage" && event.number("coverage.evicted") == Some(evicted)
        });
        let status = load.daemon.status();
        assert!(status["coverage"]["last_loss"].is_string(), "{}", status["coverage"]);
        assert_ne!(status["health"]["state"], "healthy", "{}", status["health"]);
        let log = load.daemon.stop();
        assert_eq!(
            counters::reported_lost(&log, "flow-table-full"),
            evicted,
            "every one lies in exactly one gap"
        );
        assert_eq!(count(counters::last_coverage(&log).json(), "coverage.evicted"), evicted);
    }
}
