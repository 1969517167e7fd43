//! A storm that the ring buffer cannot take: each connection is described or counted once, in the events, the status and the
//! ledger, and a stranger in it is a violation.

use gdprport_tests::child::Place;
use gdprport_tests::counters::{self, count};
use gdprport_tests::daemon::Start;
use gdprport_tests::event::Event;
use gdprport_tests::ledger;
use gdprport_tests::log::EventLog;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::serial::alone;
use gdprport_tests::wait;

/// Connections of the pool: ten times what the smallest ring buffer has room for.
const POOL: u64 = 3_000;
/// Connections of the stranger, when there is no room any more.
const STRANGE: u64 = 5;

/// Single events of a kind, and those that summaries count.
fn all(log: &EventLog, kind: &str, counted: &str) -> u64 {
    let single = log.count(|event| event.kind() == kind) as u64;
    let summaries = log.seen().iter().filter(|event| event.kind() == "flow.summary");
    single + summaries.filter_map(|event| event.number(&format!("summary.{counted}"))).sum::<u64>()
}

mod host_only {
    //! Run on the host alone: a storm in an emulator is none.

    use super::*;

    #[test]
    fn a_storm_adds_up_and_hides_no_stranger() {
        let _alone = alone();
        let port = Port::free();
        let policy = declare("pool", port.number())
            .allow("serving", "in", "any", "")
            .allow("calling", "out", "any", "exe = \"/**/puppet\"")
            .emit_by_default();
        let mut daemon = Start::with(policy.alone()).config("limits.ring_bytes = 65536\n").start();
        let (mut server, mut pool) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        let program = ProgramCopy::new("puppet", "stranger");
        let mut stranger = Puppet::run(&program.path(), Place::default());
        daemon.signal(libc::SIGSTOP);
        assert_eq!(pool.ask(&format!("burst 127.0.0.1:{port} {POOL} 4")), POOL.to_string());
        assert_eq!(stranger.ask(&format!("burst 127.0.0.1:{port} {STRANGE} 1")), STRANGE.to_string());
        let made = POOL + STRANGE;
        wait::until("all are served", || server.ask("served") == made.to_string());
        daemon.signal(libc::SIGCONT);

        let exe = stranger.exe().to_string_lossy().into_owned();
        let violation = daemon
            .log
            .wait("the stranger", |event| event.kind() == "violation" && event.text("process.exe") == exe);
        assert_eq!(violation.reasons(), ["undeclared-process"]);
        assert_eq!((violation.text("severity"), violation.text("overload.why")), ("high", "kernel-overload"));
        assert_eq!(violation.number("overload.connections"), Some(STRANGE), "{}", violation.line());
        let of = |entry: &serde_json::Value, key: &str| {
            count(entry, key) + entry["summed"][key].as_u64().unwrap_or_default()
        };
        wait::until("both ends of each are described or counted", || {
            let entry = daemon.port_status(port.number());
            [of(&entry, "opened"), of(&entry, "closed"), count(&entry, "open")] == [2 * made, 2 * made, 0]
        });
        let status = daemon.status();
        assert!(status["health"]["reasons"].to_string().contains("counted and not described"), "{status}");
        let stored = |what: &str| ledger::count(daemon.ledger(), &format!("SELECT sum({what}) FROM edge"));
        wait::until("the ledger says the same", || {
            [stored("opened"), stored("closed")] == [2 * made, 2 * made]
        });
        let log = daemon.stop();

        assert_eq!(all(&log, "flow.open", "opened"), 2 * made);
        assert_eq!(all(&log, "flow.close", "closed"), 2 * made);
        assert_eq!(all(&log, "violation", "violations"), STRANGE);
        let grouped = |event: &Event| event.at("coverage.gaps").to_string().contains("kernel-overload");
        assert!(log.count(|event| event.kind() == "coverage" && grouped(event)) > 0, "it is said when");
        let coverage = counters::last_coverage(&log);
        counters::check_conservation(coverage.json());
    }
}
