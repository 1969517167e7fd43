//! The control socket: quick under load, undisturbed by garbage, one daemon to a socket, removed at the end.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use gdprport_tests::daemon::{Daemon, ask, program};
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

#[test]
fn status_replies_within_fifty_milliseconds_under_load() {
    let mut pair = Pair::new();
    pair.server.ask("serve");
    pair.client.send(&format!("burst 127.0.0.1:{} 15000 2", pair.port));
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            // Without the start of a program, which takes as long again and is not the daemon's.
            let start = Instant::now();
            let mut stream = UnixStream::connect(pair.daemon.socket()).expect("it listens");
            stream
                .write_all(b"GET /v1/status HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                .expect("it reads");
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).expect("it answers");
            assert!(reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    // The median: a single reply may have waited for a processor that the load holds.
    assert!(times[10] <= Duration::from_millis(50), "{times:?}");
    pair.client.reply();
    // That the load is reported without a loss is another promise (`conservation`).
    assert!(pair.daemon.terminate().success());
}

#[test]
fn open_flows_are_listed_with_their_owners() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    connection.server.event(&mut pair.daemon.log, "flow.open");
    connection.client.event(&mut pair.daemon.log, "flow.open");
    let output = pair.daemon.ask(["flows", "--json", "--port", &pair.port.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for pid in [pair.server.pid(), pair.client.pid()] {
        assert!(
            text.contains(&format!("\"pid\":{pid}")) || text.contains(&format!("\"pid\": {pid}")),
            "{text}"
        );
    }
    pair.daemon.stop();
}

/// Sends `bytes` and returns what comes back before the daemon closes.
fn send(daemon: &Daemon, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(daemon.socket()).expect("the socket is there");
    stream.set_read_timeout(Some(wait::TIMEOUT)).expect("a timeout can be set");
    // The daemon may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    response
}

#[test]
fn garbage_on_the_control_socket_is_refused_and_disturbs_nobody() {
    let mut pair = Pair::new();
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    send(&pair.daemon, &noise);
    send(&pair.daemon, &[0; 4096]);
    let long = format!("GET /v1/status HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(1 << 20));
    let refused = send(&pair.daemon, long.as_bytes());
    assert!(!refused.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&refused));
    let body =
        "POST /v1/reload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99999999999\r\n\r\n";
    let slow: Vec<UnixStream> = (0..30)
        .map(|_| {
            let mut stream = UnixStream::connect(pair.daemon.socket()).expect("there is room");
            stream.write_all(b"GET /v1/st").expect("the daemon reads");
            stream
        })
        .collect();
    let mut unfinished = UnixStream::connect(pair.daemon.socket()).expect("there is room");
    unfinished.write_all(body.as_bytes()).expect("the daemon reads");
    let missing = send(&pair.daemon, b"GET /no/such/thing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(missing.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&missing));

    assert!(pair.daemon.status()["control"]["broken"].as_u64().is_some_and(|broken| broken > 0));
    let connection = pair.connect();
    pair.close(&connection);
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    drop((slow, unfinished));
    pair.daemon.stop();
}

/// The first one goes on.
#[test]
fn a_second_daemon_on_the_same_socket_is_refused_by_name() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let mut command = Command::new(program());
    command.args(["daemon", "run", "--no-ledger", "--policy"]).arg(pair.daemon.policy());
    command.arg("--events").arg(dir.join("events")).arg("--socket").arg(pair.daemon.socket());
    let output = command.output().expect("the program can be run");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains(&pair.daemon.socket().display().to_string()), "{error}");
    assert!(error.contains(&pair.daemon.pid().to_string()), "the one that runs is named: {error}");
    let connection = pair.connect();
    connection.client.named_exactly(&mut pair.daemon.log, "flow.open");
    pair.daemon.stop();
}

/// It is removed when the daemon ends.
#[test]
fn the_socket_is_for_root_and_its_group_only() {
    let daemon = Daemon::with(open(Port::free().number()).alone());
    let socket = daemon.socket().to_owned();
    let metadata = std::fs::metadata(&socket).expect("the socket is there");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    daemon.stop();
    assert!(!socket.exists());
    let output = ask(&socket, ["daemon", "status"]);
    assert_eq!(output.status.code(), Some(3), "no daemon to ask");
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_socket_left_by_a_killed_daemon_does_not_block_the_next() {
    let dir = TempDir::new();
    let port = Port::free();
    let stale = dir.join("control.sock");
    // Bound and closed without being removed, as after a kill.
    drop(std::os::unix::net::UnixListener::bind(&stale).expect("a fresh path"));
    let mut command = Command::new(program());
    command
        .args(["daemon", "run", "--no-ledger", "--policy"])
        .arg(dir.write("policy.toml", &open(port.number()).alone()));
    command.arg("--events").arg(dir.join("events")).arg("--socket").arg(&stale);
    let mut child = gdprport_tests::child::Child::start(command, gdprport_tests::child::Place::default());
    wait::until("the next daemon replies", || {
        assert_eq!(child.ended(), None, "the next daemon ended instead");
        ask(&stale, ["daemon", "status"]).status.success()
    });
    child.signal(libc::SIGTERM);
    assert_eq!(child.wait(wait::TIMEOUT).code(), Some(0));
}

#[test]
fn sigterm_during_a_burst_still_ends_the_stream_in_order() {
    let mut pair = Pair::new();
    pair.server.ask("serve");
    pair.client.send(&format!("burst 127.0.0.1:{} 1500 2", pair.port));
    pair.daemon.log.wait_count("flow.open", 100, |event| event.is("flow.open", pair.port.number()));
    pair.daemon.stop();
    pair.client.reply();
}

#[test]
fn daemons_side_by_side_each_report_their_own_ports_only() {
    let (mut one, mut other) = (Pair::new(), Pair::new());
    for pair in [&mut one, &mut other] {
        let connection = pair.connect();
        pair.close(&connection);
        connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
        connection.server.named_exactly(&mut pair.daemon.log, "flow.close");
    }
    let (ports, puppet) = ([one.port.number(), other.port.number()], Puppet::new());
    drop(puppet);
    let logs = [one.daemon.stop(), other.daemon.stop()];
    assert_eq!(logs[0].count(|event| event.port() == Some(ports[1])), 0);
    assert_eq!(logs[1].count(|event| event.port() == Some(ports[0])), 0);
}
