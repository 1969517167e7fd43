//! The picture of a host that audits are proven on: it talks as it says, seen by a daemon without a policy, and a scan knows
//! what is there.

use std::collections::BTreeMap;
use std::process::Command;

use gdprport_tests::daemon::{Start, program};
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::need;
use gdprport_tests::scene::Host;
use serde_json::Value;

/// Flows that began and ended while it was watched, by port, direction, the other end's address, and encryption: a server may not
/// have closed yet what asked whether it is ready.
fn talked(log: &EventLog) -> BTreeMap<(u16, String, String, String), u32> {
    let mut counted = BTreeMap::new();
    for event in log.seen().iter().filter(|event| event.kind() == "flow.close") {
        let text = |path: &str| event.text(path).to_owned();
        let peer = text("flow.peer.ip");
        // Another test's daemon or server may be on a port of the catalog meanwhile.
        if peer.starts_with("10.77.") && !event.at("flow.opened").is_null() {
            let key = (event.port().unwrap_or_default(), text("flow.direction"), peer, text("posture.state"));
            *counted.entry(key).or_default() += 1;
        }
    }
    counted
}

/// Listeners in the namespace of the picture's host.
fn listeners(log: &EventLog, host: &Host) -> Vec<(u16, String)> {
    let netns = host.netns.inode();
    let open =
        |event: &&Event| event.kind() == "listener.open" && event.number("process.netns") == Some(netns);
    let mut all: Vec<(u16, String)> = log
        .seen()
        .iter()
        .filter(open)
        .map(|event| (event.port().unwrap_or_default(), event.text("listener.local.ip").to_owned()))
        .collect();
    all.sort();
    all
}

#[test]
fn the_picture_of_a_host_talks_as_it_says() {
    let mut host = need!(Host::out_of_order());
    let daemon = Start::without_policy().start();
    host.call_as_declared();
    host.call_otherwise();
    let log = daemon.stop();
    let [first, second, third] = Host::APPS;
    let (tls, plain) = ("starttls-upgraded", "plaintext");
    let mut expected: BTreeMap<(u16, String, String, String), u32> = BTreeMap::new();
    for (port, from, state, times) in [
        (Host::CUSTOMERS, first, tls, 3),
        (Host::CUSTOMERS, second, tls, 2),
        (Host::CUSTOMERS, third, tls, 1),
        (Host::CUSTOMERS, second, plain, 1),
        (Host::SESSIONS, first, plain, 1),
        (Host::CACHE, first, plain, 1),
    ] {
        for (direction, peer) in [("in", from), ("out", Host::ADDRESS)] {
            *expected.entry((port, direction.into(), peer.into(), state.into())).or_default() += times;
        }
    }
    assert_eq!(talked(&log), expected);
    let every = |port: u16| [(port, "0.0.0.0".to_owned()), (port, "::".to_owned())];
    let own = |port: u16| (port, Host::ADDRESS.to_owned());
    let mut bound = [every(Host::CUSTOMERS), every(Host::CACHE)].concat();
    bound.push(own(Host::SESSIONS));
    assert_eq!(listeners(&log, &host), bound);

    need!(host.put_in_order());
    let daemon = Start::without_policy().start();
    host.call_in_order();
    let log = daemon.stop();
    assert_eq!(listeners(&log, &host), [own(Host::CUSTOMERS), own(Host::CACHE), own(Host::SESSIONS)]);
    let cache = (Host::CACHE, "in".to_owned(), first.to_owned(), plain.to_owned());
    assert_eq!(talked(&log).get(&cache), Some(&1));
}

/// What a scan says of a listener: port, addresses, service, how it was known, and who is connected.
fn scanned(host: &Host) -> Vec<String> {
    let output = Command::new(program()).args(["scan", "--json"]).output().expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let inventory: Value = serde_json::from_slice(&output.stdout).expect("a scan is JSON");
    let netns = [host.netns.inode(), host.edge.inode()];
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut all: Vec<String> = inventory["listeners"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|listener| listener["netns"].as_u64().is_some_and(|inode| netns.contains(&inode)))
        .map(|listener| {
            let (addresses, by) = (texts(&listener["addresses"]), texts(&listener["service"]["by"]));
            let id = listener["service"]["id"].as_str().unwrap_or("-");
            format!("{} {} {id} {}", listener["port"], addresses.join(","), by.join(","))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_scan_of_the_picture_knows_every_service() {
    let mut host = need!(Host::out_of_order());
    let web = "80 0.0.0.0 - ";
    assert_eq!(
        scanned(&host),
        [
            "5432 0.0.0.0,:: postgresql executable,port",
            "5433 0.0.0.0,:: postgresql executable",
            "6379 0.0.0.0,:: redis executable,port",
            "6380 10.77.0.1 redis executable,port",
            web,
            "8090 0.0.0.0 - ",
        ]
    );
    need!(host.put_in_order());
    assert_eq!(
        scanned(&host),
        [
            "5432 10.77.0.1 postgresql executable,port",
            "5433 10.77.0.1 postgresql executable",
            "6379 10.77.0.1 redis executable,port",
            "6380 10.77.0.1 redis executable,port",
            web,
            "8090 0.0.0.0 - ",
        ]
    );
}
