//! Failure modes of the sinks: the events file, its directory and its disk; the journal. The daemon survives them
//! all, the other sinks receive everything, and what is lost is counted and reported.
//!
//! A full disk, a pipe whose reader has gone, and rotation by SIGHUP are promised in `sinks`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use gdprport_tests::counters::{self, check_sink_conservation};
use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::event::Event;
use gdprport_tests::journal::{self, Journal};
use gdprport_tests::log::EventLog;
use gdprport_tests::need;
use gdprport_tests::policy::{declare, open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::{SmallDisk, TempDir};
use gdprport_tests::wait;

/// A server that serves on the port, and a client that makes connections to it.
struct Traffic {
    _server: Puppet,
    client: Puppet,
    port: u16,
}

impl Traffic {
    fn on(port: &Port) -> Self {
        let (mut server, client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        Self { _server: server, client, port: port.number() }
    }

    #[track_caller]
    fn burst(&mut self, n: u64) {
        self.client.ask(&format!("burst 127.0.0.1:{} {n} 1", self.port));
    }
}

/// The status of the sink whose name begins like this.
fn sink(daemon: &Daemon, name: &str) -> Value {
    let status = daemon.status();
    let sinks = status["sinks"].as_array().cloned().unwrap_or_default();
    sinks
        .into_iter()
        .find(|sink| sink["name"].as_str().is_some_and(|n| n.starts_with(name)))
        .unwrap_or_default()
}

fn lost(sink: &Value, reason: &str) -> u64 {
    sink["dropped"][reason].as_u64().unwrap_or_default()
}

/// Makes connections until the path has a file with an event of one; returns its events.
#[track_caller]
fn reported_again(traffic: &mut Traffic, path: &Path) -> EventLog {
    let port = traffic.port;
    let mut log = EventLog::at(path);
    wait::until("connections are reported again", || {
        traffic.burst(1);
        log.refresh().iter().any(|event| event.is("flow.close", port))
    });
    log
}

/// The loss that the last `coverage` event of the stream reports for the file.
fn file_loss(log: &EventLog) -> u64 {
    let coverage = log.seen().iter().rev().find(|event| event.kind() == "coverage").expect("a last one");
    let sinks = coverage.at("coverage.sinks").as_array().cloned().unwrap_or_default();
    sinks.iter().map(|sink| lost(sink, "io-error")).sum()
}

/// It is recreated; only what was written to the deleted file is gone with it.
#[test]
fn a_deleted_events_file_loses_only_what_was_written_to_it() {
    let (dir, port) = (TempDir::new(), Port::free());
    let path = dir.join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let mut traffic = Traffic::on(&port);
    traffic.burst(1);
    daemon.log.wait_count("flow.close", 2, |event| event.is("flow.close", port.number()));
    std::fs::remove_file(&path).expect("root may");
    let mut fresh = reported_again(&mut traffic, &path);
    assert_eq!(lost(&sink(&daemon, "file:"), "io-error"), 0, "no write failed");
    assert!(daemon.terminate().success());
    // Held open by this test, the deleted file can still be read: between the two nothing is missing.
    daemon.log.refresh();
    fresh.refresh();
    let (old, new) = (daemon.log.seen(), fresh.seen());
    assert_eq!(old.last().map(|event| event.seq() + 1), new.first().map(Event::seq));
    assert_eq!(new.last().map(Event::kind), Some("daemon.stop"));
    fresh.check();
}

#[test]
fn a_moved_events_file_is_followed_by_a_new_one_without_a_gap() {
    let (dir, port) = (TempDir::new(), Port::free());
    let path = dir.join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let mut traffic = Traffic::on(&port);
    std::fs::rename(&path, dir.join("moved")).expect("root may");
    let mut fresh = reported_again(&mut traffic, &path);
    assert!(daemon.terminate().success());
    daemon.log.refresh();
    fresh.refresh();
    let (old, new) = (daemon.log.seen(), fresh.seen());
    assert_eq!(old.last().map(|event| event.seq() + 1), new.first().map(Event::seq), "no event fell between");
}

/// The loss is reported in the stream once the directory is back.
#[test]
fn events_are_counted_as_lost_while_their_directory_is_gone() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    std::fs::create_dir(&place).expect("a fresh directory");
    let path = place.join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let mut traffic = Traffic::on(&port);
    std::fs::remove_dir_all(&place).expect("root may");
    wait::until("the loss is counted", || {
        traffic.burst(5);
        lost(&sink(&daemon, "file:"), "io-error") > 0
    });
    let status = sink(&daemon, "file:");
    assert!(status["last_error"].as_str().is_some_and(|error| error.contains("does not exist")), "{status}");
    assert_ne!(daemon.status()["health"]["state"], "healthy");

    std::fs::create_dir(&place).expect("it was removed");
    let mut fresh = reported_again(&mut traffic, &path);
    let status = sink(&daemon, "file:");
    check_sink_conservation(&status);
    assert_eq!(status["last_error"], Value::Null, "what works again is no error any more");
    assert!(daemon.terminate().success());
    fresh.refresh();
    fresh.check();
    assert_eq!(
        file_loss(&fresh),
        lost(&status, "io-error"),
        "the stream itself reports what is missing in it"
    );
    assert_eq!(
        counters::reported_lost(&fresh, "sink:file:io-error"),
        lost(&status, "io-error"),
        "and from when to when"
    );
}

/// They are written again once it is writable.
#[test]
fn events_are_counted_as_lost_on_a_read_only_file_system() {
    let (disk, port) = (SmallDisk::new(16 << 20), Port::free());
    let place = disk.path().join("log");
    std::fs::create_dir(&place).expect("a fresh directory");
    let path = place.join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let mut traffic = Traffic::on(&port);
    // A file system with a file open for writing cannot be made read-only from outside, so the daemon first has to
    // lose its file, and must not find the directory again before it is read-only.
    std::fs::remove_dir_all(&place).expect("root may");
    wait::until("the file is given up", || {
        traffic.burst(5);
        lost(&sink(&daemon, "file:"), "io-error") > 0
    });
    // Nor one with a deleted file that is still being read.
    daemon.log = EventLog::at(&path);
    daemon.signal(libc::SIGSTOP);
    std::fs::create_dir(&place).expect("it was removed");
    disk.writable(false);
    daemon.signal(libc::SIGCONT);
    wait::until("the reason is reported", || {
        traffic.burst(1);
        let status = sink(&daemon, "file:");
        status["last_error"].as_str().is_some_and(|error| error.to_lowercase().contains("read-only"))
    });
    assert!(daemon.is_running());
    disk.writable(true);
    let mut fresh = reported_again(&mut traffic, &path);
    check_sink_conservation(&sink(&daemon, "file:"));
    assert!(daemon.terminate().success());
    fresh.refresh();
    fresh.check();
}

/// SIGUSR1 only reopens the file; SIGHUP reloads the policy as well.
#[test]
fn a_rotation_does_not_reload_the_policy() {
    let (dir, port) = (TempDir::new(), Port::free());
    let path = dir.join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let digest = daemon.status()["policy"]["digest"].clone();
    let other = declare("other", port.number()).allow("serving", "in", "any", "").alone();
    daemon.rewrite_policy(&other);
    std::fs::rename(&path, dir.join("events.ndjson.1")).expect("logrotate may rename");
    daemon.signal(libc::SIGUSR1);
    wait::until("the file is there again", || path.exists());
    let status = daemon.status();
    assert_eq!((&status["policy"]["digest"], &status["policy"]["last_reload"]), (&digest, &Value::Null));
    daemon.signal(libc::SIGHUP);
    let mut fresh = EventLog::at(&path);
    fresh.wait("policy.applied", |event| event.kind() == "policy.applied");
    assert_ne!(daemon.status()["policy"]["digest"], digest);
    assert!(daemon.terminate().success());
}

const JOURNALD: &str = "[events]\njournald = true\n";
/// Periodic reports come after the end of every test here: earlier ones were sent because of a loss.
const RARELY: &str = "[intervals]\ncoverage = \"1h\"\n";

/// Whether a `coverage` event in the journal reports exactly this loss for this reason.
fn reports(journal: &Journal, reason: &str, lost: u64) -> bool {
    journal.entries().iter().any(|entry| {
        let event = entry["GDPRPORT_EVENT"].as_str().unwrap_or_default();
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let gaps = event["coverage"]["gaps"].as_array().cloned().unwrap_or_default();
        gaps.iter().any(|gap| gap["reason"] == reason && gap["lost"] == lost)
    })
}

#[test]
fn journald_gets_every_event_with_the_documented_fields() {
    let journal = need!(Journal::start());
    let (good, bad) = (Port::free(), Port::free());
    let text = policy([open(good.number()), declare("bad", bad.number()).allow("serving", "in", "any", "")]);
    let mut daemon = Start::with(text).config(JOURNALD).prepare(&journal.mounts()).start();
    for port in [&good, &bad] {
        Traffic::on(port).burst(2);
        daemon.log.wait_count("flow.close", 4, |event| event.is("flow.close", port.number()));
    }
    let log = daemon.stop();
    let field = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    wait::until("journald has written all", || journal.entries().len() >= log.seen().len());
    let entries = journal.entries();
    assert_eq!(entries.len(), log.seen().len());
    for (entry, event) in entries.iter().zip(log.seen()) {
        let logged: Value = serde_json::from_str(&field(entry, "GDPRPORT_EVENT")).expect("the event is JSON");
        assert_eq!(&logged, event.json());
        let priority = match event.text("severity") {
            "high" => "3",
            "medium" => "4",
            "low" => "5",
            _ => "6",
        };
        let expected = [
            ("PRIORITY", priority),
            ("GDPRPORT_ID", event.id()),
            ("GDPRPORT_KIND", event.kind()),
            ("GDPRPORT_SEVERITY", event.text("severity")),
            ("GDPRPORT_FLOW_ID", event.text("flow.id")),
            ("GDPRPORT_PORT", event.text("port.name")),
            ("GDPRPORT_VERDICT", event.text("verdict.outcome")),
            ("GDPRPORT_EXE", event.text("process.exe")),
            ("GDPRPORT_USER", event.text("process.user")),
            ("GDPRPORT_UNIT", event.text("process.unit")),
        ];
        for (name, value) in expected {
            assert_eq!(field(entry, name), value, "{name}: {entry}");
        }
        let reasons = event.reasons();
        if let [reason] = reasons[..] {
            assert_eq!(field(entry, "GDPRPORT_REASON"), reason, "{entry}");
        }
        assert!(!field(entry, "MESSAGE").is_empty(), "{entry}");
    }
    let of_kind = |kind| entries.iter().filter(|entry| field(entry, "GDPRPORT_KIND") == kind).count();
    assert_eq!((of_kind("flow.close"), of_kind("violation")), (8, 2));
}

/// journald is found again when it is back.
#[test]
fn events_are_counted_as_lost_while_journald_is_gone() {
    let mut journal = need!(Journal::start());
    let port = Port::free();
    let config = format!("{JOURNALD}{RARELY}");
    let mut daemon =
        Start::with(open(port.number()).alone()).config(&config).prepare(&journal.mounts()).start();
    let mut traffic = Traffic::on(&port);
    daemon.log.wait("listener.open", |event| event.is("listener.open", port.number()));
    // What journald received and has not read yet would be lost with it.
    wait::until("journald has read all so far", || journal.entries().len() >= daemon.log.seen().len());
    journal.stop();
    traffic.burst(50);
    wait::until("the loss is counted", || lost(&sink(&daemon, "journald"), "io-error") >= 200);
    let status = sink(&daemon, "journald");
    check_sink_conservation(&status);
    assert!(status["last_error"].as_str().is_some_and(|error| error.contains("journald at")), "{status}");
    daemon.log.wait("the loss, reported where it can be read", |event| {
        let gaps = event.at("coverage.gaps").as_array().map(Vec::as_slice).unwrap_or_default();
        gaps.iter().any(|gap| gap["reason"] == "sink:journald:io-error" && gap["lost"].as_u64() >= Some(200))
    });

    journal.launch();
    let before = journal.entries().len();
    wait::until("connections are in the journal again", || {
        traffic.burst(1);
        journal.entries().len() > before
    });
    assert_eq!(sink(&daemon, "journald")["last_error"], Value::Null);
    let lost = lost(&sink(&daemon, "journald"), "io-error");
    wait::until("the journal reports its own loss", || reports(&journal, "sink:journald:io-error", lost));
    let mut warned = daemon.stderr();
    warned.retain(|c| c == '\n');
    assert!(warned.len() < 20, "it is logged once, not once for each event: {}", daemon.stderr());
    // `stop` also checks that the file has everything.
    let log = daemon.stop();
    let coverage = log.seen().iter().rev().find(|event| event.kind() == "coverage").expect("a last one");
    let sinks = coverage.at("coverage.sinks").as_array().cloned().unwrap_or_default();
    let journald = sinks.iter().find(|sink| sink["name"] == "journald").expect("it is listed");
    assert_eq!(journald["dropped"]["io-error"].as_u64(), Some(lost));
    assert_eq!(counters::reported_lost(&log, "sink:journald:io-error"), lost, "and from when to when");
    // Beside the sums of what it lost, which it alone has.
    let run = log.seen().last().expect("daemon.stop").text("agent.run");
    let of_all = || {
        let entries = journal.entries();
        let of_run =
            |entry: &&Value| entry["GDPRPORT_EVENT"].as_str().is_some_and(|event| event.contains(run));
        (entries.iter().filter(of_run).count() as u64, entries.len() as u64)
    };
    wait::until("journald has written the rest", || of_all().0 + lost >= log.seen().len() as u64);
    let (delivered, with_sums) = of_all();
    assert_eq!(delivered + lost, log.seen().len() as u64, "delivered and lost are all");
    assert!(with_sums > delivered, "and what was lost is summed up");
}

#[test]
fn a_stopped_journald_fills_its_own_queue_and_blocks_nobody() {
    let journal = need!(Journal::start());
    let port = Port::free();
    let config = format!("{JOURNALD}queue = 256\n{RARELY}");
    let mut daemon =
        Start::with(open(port.number()).alone()).config(&config).prepare(&journal.mounts()).start();
    let mut traffic = Traffic::on(&port);
    journal.signal(libc::SIGSTOP);
    let mut made = 0;
    wait::until("the queue is full", || {
        traffic.burst(10);
        made += 20;
        // The file has the same small queue: it must have caught up before the next few come.
        daemon.log.wait_count("flow.close", made, |event| event.is("flow.close", port.number()));
        lost(&sink(&daemon, "journald"), "queue-full") > 0
    });
    let status = sink(&daemon, "journald");
    check_sink_conservation(&status);
    daemon.log.wait("the loss, reported where it can be read", |event| {
        event.at("coverage.gaps").to_string().contains("sink:journald:queue-full")
    });
    assert!(status["queued"].as_u64().is_some_and(|queued| queued <= 256 + 16), "bounded: {status}");
    journal.signal(libc::SIGCONT);
    wait::until("what was queued is written", || sink(&daemon, "journald")["queued"] == 0);
    let lost = lost(&sink(&daemon, "journald"), "queue-full");
    // Once it reads again, it receives a report of what it lost, and from when to when.
    wait::until("the journal reports its own loss", || reports(&journal, "sink:journald:queue-full", lost));
    let log = daemon.stop();
    assert_eq!(counters::reported_lost(&log, "sink:journald:queue-full"), lost);
    counters::check_conservation(counters::last_coverage(&log).json());
}

/// In a configuration with journald as a sink.
#[test]
fn a_missing_journald_stops_the_start_in_one_sentence() {
    let (dir, sockets) = (TempDir::new(), TempDir::new());
    let policy = dir.write("policy.toml", &open(Port::free().number()).alone());
    let script = format!("{}\nexec \"$0\" \"$@\"", journal::mounts(&sockets));
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &script]).arg(program());
    command.args(["daemon", "run", "--no-ledger", "--journald", "--policy"]).arg(policy);
    command.arg("--events").arg(dir.join("events")).arg("--socket").arg(dir.join("socket"));
    let output = command.output().expect("the program can be run");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.trim().lines().count(), 1, "{error}");
    assert!(error.contains("journald") && error.contains("running"), "{error}");
}
