//! Connects that another program on this host stops are reported, with their process.

use gdprport_tests::bpf::{Refusal, Refuses};
use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::event::Event;
use gdprport_tests::pair::Pair;
use gdprport_tests::puppet::Puppet;

/// A pair whose client lives in a cgroup to which something is refused.
#[track_caller]
fn refused(what: Refuses) -> (Pair, Refusal, Cgroup) {
    let cgroup = Cgroup::service();
    let mut pair = Pair::new();
    pair.client = Puppet::at(Place::default().cgroup(&cgroup));
    let refusal = Refusal::of(what, &cgroup);
    (pair, refusal, cgroup)
}

/// The one `flow.fail` of the client, which must name it fully.
#[track_caller]
fn failed(pair: &mut Pair, cgroup: &Cgroup, outcome: &str) -> Event {
    let (port, pid) = (pair.port.number(), u64::from(pair.client.pid()));
    let event = pair.daemon.log.wait("flow.fail of the client", |event| {
        event.is("flow.fail", port) && event.number("process.pid") == Some(pid)
    });
    let line = event.line();
    assert_eq!(event.text("flow.outcome"), outcome, "{line}");
    assert_eq!(event.text("flow.direction"), "out", "{line}");
    assert_eq!(event.text("flow.peer.ip"), "127.0.0.1", "{line}");
    assert_eq!(event.text("process.exe"), pair.client.exe().to_string_lossy(), "{line}");
    assert_eq!(event.text("process.unit"), cgroup.unit(), "{line}");
    assert_eq!(event.text("process.attribution"), "exact", "{line}");
    event
}

#[test]
fn a_connect_that_another_program_refuses_is_reported_as_denied() {
    let (mut pair, refusal, cgroup) = refused(Refuses::Connect4);
    let to = format!("127.0.0.1:{}", pair.port);
    assert_eq!(pair.client.ask(&format!("connect-denied {to}")), libc::EPERM.to_string());
    let event = failed(&mut pair, &cgroup, "denied");
    assert_eq!(event.number("flow.local.port"), Some(0), "no packet left from a port: {}", event.line());
    // Without the refusal the same process connects.
    drop(refusal);
    let connection = pair.connect();
    pair.close(&connection);
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    let port = pair.port.number();
    let log = pair.daemon.stop();
    assert_eq!(log.count(|event| event.is("flow.fail", port)), 1, "reported once");
}

/// Another program on this host drops the packets until the caller gives up.
#[test]
fn a_connect_whose_packets_are_dropped_is_reported_as_aborted() {
    let (mut pair, _refusal, cgroup) = refused(Refuses::Egress);
    pair.client.ask(&format!("connect-abandon 127.0.0.1:{}", pair.port));
    failed(&mut pair, &cgroup, "aborted");
    let port = pair.port.number();
    let log = pair.daemon.stop();
    assert_eq!(log.count(|event| event.is("flow.fail", port)), 1, "reported once");
    assert_eq!(log.count(|event| event.is("flow.open", port)), 0, "nothing was opened");
}
