//! With `existing = "reset"` a reload ends open connections that the rules deny now, and with `posture = "reset"` a connection is
//! ended that turns out not to be encrypted as its port demands. Everything else goes on.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::client::run;
use gdprport_tests::daemon::{Daemon, program};
use gdprport_tests::enforce::Scene;
use gdprport_tests::event::Event;
use gdprport_tests::need;
use gdprport_tests::netns::Netns;
use gdprport_tests::policy::{Declaration, declare};
use gdprport_tests::ports::Port;
use gdprport_tests::posture::USER_DATA;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::servers::{Redis, Server};
use gdprport_tests::temp::TempDir;
use gdprport_tests::{tls, wait};

const EXISTING: &str = "enforce = { existing = \"reset\" }";
const POSTURE: &str = "enforce = { posture = \"reset\" }";

/// A request that is no TLS.
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// A port of a scene with this key, and a rule for clients that are this program.
fn declared(scene: &Scene, key: &str, exe: Option<&Puppet>) -> String {
    let exe = exe.map(|puppet| format!("exe = \"{}\"", puppet.exe().display())).unwrap_or_default();
    scene.declared("enforce").key(key).allow("calling", "out", "loopback", &exe).alone()
}

/// A client that is this test.
fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it is allowed");
    stream.set_read_timeout(Some(wait::TIMEOUT)).expect("a socket has a timeout");
    stream
}

fn opened(daemon: &mut Daemon, stream: &TcpStream) {
    let (local, peer) = (stream.local_addr().expect("connected"), stream.peer_addr().expect("connected"));
    daemon.log.flow("flow.open", "out", local.port(), peer.port());
}

/// What its process is told: "Software caused connection abort", or that the other end was ended first.
fn is_ended(stream: &mut TcpStream) {
    let error = stream.read(&mut [0]).expect_err("it was ended").kind();
    assert!([ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset].contains(&error), "{error}");
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn reload(daemon: &Daemon, policy: &str) -> String {
    daemon.rewrite_policy(policy);
    let output = daemon.ask(["daemon", "reload"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    said
}

fn is_end_by_policy(event: &Event, port: u16) -> bool {
    event.is("flow.close", port) && event.text("flow.outcome") == "ended-by-policy"
}

#[test]
fn a_reload_ends_what_the_rules_deny_now_and_nothing_else() {
    let (scene, mut declared_one) = (Scene::new(), Puppet::new());
    let mut daemon = Daemon::with(declared(&scene, EXISTING, None));
    let mut denied = connect(scene.port());
    denied.write_all(REQUEST).expect("it is open");
    let kept = declared_one.connect(format!("127.0.0.1:{}", scene.port()));
    opened(&mut daemon, &denied);
    daemon.log.flow("flow.open", "out", kept.address.port(), scene.port());
    let said = reload(&daemon, &declared(&scene, EXISTING, Some(&declared_one)));
    assert!(said.contains("open connections that it denies: 1 ended"), "{said}");
    is_ended(&mut denied);
    declared_one.ask(&format!("send {} 10", kept.id));
    let local = denied.local_addr().expect("it had one").port();
    let close = daemon.log.flow("flow.close", "out", local, scene.port());
    assert_eq!(close.text("flow.outcome"), "ended-by-policy", "{}", close.line());
    assert_eq!(close.number("flow.bytes_sent"), Some(REQUEST.len() as u64), "{}", close.line());
    assert_eq!(close.reasons(), ["undeclared-process"], "{}", close.line());
    let other = daemon.log.flow("flow.close", "in", scene.port(), local);
    assert_eq!(other.text("flow.outcome"), "reset", "its other end is allowed: {}", other.line());
    wait::until("it is counted", || daemon.status()["enforcement"]["endings"]["ended"] == 1);
    assert_eq!(daemon.port_status(scene.port())["ended"], 1);
    assert_eq!(daemon.status()["health"]["state"], "healthy");
    let doctor = text(&daemon.ask(["doctor"]));
    assert!(doctor.contains("connections can be ended that a policy denies"), "{doctor}");
    declared_one.ask(&format!("send {} 10", kept.id));
    daemon.stop();
}

#[test]
fn without_being_asked_to_a_reload_ends_nothing() {
    let (scene, stranger) = (Scene::new(), Puppet::new());
    let mut daemon = Daemon::with(declared(&scene, "", None));
    let mut open = connect(scene.port());
    opened(&mut daemon, &open);
    let said = reload(&daemon, &declared(&scene, "", Some(&stranger)));
    assert!(said.contains("open connections that it denies: 1 left open"), "{said}");
    open.write_all(REQUEST).expect("it goes on");
    assert_eq!(daemon.status()["enforcement"]["endings"]["asked"], 0);
    daemon.stop();
}

/// It was opened before anything watched it.
#[test]
fn a_connection_on_a_port_that_was_not_watched_is_ended_too() {
    let (scene, elsewhere, stranger) = (Scene::new(), Port::free(), Puppet::new());
    let mut daemon = Daemon::with(declare("elsewhere", elsewhere.number()).alone());
    let mut open = connect(scene.port());
    reload(&daemon, &declared(&scene, EXISTING, Some(&stranger)));
    is_ended(&mut open);
    let close = daemon.log.wait("its end", |event| is_end_by_policy(event, scene.port()));
    assert_eq!(close.reasons(), ["undeclared-process"], "{}", close.line());
    daemon.stop();
}

/// What is tried can be taken back, and an end cannot.
#[test]
fn a_trial_ends_nothing_before_it_is_confirmed() {
    let (scene, stranger, dir) = (Scene::new(), Puppet::new(), TempDir::new());
    let mut daemon = Daemon::with(declared(&scene, EXISTING, None));
    let mut open = connect(scene.port());
    opened(&mut daemon, &open);
    dir.write("new.toml", &declared(&scene, EXISTING, Some(&stranger)));
    let mut command = Command::new(program());
    command.arg("--socket").arg(daemon.socket()).args(["policy", "apply"]).arg(dir.join("new.toml"));
    command.args(["--yes", "--confirm", "1h"]).stdin(Stdio::null());
    command.stdout(std::fs::File::create(dir.join("said")).expect("a file")).stderr(Stdio::null());
    let mut trial = Child::start(command, Place::default());
    let said = || std::fs::read_to_string(dir.join("said")).unwrap_or_default();
    wait::until("it is tried", || said().contains("1 to be ended when it is confirmed"));
    open.write_all(REQUEST).expect("it goes on");
    let confirmed = text(&daemon.ask(["policy", "confirm"]));
    assert!(confirmed.contains("1 ended"), "{confirmed}");
    is_ended(&mut open);
    wait::within(wait::TIMEOUT, "the trial ends", || trial.ended());
    daemon.stop();
}

fn demanding(name: &str, port: u16) -> Declaration {
    let open = declare(name, port).allow("serving", "in", "any", "").allow("calling", "out", "any", "");
    open.key("tls = { min = \"1.2\" }").key("mode = \"enforce\"").key(POSTURE)
}

/// Prints how long it took; how fast a machine is proves nothing.
#[test]
fn a_connection_in_plaintext_is_ended_and_reported() {
    let scene = Scene::new();
    let mut daemon = Daemon::with(demanding("customers-db", scene.port()).alone());
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(scene.port());
        let sent = Instant::now();
        stream.write_all(REQUEST).expect("it is open");
        is_ended(&mut stream);
        took.push(sent.elapsed());
        let local = stream.local_addr().expect("it had one").port();
        let (out, accepted) = (
            daemon.log.flow("flow.close", "out", local, scene.port()),
            daemon.log.flow("flow.close", "in", scene.port(), local),
        );
        let ends = [&out, &accepted];
        let outcomes = ends.map(|event| event.text("flow.outcome"));
        assert!(outcomes.contains(&"ended-by-policy"), "{outcomes:?}");
        assert_eq!(accepted.number("flow.bytes_received"), Some(REQUEST.len() as u64), "{}", accepted.line());
    }
    took.sort_unstable();
    println!("from the deciding byte to the end: {:?} in the middle, {:?} at most", took[5], took[9]);
    let violation = daemon.log.wait("its violation", |event| event.is("violation", scene.port()));
    assert!(!violation.reasons().is_empty(), "{}", violation.line());
    daemon.stop();
}

#[test]
fn of_real_clients_only_the_one_in_plaintext_is_ended() {
    let (bare, secure) = (need!(Redis::start()), need!(Redis::with_tls()));
    let number = |server: &Server| server.port.number();
    let ports = [("bare", number(&bare.server)), ("secure", number(&secure.server))];
    let daemon = Daemon::with(gdprport_tests::policy::policy(
        ports.map(|(name, port)| demanding(name, port).key("protocol = \"redis\"")),
    ));
    let dir = TempDir::new();
    let authority = need!(tls::identity()).write_authority(&dir);
    let authority = authority.to_string_lossy();
    run(
        secure.client("127.0.0.1", &["--tls", "--cacert", &authority, "set", "key", USER_DATA]),
        Place::default(),
    );
    let mut plain = connect(number(&bare.server));
    plain.write_all(b"*1\r\n$4\r\nPING\r\n").expect("it is open");
    let mut said = Vec::new();
    let error = plain.read_to_end(&mut said).expect_err("it was ended").kind();
    assert!([ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset].contains(&error), "{error}");
    wait::until("it is counted", || daemon.port_status(number(&bare.server))["ended"].as_u64() > Some(0));
    assert_eq!(daemon.port_status(number(&secure.server)).get("ended"), None);
    daemon.stop();
}

#[test]
fn connections_in_another_network_namespace_are_ended_too() {
    let (scene, netns, stranger) = (Scene::new(), Netns::new(), Puppet::new());
    let port = scene.port();
    let mut server = Puppet::at(Place::default().netns(&netns));
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    let mut daemon = Daemon::with(demanding("customers-db", port).alone());
    // Nobody but a thread of this test is there, whose first one is not.
    let mut inside = netns.inside(move || connect(port));
    inside.write_all(REQUEST).expect("it is open");
    is_ended(&mut inside);
    daemon.log.wait("its end", |event| is_end_by_policy(event, port));
    let mut client = Puppet::at(Place::default().netns(&netns));
    let local = client.connect(format!("127.0.0.1:{port}")).address.port();
    daemon.log.flow("flow.open", "out", local, port);
    reload(&daemon, &declared(&scene, EXISTING, Some(&stranger)));
    let close = daemon.log.flow("flow.close", "out", local, port);
    assert_eq!(close.text("flow.outcome"), "ended-by-policy", "{}", close.line());
    daemon.stop();
}
