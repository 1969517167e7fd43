//! A look at the host without a daemon shows what listens, who is connected, and what could not be looked at.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::{Daemon, program};
use gdprport_tests::need;
use gdprport_tests::netns::Netns;
use gdprport_tests::policy::open;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::servers::{Postgres, Python, Redis, Site};
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;
use gdprport_tests::wait;
use serde_json::Value;

/// Runs `gdprport scan` with these words, without a policy unless they name one.
fn scan(words: &[&str]) -> Output {
    Command::new(program()).arg("scan").args(words).output().expect("the program can be run")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn json(words: &[&str]) -> Value {
    let output = scan(&[&["--json"], words].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

#[track_caller]
fn on(found: &Value, port: u16) -> &Value {
    let listeners = found["listeners"].as_array().expect("a list");
    let there = listeners.iter().find(|listener| listener["port"] == port);
    there.unwrap_or_else(|| panic!("nothing on {port}: {listeners:#?}"))
}

#[test]
fn postgresql_on_any_port_is_known_by_its_executable() {
    let postgres = need!(Postgres::start());
    let port = postgres.server.port.number();
    let found = json(&[]);
    let listener = on(&found, port);
    assert_eq!(listener["service"]["id"], "postgresql", "{listener}");
    assert_eq!(listener["service"]["by"], serde_json::json!(["executable"]), "{listener}");
    assert_eq!(listener["exposure"], "loopback", "{listener}");
    assert_eq!(listener["holder"]["user"], "postgres", "{listener}");
    assert_eq!(listener["holder"]["exe"].as_str(), postgres.server.exe.to_str(), "{listener}");
    assert!(listener["holder"]["unit"].is_string(), "{listener}");
    assert_eq!(listener["addresses"].as_array().map(Vec::len), Some(2), "{listener}");
}

/// Another executable on the port of Redis is known by the port; its name is its owner's word.
#[test]
fn redis_in_another_namespace_is_found_with_its_client() {
    let netns = Netns::new();
    let redis = need!(Redis::at(Site::inside(&netns, 6379, &["0.0.0.0"])));
    let _client = netns.inside(|| TcpStream::connect((Ipv4Addr::LOCALHOST, 6379)).expect("connects"));
    let mut found = json(&[]);
    found["listeners"].as_array_mut().expect("a list").retain(|one| one["netns"] == netns.inode());
    let listener = on(&found, 6379);
    assert_eq!((&listener["own_netns"], &listener["exposure"]), (&false.into(), &"every".into()));
    assert_eq!(listener["service"]["id"], "redis", "{listener}");
    assert_eq!(listener["holder"]["exe"].as_str(), redis.server.exe.to_str(), "{listener}");
    let me = std::env::current_exe().expect("readable");
    assert_eq!(listener["peers"][0]["process"]["exe"].as_str(), me.to_str(), "{listener}");
    let table = text(&scan(&["--color", "never"]));
    assert!(table.contains("Redis, Valkey") && table.contains("0.0.0.0:6379"), "{table}");
}

#[test]
fn an_interpreter_is_another_listener_and_no_service() {
    let python = need!(Python::start());
    let port = python.server.port.number();
    let found = json(&[]);
    let listener = on(&found, port);
    assert_eq!(
        (&listener["service"]["id"], &listener["service"]["by"]),
        (&Value::Null, &serde_json::json!([]))
    );
    let table = text(&scan(&["--color", "never"]));
    let others = table.split("Other listeners").nth(1).expect("there are others");
    assert!(others.contains(&format!(":{port}")), "{table}");
}

#[test]
fn a_program_that_its_user_named_is_said_to_be() {
    let user = User::games();
    let copy = ProgramCopy::new("puppet", "redis-server");
    let path = copy.path();
    std::os::unix::fs::chown(&path, Some(user.uid), None).expect("root may");
    let mut puppet = Puppet::run(&path, Place::default().user(&user));
    puppet.listen("127.0.0.1:0");
    let found = json(&[]);
    let listeners = found["listeners"].as_array().expect("a list");
    let listener = listeners
        .iter()
        .find(|listener| listener["holder"]["exe"].as_str() == path.to_str())
        .unwrap_or_else(|| panic!("{listeners:#?}"));
    assert_eq!(listener["service"]["id"], "redis", "{listener}");
    let claim = listener["claim"].as_str().unwrap_or_default();
    assert!(claim.starts_with("others than root can replace this executable: "), "{listener}");
}

/// A normal user sees the listeners of the own network namespace, who holds the own ones, and what is missing.
#[test]
fn a_normal_user_is_shown_what_could_not_be_looked_at() {
    let netns = Netns::new();
    let mut hidden = Puppet::at(Place::default().netns(&netns));
    hidden.listen("127.0.0.1:6379");
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    // A process is one, however many threads it has.
    let threads = std::sync::Arc::new(std::sync::Barrier::new(65));
    for _ in 0..64 {
        let threads = std::sync::Arc::clone(&threads);
        std::thread::spawn(move || threads.wait());
    }
    let (user, copy) = (User::games(), ProgramCopy::of(&program(), "gdprport"));
    let mut command = Command::new(copy.path());
    command.args(["scan", "--json"]);
    Place::default().user(&user).apply(&mut command);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(on(&found, port)["holder"]["attribution"], "unknown");
    let unread = found["unread"].as_array().expect("a list");
    let why = |part: &str| unread.iter().any(|one| one["why"].as_str().is_some_and(|why| why.contains(part)));
    assert!(why("descriptors") && why("namespace") && why("sudo"), "{unread:#?}");
    let is_process = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().is_ok();
    let processes = std::fs::read_dir("/proc").expect("readable").flatten().filter(is_process).count() as u64;
    let counts =
        unread.iter().filter(|one| one["what"] == "processes").filter_map(|one| one["count"].as_u64());
    counts.for_each(|count| assert!(count <= processes + 32, "{count} of {processes} processes"));
    threads.wait();
}

#[test]
fn a_thousand_listeners_are_one_row() {
    let listeners: Vec<TcpListener> =
        (0..1_000).map(|_| TcpListener::bind("127.0.0.1:0").expect("binds")).collect();
    let found = json(&[]);
    for listener in &listeners {
        on(&found, listener.local_addr().expect("bound").port());
    }
    let table = text(&scan(&["--color", "never"]));
    assert!(table.contains("ports more"), "{table}");
    assert!(table.lines().count() < 200, "{table}");
}

#[test]
fn names_that_steer_a_terminal_are_harmless() {
    let copy = ProgramCopy::new("puppet", "x\u{1b}[2J|\u{202e}y");
    let mut puppet = Puppet::run(&copy.path(), Place::default());
    puppet.listen("127.0.0.1:0");
    for words in [&["--color", "never"][..], &["--markdown"]] {
        let shown = text(&scan(words));
        assert!(shown.contains("x\u{fffd}"), "{shown:?}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
}

#[test]
fn a_policy_is_compared_and_an_invalid_one_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let dir = TempDir::new();
    let policy = |port: &str| {
        let text = format!("version = 1\n[[port]]\nname = \"mine\"\nport = {port}\nservice = \"local\"\n");
        let path = dir.write("policy.toml", &text);
        set_mode(&path, 0o644);
        path.display().to_string()
    };
    let valid = policy(&port.to_string());
    let found = json(&["--policy", &valid, "--any-owner"]);
    assert_eq!(on(&found, port)["declared"], "mine");
    assert_eq!(found["policy"]["files"][0], valid);
    // What was asked for cannot be done, and the look without it is not what was asked for.
    for wrong in [policy("\"x\""), dir.path().join("missing.toml").display().to_string()] {
        let output = scan(&["--policy", &wrong, "--any-owner", "--color", "never"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(2), ""), "{error}");
        assert!(error.contains(&wrong), "{error}");
    }
}

/// `redis-cli` comes and goes while it is watched, beside a daemon that goes on.
#[test]
fn a_client_that_comes_and_goes_is_seen_while_watching() {
    let redis = need!(Redis::start());
    let port = redis.server.port.number();
    let daemon = Daemon::with(open(port).alone());
    let watching = Command::new(program())
        .args(["scan", "--json", "--watch", "6s"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let ended = std::thread::spawn(move || watching.wait_with_output().expect("it ends"));
    // It says nothing when it has begun: one client comes every while.
    while !ended.is_finished() {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connects");
        client.write_all(b"PING\r\n").expect("writes");
        let mut reply = [0; 7];
        client.read_exact(&mut reply).expect("a reply");
        assert_eq!(&reply, b"+PONG\r\n");
        drop(client);
        std::thread::sleep(Duration::from_millis(200));
    }
    let output = ended.join().expect("no panic");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["watched"], true);
    let listener = on(&found, port);
    assert_eq!(listener["service"]["by"], serde_json::json!(["executable", "bytes"]), "{listener}");
    assert_eq!(listener["postures"][0]["state"], "plaintext", "{listener}");
    assert!(listener["postures"][0]["connections"].as_u64().is_some_and(|count| count >= 3), "{listener}");
    let me = std::env::current_exe().expect("readable");
    assert_eq!(listener["peers"][0]["process"]["exe"].as_str(), me.to_str(), "{listener}");
    let log = daemon.stop();
    assert!(log.seen().iter().filter(|event| event.kind() == "flow.open").count() >= 3, "the daemon goes on");
}

#[test]
fn an_interrupt_ends_watching_with_what_it_has() {
    let mut command = Command::new(program());
    command.args(["scan", "--json", "--watch", "10m"]).stdout(std::process::Stdio::piped());
    let mut child = Child::start(command, Place::default());
    // Its programs are loaded by then, or it ends before they are.
    std::thread::sleep(Duration::from_secs(4));
    child.signal(libc::SIGINT);
    let mut text = String::new();
    child.pipes().stdout.take().expect("piped").read_to_string(&mut text).expect("text");
    assert!(child.wait(wait::TIMEOUT).success());
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["watched"], true);
}
