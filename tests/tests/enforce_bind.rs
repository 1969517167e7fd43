//! With `listener = "deny"` a process that no rule lets in with cannot take the port: its `bind` fails, in every network namespace.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::enforce::exe;
use gdprport_tests::need;
use gdprport_tests::netns::Netns;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::skip::mptcp;
use gdprport_tests::user::User;

/// A port of a network namespace, and the program that may listen there.
struct Scene {
    netns: Netns,
    port: Port,
    program: ProgramCopy,
}

impl Scene {
    fn new() -> Self {
        Self {
            netns: Netns::new(),
            // Its number is no other test's: the daemons of those decide in every network namespace.
            port: Port::free(),
            program: ProgramCopy::new("puppet", "server"),
        }
    }

    /// A policy that decides who listens, with one rule that lets in with this process.
    fn policy(&self, mode: &str, process: &str) -> String {
        declare("customers-db", self.port.number())
            .key(&format!("mode = \"{mode}\"\nenforce = {{ listener = \"deny\" }}"))
            .allow("serving", "in", "any", process)
            .allow("calling", "out", "any", "")
            .alone()
    }

    fn place(&self) -> Place<'_> {
        Place::default().netns(&self.netns)
    }

    fn declared(&self) -> Puppet {
        Puppet::run(&self.program.path(), self.place())
    }
}

/// "Operation not permitted", whatever it tries.
fn denied(puppet: &mut Puppet, command: &str) {
    assert_eq!(puppet.ask(&format!("fails {command}")), "PermissionDenied", "{command}");
}

/// A copy of the same program at another path is another program.
#[test]
fn only_the_declared_program_may_listen() {
    let scene = Scene::new();
    let port = scene.port.number();
    let mut daemon = Daemon::with(scene.policy("enforce", &exe(&scene.program)));
    let (mut declared, mut other) = (scene.declared(), Puppet::at(scene.place()));
    for at in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("[::1]:{port}")] {
        denied(&mut other, &format!("listen {at}"));
    }
    denied(&mut other, &format!("bind 127.0.0.1:{port}"));
    // UDP has ports of its own, and nobody decides about others of TCP.
    other.ask(&format!("bind-udp 127.0.0.1:{port}"));
    let undecided = Port::free();
    other.listen(format!("127.0.0.1:{undecided}"));
    declared.listen(format!("[::]:{port}"));
    denied(&mut other, &format!("listen-shared 127.0.0.1:{port}"));

    let event = daemon.log.wait("a denial", |event| event.is("listener.fail", port));
    assert_eq!(event.text("process.exe"), other.exe().to_string_lossy(), "{}", event.line());
    assert_eq!(event.number("process.pid"), Some(other.pid().into()), "{}", event.line());
    assert_eq!(event.text("process.attribution"), "listener", "{}", event.line());
    assert_eq!(event.number("process.netns"), Some(scene.netns.inode()), "{}", event.line());
    assert_eq!(event.at("listener.denied"), true, "{}", event.line());
    assert_eq!(event.text("listener.local.ip"), "127.0.0.1", "{}", event.line());
    let violation = daemon.log.wait("its violation", |event| event.is("violation", port));
    assert_eq!(violation.reasons(), ["undeclared-listener"], "{}", violation.line());
    assert_eq!(violation.at("listener.denied"), true, "{}", violation.line());
    let opened = daemon.log.wait("the declared one", |event| event.is("listener.open", port));
    assert_eq!(opened.number("process.pid"), Some(declared.pid().into()), "{}", opened.line());
    assert_eq!(opened.text("verdict.outcome"), "declared", "{}", opened.line());

    let binds = daemon.status()["enforcement"]["binds"].clone();
    assert_eq!((&binds["denied"], &binds["allowed"]), (&5.into(), &1.into()), "{binds}");
    assert_eq!(binds["asked"], 6, "{binds}");
    let shown = daemon.ask(["daemon", "status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("6 binds: 1 allowed") && shown.contains("5 denied"), "{shown}");
    let log = daemon.stop();
    let first = log.count(|event| event.is("listener.fail", port) && event.at("listener.repeated").is_null());
    assert_eq!(first, 1, "what comes again is counted");
    assert_eq!(log.count(|event| event.is("violation", port)), 1);
}

#[test]
fn a_listener_of_another_user_is_denied() {
    let scene = Scene::new();
    let port = scene.port.number();
    let games = User::games();
    let rule = format!("{}, user = \"{}\"", exe(&scene.program), games.name);
    let daemon = Daemon::with(scene.policy("enforce", &rule));
    let mut root = scene.declared();
    denied(&mut root, &format!("listen 127.0.0.1:{port}"));
    let mut declared = Puppet::run(&scene.program.path(), scene.place().user(&games));
    declared.listen(format!("127.0.0.1:{port}"));
    daemon.stop();
}

#[test]
fn a_bind_by_mptcp_is_decided_as_any_other() {
    need!(mptcp());
    let scene = Scene::new();
    let port = scene.port.number();
    let daemon = Daemon::with(scene.policy("enforce", &exe(&scene.program)));
    denied(&mut Puppet::at(scene.place()), &format!("listen-mptcp 127.0.0.1:{port}"));
    scene.declared().ask(&format!("listen-mptcp 127.0.0.1:{port}"));
    daemon.stop();
}

/// Also of the declared program: `listen` of the port says where.
#[test]
fn a_listener_is_denied_where_the_port_may_not_be_bound() {
    let scene = Scene::new();
    let port = scene.port.number();
    let policy = scene.policy("enforce", &exe(&scene.program));
    let policy = policy.replacen("mode = ", "listen = [\"127.0.0.1\", \"fd00::/16\"]\nmode = ", 1);
    let mut daemon = Daemon::with(policy);
    let mut declared = scene.declared();
    for at in [format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        denied(&mut declared, &format!("listen {at}"));
    }
    declared.listen(format!("127.0.0.1:{port}"));
    let event = daemon.log.wait("its violation", |event| event.is("violation", port));
    assert_eq!(event.reasons(), ["exposed-listener"], "{}", event.line());
    daemon.stop();
}

#[test]
fn a_trial_lets_listen_and_says_who_would_be_denied() {
    let scene = Scene::new();
    let port = scene.port.number();
    let mut daemon = Daemon::with(scene.policy("warn", &exe(&scene.program)));
    let mut other = Puppet::at(scene.place());
    other.listen(format!("127.0.0.1:{port}"));
    for kind in ["listener.open", "violation"] {
        let event = daemon.log.wait(kind, |event| event.is(kind, port));
        assert_eq!(event.at("listener.would_deny"), true, "{}", event.line());
        assert!(event.at("listener.denied").is_null(), "{}", event.line());
    }
    // Who connects to it is another matter.
    let (mut client, to) = (Puppet::at(scene.place()), format!("127.0.0.1:{port}"));
    let there = client.connect(&to);
    let here = other.accept();
    let opened = daemon
        .log
        .wait("a flow", |event| event.is("flow.open", port) && event.text("flow.direction") == "out");
    assert!(opened.at("flow.would_deny").is_null(), "{}", opened.line());
    client.close(there);
    other.close(here);
    other.ask("unlisten");
    let mut declared = scene.declared();
    declared.listen(format!("127.0.0.1:{port}"));
    let event = daemon.log.wait("the declared one", |event| {
        event.is("listener.open", port) && event.number("process.pid") == Some(declared.pid().into())
    });
    assert!(event.at("listener.would_deny").is_null(), "{}", event.line());
    let binds = daemon.status()["enforcement"]["binds"].clone();
    assert_eq!(
        (&binds["would_deny"], &binds["allowed"], &binds["denied"]),
        (&1.into(), &1.into(), &0.into()),
        "{binds}"
    );
    daemon.stop();
}

/// Nothing is bound where the kernel chooses the port: it is reported.
#[test]
fn who_is_given_the_port_by_chance_is_reported() {
    let scene = Scene::new();
    let port = scene.port.number();
    // One port to choose from, as the first is never chosen alone.
    scene.netns.sysctl("net/ipv4/ip_local_port_range", &format!("{port} {port}"));
    let mut daemon = Daemon::with(scene.policy("enforce", &exe(&scene.program)));
    let mut other = Puppet::at(scene.place());
    let at = other.ask("listen-anywhere");
    assert_eq!(at, format!("0.0.0.0:{port}"));
    let event = daemon.log.wait("its violation", |event| event.is("violation", port));
    assert_eq!(event.reasons(), ["undeclared-listener"], "{}", event.line());
    assert!(event.at("listener.denied").is_null(), "{}", event.line());
    daemon.stop();
}

/// It would be taken for a listener, and could become one.
#[test]
fn a_client_that_takes_the_port_as_its_own_is_denied() {
    let scene = Scene::new();
    let port = scene.port.number();
    let daemon = Daemon::with(scene.policy("enforce", &exe(&scene.program)));
    let mut server = Puppet::at(scene.place());
    let elsewhere = Port::free();
    let to = format!("127.0.0.1:{elsewhere}");
    server.listen(&to);
    denied(&mut Puppet::at(scene.place()), &format!("connect-from 127.0.0.1:{port} {to}"));
    daemon.stop();
}

#[test]
fn a_reload_changes_who_may_listen_and_pins_keep_it() {
    let scene = Scene::new();
    let (port, fs) = (scene.port.number(), BpfFs::new());
    let policy = scene.policy("enforce", &exe(&scene.program));
    let mut daemon = Start::with(policy.clone()).pins(&fs.pins()).start();
    let (mut declared, mut other) = (scene.declared(), Puppet::at(scene.place()));
    let listen = format!("listen 127.0.0.1:{port}");
    denied(&mut other, &listen);
    daemon.rewrite_policy(&policy.replace("listener = \"deny\"", "listener = \"allow\""));
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    assert_eq!(daemon.status()["enforcement"].get("binds"), None, "nobody decides who listens");
    other.ask(&listen);
    other.ask("unlisten");
    daemon.rewrite_policy(&policy);
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    daemon.kill();
    denied(&mut other, &listen);
    declared.ask(&listen);
    let next = Start::with(policy).pins(&fs.pins()).start();
    let enforcement = next.status()["enforcement"].clone();
    // Before Linux 5.15 not all hooks can be pinned, and the counts begin when nobody was there.
    assert!(enforcement["binds"]["denied"].as_u64() > Some(0), "{enforcement}");
    next.interrupt();
}
