//! Where events go: a pipe, a file that is rotated, a full disk, a reader that has gone; and which
//! of them a port sends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::FromRawFd as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use serde_json::Value;

use gdprport_tests::child::{Child, Place};
use gdprport_tests::counters::{self, check_sink_conservation, count};
use gdprport_tests::daemon::{Daemon, Start, ask, program};
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::need;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{declare, open};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::skip::installed;
use gdprport_tests::temp::{SmallDisk, TempDir};
use gdprport_tests::truth::check_declared;
use gdprport_tests::wait::{self, TIMEOUT};

/// A daemon that writes its events to standard output, which the test reads itself.
struct Piped {
    child: Child,
    socket: PathBuf,
}

impl Piped {
    fn start(dir: &TempDir, policy: &str) -> Self {
        let socket = dir.join("control.sock");
        let mut command = Command::new(program());
        command
            .args(["daemon", "run", "--no-ledger", "--events", "-", "--policy"])
            .arg(dir.write("policy.toml", policy));
        command.arg("--socket").arg(&socket).stdout(Stdio::piped());
        command.stderr(File::create(dir.join("stderr")).expect("a fresh file"));
        Self { child: Child::start(command, Place::default()), socket }
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        wait::until("the daemon replies", || {
            assert_eq!(self.child.ended(), None, "the daemon ended instead");
            ask(&self.socket, ["daemon", "status"]).status.success()
        });
    }

    fn status(&self) -> Value {
        let output = ask(&self.socket, ["daemon", "status", "--json"]);
        serde_json::from_slice(&output.stdout).expect("the status is JSON")
    }

    #[track_caller]
    fn stop(mut self) {
        self.child.signal(libc::SIGTERM);
        assert_eq!(self.child.wait(TIMEOUT).code(), Some(0));
    }
}

/// A server that serves on the port, and a client.
fn puppets(port: &Port) -> (Puppet, Puppet) {
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    (server, Puppet::new())
}

#[test]
fn events_on_standard_output_can_be_piped_into_jq() {
    let jq = need!(installed(&["/usr/bin/jq"], "jq"));
    let (dir, port) = (TempDir::new(), Port::free());
    let mut daemon = Piped::start(&dir, &open(port.number()).alone());
    let filtered = dir.join("filtered");
    let mut command = Command::new(jq);
    command.args(["-c", "--unbuffered", "select(.kind | startswith(\"flow.\"))"]);
    command.stdin(daemon.child.pipes().stdout.take().expect("stdout is piped"));
    command.stdout(File::create(&filtered).expect("a fresh file"));
    let mut jq = Child::start(command, Place::default());
    daemon.wait_until_ready();
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 3 1"));
    let mut log = EventLog::at(&filtered);
    log.wait_count("flow.close through jq", 6, |event| event.is("flow.close", port.number()));
    check_declared(&log.wait("flow.open", |event| event.ends("out").is_some()), "calling");
    daemon.stop();
    assert!(jq.wait(TIMEOUT).success(), "the stream was JSON to its end");
}

/// The sum over all reasons of what the first sink lost.
fn lost(status: &Value) -> u64 {
    let dropped = status["sinks"][0]["dropped"].as_object();
    dropped.map_or(0, |reasons| reasons.values().filter_map(Value::as_u64).sum())
}

#[test]
fn a_closed_standard_output_is_survived_and_its_loss_counted() {
    let (dir, port) = (TempDir::new(), Port::free());
    let mut daemon = Piped::start(&dir, &open(port.number()).alone());
    let mut reader = BufReader::new(daemon.child.pipes().stdout.take().expect("stdout is piped"));
    let mut first = String::new();
    reader.read_line(&mut first).expect("a first event");
    assert_eq!(Event::parse(first.trim_end()).seq(), 1);
    drop(reader);
    daemon.wait_until_ready();
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 50 1"));
    wait::until("the loss is counted", || lost(&daemon.status()) > 0);
    check_sink_conservation(&daemon.status()["sinks"][0]);
    daemon.stop();
}

/// The daemon writes again as soon as there is room.
#[test]
fn a_full_disk_is_counted_reported_and_recovered_from() {
    let (disk, port) = (SmallDisk::new(64 << 10), Port::free());
    let path = disk.path().join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 200 1"));
    // Each connection is opened and closed at both ends. What is still written when there is room would fill it again.
    wait::until("the burst is written or lost", || {
        let sink = &daemon.status()["sinks"][0];
        sink["received"].as_u64() >= Some(200 * 4) && sink["queued"] == 0
    });
    let status = daemon.status();
    assert!(lost(&status) > 0, "{status}");
    check_sink_conservation(&status["sinks"][0]);
    assert!(status["sinks"][0]["last_error"].is_string(), "{}", status["sinks"]);
    assert!(daemon.is_running());

    std::fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("the file is there");
    wait::until("a connection is reported again", || {
        client.ask(&format!("burst 127.0.0.1:{port} 1 1"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // A line that was cut short when the disk was full may still be completed; after that, lines are complete.
        text.lines()
            .skip(1)
            .filter(|line| line.ends_with('}'))
            .map(Event::parse)
            .any(|e| e.kind() == "flow.close")
    });
    let lost = lost(&daemon.status());
    let reported = || -> Vec<u64> {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let events = text.lines().skip(1).filter(|line| line.ends_with('}')).map(Event::parse);
        let gaps = events.filter_map(|event| event.at("coverage.gaps").as_array().cloned()).flatten();
        let gaps = gaps.filter(|gap| gap["reason"] == "sink:file:io-error" && gap["from"].is_string());
        gaps.filter_map(|gap| gap["lost"].as_u64()).collect()
    };
    wait::until("the stream reports what is missing in it, and from when to when", || {
        reported().contains(&lost)
    });
    assert!(daemon.terminate().success());
    assert_eq!(reported().last(), Some(&lost), "{:?}", reported());
}

#[test]
fn a_rotated_file_is_reopened_on_sighup_without_a_gap() {
    let (dir, port) = (TempDir::new(), Port::free());
    let path = dir.join("events.ndjson");
    let mut daemon = Start::with(open(port.number()).alone()).events_to(&path).start();
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 5 1"));
    daemon.log.wait_count("flow.close", 10, |event| event.is("flow.close", port.number()));

    std::fs::rename(&path, dir.join("events.ndjson.1")).expect("logrotate may rename");
    daemon.signal(libc::SIGHUP);
    wait::until("the file is there again", || path.exists());
    client.ask(&format!("burst 127.0.0.1:{port} 5 1"));
    let mut fresh = EventLog::at(&path);
    fresh.wait_count("flow.close", 10, |event| event.is("flow.close", port.number()));
    assert!(daemon.terminate().success());

    daemon.log.refresh();
    fresh.refresh();
    fresh.check();
    daemon.log.check();
    let (old, new) = (daemon.log.seen(), fresh.seen());
    assert_eq!(old.last().map(|event| event.seq() + 1), new.first().map(Event::seq), "no event fell between");
    assert_eq!(new.last().map(Event::kind), Some("daemon.stop"));
}

/// It is silent about what is declared.
#[test]
fn a_port_that_emits_violations_only_counts_the_declared() {
    let (quiet, loud) = (Port::free(), Port::free());
    let text = gdprport_tests::policy::policy([
        open(quiet.number()).key(r#"emit = "violations""#),
        declare("loud", loud.number()).key(r#"emit = "violations""#).allow("serving", "in", "any", ""),
    ]);
    let mut daemon = Daemon::with(text);
    for port in [&quiet, &loud] {
        let (_server, mut client) = puppets(port);
        client.ask(&format!("burst 127.0.0.1:{port} 10 1"));
    }
    daemon.log.wait_count("violation", 10, |event| event.is("violation", loud.number()));
    wait::until("all is counted", || daemon.port_status(loud.number())["closed"] == 20);
    assert_eq!(daemon.port_status(quiet.number())["closed"], 20, "what is not reported is still counted");
    let suppressed = daemon.status()["coverage"]["suppressed"].as_u64();
    assert_eq!(
        suppressed,
        Some(60),
        "two events of both ends of ten flows, and of the declared ends of ten more"
    );
    let log = daemon.stop();
    assert_eq!(
        log.count(|event| event.kind().starts_with("flow.") && event.port() == Some(quiet.number())),
        0
    );
    let declared = |event: &Event| event.port() == Some(loud.number()) && event.ends("in").is_some();
    assert_eq!(log.count(declared), 0, "the declared end is silent");
}

#[test]
fn the_counts_of_a_summary_add_up() {
    let port = Port::free();
    let text = open(port.number()).key(r#"emit = { summary = "1s" }"#).alone();
    let daemon = Daemon::with(text);
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 40 2"));
    assert_eq!(client.ask(&format!("connect-fail [::1]:{port}")), "ConnectionRefused");
    const SENT: u64 = 1_234;
    let held = client.connect(format!("127.0.0.1:{port}"));
    client.ask(&format!("send {} {SENT}", held.id));
    client.close(held);
    wait::until("all is counted", || {
        let entry = daemon.port_status(port.number());
        entry["closed"] == 82 && entry["failed"] == 1
    });
    let log = daemon.stop();
    let coverage = counters::last_coverage(&log);
    counters::check_conservation(coverage.json());
    let sum = |key: &str| -> u64 {
        let summaries = log.seen().iter().filter(|event| event.is("flow.summary", port.number()));
        summaries.filter_map(|event| event.number(&format!("summary.{key}"))).sum()
    };
    assert_eq!((sum("opened"), sum("closed"), sum("failed")), (82, 82, 1));
    assert_eq!(
        count(coverage.json(), "coverage.suppressed"),
        sum("events"),
        "each is in exactly one summary"
    );
    // What one end sent the other received.
    assert_eq!((sum("bytes_sent"), sum("bytes_received")), (SENT, SENT));
    let single = ["flow.open", "flow.close", "flow.fail", "flow.update"];
    assert_eq!(log.count(|event| single.contains(&event.kind()) && event.port() == Some(port.number())), 0);
}

#[test]
fn a_follower_sees_the_same_events_as_the_file() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let path = dir.join("followed");
    let mut command = Command::new(program());
    command.args(["events", "--follow", "--socket"]).arg(pair.daemon.socket());
    command.stdout(File::create(&path).expect("a fresh file")).stderr(Stdio::null());
    let _follower = Child::start(command, Place::default());
    // It is counted a moment before it receives events.
    wait::until("the follower receives events", || {
        assert!(pair.daemon.ask(["daemon", "reload"]).status.success());
        path.metadata().is_ok_and(|file| file.len() > 0)
    });
    let connection = pair.connect();
    pair.close(&connection);
    let mut followed = EventLog::at(&path);
    for kind in ["flow.open", "flow.close"] {
        let here = connection.client.event(&mut pair.daemon.log, kind);
        let there = connection.client.event(&mut followed, kind);
        assert_eq!(here.json(), there.json());
    }
    pair.daemon.stop();
}

/// A new pseudo-terminal: the user's side, and the side that a program writes to.
fn terminal() -> (File, File) {
    let (mut person, mut program) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: both pointers are to live integers; the others may be NULL.
    let done = unsafe { libc::openpty(&mut person, &mut program, none, none.cast(), none.cast()) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both are fresh descriptors without another owner.
    unsafe { (File::from_raw_fd(person), File::from_raw_fd(program)) }
}

#[test]
fn on_a_terminal_people_read_lines_in_colour_instead_of_json() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (mut person, screen) = terminal();
    let socket = dir.join("control.sock");
    let mut command = Command::new(program());
    let policy = declare("customers-db", port.number()).allow("serving", "in", "any", "").alone();
    command.args(["daemon", "run", "--no-ledger", "--policy"]).arg(dir.write("policy.toml", &policy));
    command.arg("--socket").arg(&socket).stdout(screen).env_remove("NO_COLOR").env("TERM", "xterm-256color");
    command.stderr(File::create(dir.join("stderr")).expect("a fresh file"));
    let child = Child::start(command, Place::default());
    let mut daemon = Piped { child, socket };
    let (seen, shown) = channel();
    std::thread::spawn(move || {
        let mut part = [0; 4096];
        // The terminal returns an error once its other side is closed.
        while let Ok(n) = person.read(&mut part) {
            if n == 0 || seen.send(String::from_utf8_lossy(&part[..n]).into_owned()).is_err() {
                break;
            }
        }
    });
    daemon.wait_until_ready();
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 1 1"));
    let mut text = String::new();
    wait::until("the violation is on the screen", || {
        text.extend(shown.try_iter());
        text.contains("undeclared-direction") && text.contains("customers-db") && text.contains("puppet")
    });
    assert!(text.contains("\u{1b}["), "in colour: {text}");
    assert!(!text.contains("\"schema\""), "no JSON: {text}");
    daemon.stop();
}
