//! Every way back from a policy that denies too much: a brake that needs no daemon, and a trial that ends by itself.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::enforce::{Scene, Seen, client, connect, exe};
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::serial::alone;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// Pulls the brake of this daemon, or lets it go. It releases every kernel side of this host.
fn brake(daemon: &Daemon, words: &[&str]) -> Output {
    let config = daemon.policy().with_file_name("gdprport.toml");
    let mut command = Command::new(program());
    command.arg("--socket").arg(daemon.socket()).args(["enforce"]).args(words).arg("--config").arg(config);
    command.output().expect("the program can be run")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn of(scene: &Scene, program: &ProgramCopy) -> Seen {
    connect(&program.path(), scene.port(), Place::default())
}

#[test]
fn the_brake_holds_until_it_is_let_go() {
    let _alone = alone();
    let (scene, declared, other) = (Scene::new(), client(), client());
    let daemon = Daemon::with(scene.policy("enforce", &exe(&declared)));
    assert_eq!(of(&scene, &other), Seen::Denied);
    let pulled = brake(&daemon, &["off", "--why", "nobody can log in"]);
    assert!(pulled.status.success(), "{}", said(&pulled));
    assert_eq!(of(&scene, &other), Seen::Connected, "{}", said(&pulled));
    let error = || daemon.status()["enforcement"]["error"].clone();
    wait::until("the daemon says so", || {
        error().as_str().is_some_and(|why| why.contains("nobody can log in"))
    });
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    assert_eq!(of(&scene, &other), Seen::Connected, "a reload puts nothing in force");
    assert_ne!(daemon.status()["health"]["state"], "healthy");
    let gone = brake(&daemon, &["on"]);
    assert!(gone.status.success(), "{}", said(&gone));
    assert_eq!((of(&scene, &declared), of(&scene, &other)), (Seen::Connected, Seen::Denied));
    assert!(error().is_null());
    let again = brake(&daemon, &["on"]);
    assert!(again.status.success() && said(&again).contains("was not pulled"), "{}", said(&again));
    drop(daemon.stop());
}

#[test]
fn the_brake_lets_everybody_listen() {
    let _alone = alone();
    let (port, copy) = (Port::free(), ProgramCopy::new("puppet", "server"));
    let policy = declare("customers-db", port.number())
        .key("mode = \"enforce\"\nenforce = { listener = \"deny\" }")
        .allow("serving", "in", "any", &exe(&copy));
    let daemon = Daemon::with(policy.alone());
    let mut other = Puppet::new();
    let (listen, denied) = (format!("listen 127.0.0.1:{port}"), format!("fails listen 127.0.0.1:{port}"));
    assert_eq!(other.ask(&denied), "PermissionDenied");
    let pulled = brake(&daemon, &["off"]);
    other.ask(&listen);
    other.ask("unlisten");
    let gone = brake(&daemon, &["on"]);
    assert!(pulled.status.success() && gone.status.success(), "{} {}", said(&pulled), said(&gone));
    assert_eq!(other.ask(&denied), "PermissionDenied");
    daemon.stop();
}

#[test]
fn the_brake_needs_no_daemon() {
    let _alone = alone();
    let (scene, fs, declared, other) = (Scene::new(), BpfFs::new(), client(), client());
    let mut daemon = Start::with(scene.policy("enforce", &exe(&declared))).pins(&fs.pins()).start();
    daemon.kill();
    assert_eq!(of(&scene, &other), Seen::Denied, "the last decision stands");
    let pulled = brake(&daemon, &["off"]);
    assert!(said(&pulled).contains("1 policy enforced until now"), "{}", said(&pulled));
    assert_eq!(of(&scene, &other), Seen::Connected);
    let gone = brake(&daemon, &["on"]);
    assert!(said(&gone).contains("no daemon runs; the next one enforces its policy"), "{}", said(&gone));
}

/// Begins a trial of this policy that nobody confirms, and waits until it is in force.
fn try_for(daemon: &mut Daemon, dir: &TempDir, policy: &str, time: &str) -> Child {
    dir.write("new.toml", policy);
    let mut command = Command::new(program());
    command.arg("--socket").arg(daemon.socket()).args(["policy", "apply"]).arg(dir.join("new.toml"));
    command.args(["--yes", "--confirm", time]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = Child::start(command, Place::default());
    daemon.log.wait("a trial", |event| !event.at("policy.trial_until").is_null());
    child
}

/// Both directions: what locks out gives way, and so does what lets in.
#[test]
fn a_trial_ends_in_the_kernel_with_nobody_there() {
    let _alone = alone();
    let (scene, fs, dir) = (Scene::new(), BpfFs::new(), TempDir::new());
    let (first, second) = (client(), client());
    let policies = [&first, &second].map(|program| scene.policy("enforce", &exe(program)));
    let mut daemon = Start::with(policies[0].clone()).pins(&fs.pins()).start();
    let now = || (of(&scene, &first), of(&scene, &second));
    assert_eq!(now(), (Seen::Connected, Seen::Denied));
    let waiting = try_for(&mut daemon, &dir, &policies[1], "12s");
    assert_eq!(now(), (Seen::Denied, Seen::Connected), "it is in force at once");
    daemon.kill();
    drop(waiting);
    wait::until("the policy before is back", || now() == (Seen::Connected, Seen::Denied));
    let next = Start::with(policies[0].clone()).pins(&fs.pins()).start();
    assert_eq!(now(), (Seen::Connected, Seen::Denied));
    next.interrupt();
}

#[test]
fn a_trial_that_enforces_nothing_ends_too() {
    let _alone = alone();
    let (scene, fs, dir) = (Scene::new(), BpfFs::new(), TempDir::new());
    let (declared, other) = (client(), client());
    let mut daemon = Start::with(scene.policy("enforce", &exe(&declared))).pins(&fs.pins()).start();
    let waiting = try_for(&mut daemon, &dir, &scene.policy("observe", &exe(&declared)), "12s");
    assert_eq!(of(&scene, &other), Seen::Connected);
    daemon.kill();
    drop(waiting);
    wait::until("it is denied again", || of(&scene, &other) == Seen::Denied);
    assert!(Path::new(&fs.pins()).exists());
}

/// What comes back is in force with the reply, and so is what stays.
#[test]
fn a_trial_is_taken_back_or_confirmed_at_once() {
    let _alone = alone();
    let (scene, dir) = (Scene::new(), TempDir::new());
    let (first, second) = (client(), client());
    let policies = [&first, &second].map(|program| scene.policy("enforce", &exe(program)));
    let mut daemon = Daemon::with(policies[0].clone());
    let now = || (of(&scene, &first), of(&scene, &second));
    let (before, tried) = ((Seen::Connected, Seen::Denied), (Seen::Denied, Seen::Connected));
    let ask = |daemon: &Daemon, word: &str| {
        let output = daemon.ask(["policy", word]);
        assert!(output.status.success(), "{}", said(&output));
    };
    let waiting = try_for(&mut daemon, &dir, &policies[1], "60s");
    assert_eq!(now(), tried);
    ask(&daemon, "revert");
    assert_eq!(now(), before, "it is taken back");
    drop(waiting);
    wait::until("its tables are complete again", || daemon.status()["enforcement"]["writing"] == false);
    assert_eq!(now(), before);
    let waiting = try_for(&mut daemon, &dir, &policies[1], "60s");
    wait::until("it is tried again", || now() == tried);
    ask(&daemon, "confirm");
    assert_eq!(now(), tried, "it stays");
    drop(waiting);
    let status = daemon.status();
    assert!(status["policy"]["trial"].is_null() && status["enforcement"]["error"].is_null(), "{status}");
    drop(daemon.stop());
}
