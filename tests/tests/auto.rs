//! What a port sends where the policy says nothing about it: a busy pool and a scan as sums that are exact, a stranger at once.

use gdprport_tests::child::Place;
use gdprport_tests::counters::{self, count};
use gdprport_tests::daemon::Start;
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::policy::{Declaration, declare};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::wait;

/// Connections of the pool that carry nothing.
const EMPTY: u64 = 570;
/// And those that carry bytes: the first one byte, the second two, ….
const CARRYING: u64 = 30;
/// All that the pool sends.
const BYTES: u64 = CARRYING * (CARRYING + 1) / 2;
/// Attempts of the scanner, where nobody listens.
const SCANS: u64 = 100;

/// Only programs called `puppet` may call.
fn declared(port: &Port) -> Declaration {
    declare("pool", port.number()).allow("serving", "in", "any", "").allow(
        "calling",
        "out",
        "any",
        "exe = \"/**/puppet\"",
    )
}

/// A pool makes its connections, a stranger makes one amid them, and a scanner all its own. What was sent of it.
fn traffic(
    port: &Port,
    declaration: Declaration,
    meanwhile: impl FnOnce(&mut EventLog, &Puppet),
) -> EventLog {
    let mut daemon = Start::with(declaration.alone()).start();
    let (mut server, mut pool) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    assert_eq!(pool.ask(&format!("burst 127.0.0.1:{port} {EMPTY} 4")), EMPTY.to_string());
    let stranger = ProgramCopy::new("puppet", "stranger");
    let mut stranger = Puppet::run(&stranger.path(), Place::default());
    let held = stranger.connect(format!("127.0.0.1:{port}"));
    meanwhile(&mut daemon.log, &stranger);
    stranger.close(held);
    for bytes in 1..=CARRYING {
        let held = pool.connect(format!("127.0.0.1:{port}"));
        pool.ask(&format!("send {} {bytes}", held.id));
        pool.close(held);
    }
    let scanner = ProgramCopy::new("puppet", "scanner");
    let mut scanner = Puppet::run(&scanner.path(), Place::default());
    for _ in 0..SCANS {
        assert_eq!(scanner.ask(&format!("connect-fail [::1]:{port}")), "ConnectionRefused");
    }
    wait::until("all is counted", || {
        let entry = daemon.port_status(port.number());
        entry["closed"] == 2 * (EMPTY + CARRYING + 1) && entry["failed"] == SCANS
    });
    let log = daemon.stop();
    counters::check_conservation(counters::last_coverage(&log).json());
    log
}

fn bytes(log: &EventLog) -> usize {
    log.seen().iter().map(|event| event.line().len()).sum()
}

/// Single events of a kind, and those that summaries count.
fn all(log: &EventLog, kind: &str, counted: &str) -> u64 {
    let single = log.count(|event| event.kind() == kind) as u64;
    let summaries = log.seen().iter().filter(|event| event.kind() == "flow.summary");
    single + summaries.filter_map(|event| event.number(&format!("summary.{counted}"))).sum::<u64>()
}

fn bytes_of(log: &EventLog, direction: &str, field: &str) -> u64 {
    let sum = |events: &mut dyn Iterator<Item = &Event>, path: &str| -> u64 {
        events.filter_map(|event| event.number(path)).sum()
    };
    let of = |kind: &'static str, path: &'static str| {
        log.seen().iter().filter(move |event| event.kind() == kind && event.text(path) == direction)
    };
    sum(&mut of("flow.close", "flow.direction"), &format!("flow.{field}"))
        + sum(&mut of("flow.summary", "summary.group.direction"), &format!("summary.{field}"))
}

/// Exact to the connection and byte, in a tenth of the room that every event takes.
#[test]
fn a_pool_and_a_scan_are_sums_and_a_stranger_is_at_once() {
    let port = Port::free();
    let every = bytes(&traffic(&port, declared(&port), |_, _| {}));
    let log = traffic(&port, declared(&port).emit_by_default(), |log, stranger| {
        let exe = stranger.exe().to_string_lossy().into_owned();
        let by_stranger = |event: &Event| event.text("process.exe") == exe;
        // Long before the next summary.
        let violation = log.wait("the stranger", |event| event.kind() == "violation" && by_stranger(event));
        assert_eq!(violation.reasons(), ["undeclared-process"]);
        assert_eq!(violation.text("severity"), "high");
        let open = log.wait("its flow", |event| event.kind() == "flow.open" && by_stranger(event));
        assert_eq!(open.seq() + 1, violation.seq(), "one directly after the other");
    });

    let connections = EMPTY + CARRYING + 1;
    assert_eq!(all(&log, "flow.open", "opened"), 2 * connections);
    assert_eq!(all(&log, "flow.close", "closed"), 2 * connections);
    assert_eq!(all(&log, "flow.fail", "failed"), SCANS);
    assert_eq!(all(&log, "violation", "violations"), SCANS + 1);
    assert_eq!((bytes_of(&log, "out", "bytes_sent"), bytes_of(&log, "in", "bytes_received")), (BYTES, BYTES));
    let coverage = counters::last_coverage(&log);
    let suppressed = count(coverage.json(), "coverage.suppressed");
    let summaries = log.seen().iter().filter(|event| event.kind() == "flow.summary");
    let counted: u64 = summaries.filter_map(|event| event.number("summary.events")).sum();
    assert_eq!(suppressed, counted, "each is in exactly one summary");

    let scans =
        |event: &Event| event.text("verdict.outcome") == "violation" && event.kind() == "flow.summary";
    let scan = log.seen().iter().find(|event| scans(event)).expect("a summary of the scan");
    assert_eq!((scan.text("severity"), scan.reasons()), ("high", vec!["undeclared-process"]));
    assert!(scan.text("summary.group.exe").ends_with("/scanner"), "{}", scan.line());
    assert_eq!(scan.text("summary.auto.because"), "busy");

    let auto = bytes(&log);
    counters::print(&format!("{every} bytes with every event, {auto} by default"));
    assert!(auto * 10 <= every, "{auto} of {every} bytes");
}
