//! The spool of a real daemon: killed, full, and full of what is kept longest.

use std::path::Path;

use serde_json::Value;

use gdprport_tests::counters::{self, check_sink_conservation};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::log::EventLog;
use gdprport_tests::policy::{declare, open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::spool::{self, Record};
use gdprport_tests::temp::{SmallDisk, TempDir};
use gdprport_tests::wait;

/// A configuration with a receiver, which is why there is a spool.
fn config(dir: &Path, more: &str) -> String {
    format!(
        "[spool]\npath = \"{}\"\n{more}\n[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"unix:/dev/null\"\n",
        dir.display()
    )
}

/// A server on the port, and a client.
fn puppets(port: &Port) -> (Puppet, Puppet) {
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    (server, Puppet::new())
}

fn spool_status(daemon: &Daemon) -> Value {
    let status = daemon.status();
    let sinks = status["sinks"].as_array().cloned().unwrap_or_default();
    sinks
        .into_iter()
        .find(|sink| sink["name"].as_str().is_some_and(|n| n.starts_with("spool:")))
        .expect("one")
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("an events file");
    // What a kill has torn is no line.
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

/// Whether both hold the same, apart from what only one had written when the daemon was killed.
#[track_caller]
fn check_same(file: &[String], spool: &[String]) {
    let same = file.iter().zip(spool).take_while(|(file, spool)| file == spool).count();
    assert_eq!(same, file.len().min(spool.len()), "one is the beginning of the other");
}

#[test]
fn a_killed_daemon_goes_on_where_its_spool_ended() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (place, path) = (dir.join("spool"), dir.join("events.ndjson"));
    let policy = open(port.number()).key("emit = \"every\"").alone();
    let start = || Start::with(policy.as_str()).events_to(&path).config(&config(&place, "")).start();
    let mut daemon = start();
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 300 1"));
    daemon.kill();
    drop(daemon);
    let killed = spool::read(&place);
    let of_killed: Vec<String> = killed.iter().map(|record| record.line.clone()).collect();
    check_same(&lines(&path), &of_killed);
    assert!(of_killed.iter().any(|line| line.contains("\"kind\":\"daemon.start\"")));

    std::fs::rename(&path, dir.join("before")).expect("root may");
    let mut daemon = start();
    client.ask(&format!("burst 127.0.0.1:{port} 50 1"));
    daemon.log.wait_count("flow.close", 100, |event| event.is("flow.close", port.number()));
    let status = spool_status(&daemon);
    check_sink_conservation(&status);
    assert!(
        status["spool"]["records"].as_u64().is_some_and(|records| records > killed.len() as u64),
        "{status}"
    );
    assert!(daemon.terminate().success());
    let all = spool::read(&place);
    assert!(all.iter().zip(1..).all(|(record, index)| record.index == index), "no index is missing");
    assert_eq!(all[..killed.len()], killed);
    let rest: Vec<String> = all[killed.len()..].iter().map(|record| record.line.clone()).collect();
    assert_eq!(rest, lines(&path), "byte for byte");
}

/// The loss stands in the spool itself, once there is room again.
#[test]
fn a_full_disk_loses_counted_events_and_nothing_else() {
    let (disk, dir, port) = (SmallDisk::new(3 << 20), TempDir::new(), Port::free());
    let place = disk.path().join("spool");
    let policy = open(port.number()).key("emit = \"every\"").alone();
    let mut daemon = Start::with(policy).config(&config(&place, "max_size = \"64MiB\"")).start();
    let (_server, mut client) = puppets(&port);
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).expect("there is room");
    wait::until("events are lost", || {
        client.ask(&format!("burst 127.0.0.1:{port} 100 1"));
        spool_status(&daemon)["dropped"]["io-error"].as_u64().is_some()
    });
    let status = spool_status(&daemon);
    let why = status["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("No space left") && why.contains("`spool.path`"), "{status}");
    assert!(daemon.is_running());
    std::fs::remove_file(&filler).expect("root may");
    wait::until("events are stored again", || {
        client.ask(&format!("burst 127.0.0.1:{port} 1 1"));
        spool_status(&daemon)["last_error"].is_null()
    });
    let (spooled, file) = (dir.join("spooled"), daemon.log.refresh().len());
    wait::until("the loss is in the spool", || {
        let text: String = spool::read(&place).iter().map(|record| record.line.clone() + "\n").collect();
        std::fs::write(&spooled, text).expect("a file");
        let mut log = EventLog::at(&spooled);
        log.refresh();
        let dropped = spool_status(&daemon)["dropped"]["io-error"].as_u64();
        Some(counters::reported_lost(&log, "sink:spool:io-error")) == dropped
    });
    check_sink_conservation(&spool_status(&daemon));
    let records = spool::read(&place);
    assert!(
        records.iter().zip(1..).all(|(record, index)| record.index == index),
        "what was lost has no index"
    );
    assert!(records.len() < file + 100);
    daemon.stop();
}

#[test]
fn a_violation_outlasts_the_events_that_came_after_it() {
    let (dir, port, closed) = (TempDir::new(), Port::free(), Port::free());
    let place = dir.join("spool");
    let policy = policy([
        open(port.number()).key("emit = \"every\""),
        declare("closed", closed.number()).allow("serving", "in", "192.0.2.1", ""),
    ]);
    let daemon = Start::with(policy).config(&config(&place, "max_size = \"4MiB\"\nsync = \"never\"")).start();
    let (_server, mut client) = puppets(&port);
    let (_closed, mut stranger) = puppets(&closed);
    stranger.ask(&format!("burst 127.0.0.1:{closed} 1 1"));
    wait::until("ordinary events are removed", || {
        client.ask(&format!("burst 127.0.0.1:{port} 300 1"));
        spool_status(&daemon)["spool"]["removed"].as_u64().is_some_and(|removed| removed > 1_000)
    });
    let status = spool_status(&daemon);
    assert!(status["spool"]["bytes"].as_u64().is_some_and(|bytes| bytes <= 4 << 20), "{status}");
    assert_eq!(status["spool"]["removed_kept"], 0);
    daemon.stop();
    let records = spool::read(&place);
    let violates = |record: &&Record| record.line.contains("\"kind\":\"violation\"");
    assert!(records.iter().any(|record| violates(&record)), "it is still there");
    assert!(records.iter().filter(violates).all(|record| record.kept));
    let last = records.last().expect("the last event");
    assert!(
        last.line.contains("\"kind\":\"daemon.stop\"")
            && records.len() < usize::try_from(last.index).expect("few")
    );
}
