//! With `mode = "enforce"` a connection that the rules do not allow never reaches the server: its SYN is dropped, in every network
//! namespace.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::enforce::exe;
use gdprport_tests::event::Event;
use gdprport_tests::netns::VethPair;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::wait;

/// A client that is given up early: one SYN that is sent again.
const RETRIES: (&str, &str) = ("net/ipv4/tcp_syn_retries", "1");

/// A server at the right end of a veth pair, for a client at the left one.
struct Scene {
    veth: VethPair,
    port: Port,
    server: Puppet,
}

impl Scene {
    fn new() -> Self {
        Self::of(Puppet::at)
    }

    fn of(server: impl FnOnce(Place<'_>) -> Puppet) -> Self {
        let (veth, port) = (VethPair::new(), Port::free());
        veth.left.sysctl(RETRIES.0, RETRIES.1);
        let mut server = server(Place::default().netns(&veth.right));
        server.listen(format!("[::]:{port}"));
        Self { veth, port, server }
    }

    /// Listens where the daemon sees who does. One that is older is found a moment later.
    fn listen_again(&mut self) {
        self.server.ask("unlisten");
        self.server.listen(format!("[::]:{}", self.port));
    }

    fn client(&self) -> Puppet {
        Puppet::at(Place::default().netns(&self.veth.left))
    }

    /// A policy that lets these peers in, and everybody out.
    fn policy(&self, mode: &str, peers: &[&str], process: &str) -> String {
        let mut port = declare("customers-db", self.port.number()).key(&format!("mode = \"{mode}\""));
        port = port.allow("calling", "out", "any", "");
        for (at, peer) in peers.iter().enumerate() {
            port = port.allow(&format!("serving-{at}"), "in", peer, process);
        }
        port.alone()
    }

    fn right(&self) -> String {
        format!("{}:{}", VethPair::RIGHT, self.port)
    }

    fn arrivals(&self, daemon: &Daemon) -> serde_json::Value {
        daemon.status()["enforcement"]["arrivals"].clone()
    }
}

/// What is reported of the accepting end.
fn inward(event: &Event) -> bool {
    event.text("flow.direction") == "in"
}

#[test]
fn a_strangers_syn_over_veth_never_reaches_the_server() {
    let mut scene = Scene::new();
    let port = scene.port.number();
    let mut daemon = Daemon::with(scene.policy("enforce", &["fd77::1"], ""));
    scene.listen_again();
    let (mut stranger, mut declared) = (scene.client(), scene.client());
    stranger.send(&format!("connect-fail {}", scene.right()));
    // Meanwhile: one peer waits in silence, the other is served.
    let there = declared.connect(format!("[fd77::2]:{port}"));
    let here = scene.server.accept();
    assert_eq!(here.address.ip().to_string(), "fd77::1");
    assert_eq!(stranger.reply(), "TimedOut");

    let event = daemon.log.wait("a denial", |event| event.is("flow.fail", port) && inward(event));
    assert_eq!(event.text("flow.outcome"), "denied-by-policy", "{}", event.line());
    assert_eq!((event.text("flow.peer.ip"), event.text("flow.local.ip")), (VethPair::LEFT, VethPair::RIGHT));
    assert_eq!(event.number("process.pid"), Some(scene.server.pid().into()), "who listens: {}", event.line());
    assert_eq!(event.text("process.attribution"), "listener", "{}", event.line());
    assert_eq!(event.number("process.netns"), Some(scene.veth.right.inode()), "{}", event.line());
    let violation = daemon.log.wait("its violation", |event| event.is("violation", port) && inward(event));
    assert_eq!(violation.reasons(), ["undeclared-peer"], "{}", violation.line());
    assert_eq!(violation.text("flow.outcome"), "denied-by-policy", "{}", violation.line());

    let enforcement = daemon.status()["enforcement"].clone();
    assert_eq!(enforcement["arrivals"]["denied"], 1, "{enforcement}");
    assert_eq!(enforcement["arrivals"]["allowed"], 1, "{enforcement}");
    assert!(enforcement["repeated"].as_u64() > Some(0), "its SYN came again: {enforcement}");
    declared.close(there);
    scene.server.close(here);
    let log = daemon.stop();
    assert_eq!(
        log.count(|event| event.is("flow.fail", port) && inward(event)),
        1,
        "one attempt is one event"
    );
    assert_eq!(log.count(|event| event.is("flow.open", port) && inward(event)), 1, "the other was served");
}

#[test]
fn a_stranger_of_ipv6_is_refused_and_the_other_served() {
    let mut scene = Scene::new();
    let port = scene.port.number();
    let mut daemon = Daemon::with(scene.policy("enforce", &[VethPair::LEFT], ""));
    let (mut stranger, mut declared) = (scene.client(), scene.client());
    stranger.send(&format!("connect-fail [fd77::2]:{port}"));
    let there = declared.connect(scene.right());
    let here = scene.server.accept();
    assert_eq!(stranger.reply(), "TimedOut");
    let event = daemon.log.wait("a denial", |event| event.is("flow.fail", port) && inward(event));
    assert_eq!((event.text("flow.peer.ip"), event.text("flow.local.ip")), ("fd77::1", "fd77::2"));
    declared.close(there);
    scene.server.close(here);
    daemon.stop();
}

#[test]
fn a_trial_lets_in_and_marks_what_it_would_refuse() {
    let mut scene = Scene::new();
    let port = scene.port.number();
    let mut daemon = Daemon::with(scene.policy("warn", &["loopback"], ""));
    let mut client = scene.client();
    let there = client.connect(scene.right());
    let here = scene.server.accept();
    client.close(there);
    scene.server.close(here);
    for kind in ["flow.open", "flow.close"] {
        let event = daemon.log.wait(kind, |event| event.is(kind, port) && inward(event));
        assert_eq!(event.at("flow.would_deny"), true, "{}", event.line());
        let event = daemon.log.wait(kind, |event| event.is(kind, port) && !inward(event));
        assert!(event.at("flow.would_deny").is_null(), "its other end may call: {}", event.line());
    }
    let arrivals = scene.arrivals(&daemon);
    assert_eq!((&arrivals["asked"], &arrivals["would_deny"]), (&1.into(), &1.into()), "{arrivals}");
    assert_eq!(daemon.port_status(port)["would_deny"], 1);
    daemon.stop();
}

#[test]
fn a_reload_lets_in_at_the_next_syn() {
    let mut scene = Scene::new();
    let daemon = Daemon::with(scene.policy("enforce", &["loopback"], ""));
    scene.veth.left.sysctl(RETRIES.0, "6");
    let mut client = scene.client();
    client.send(&format!("connect {}", scene.right()));
    wait::until("its first SYN was denied", || scene.arrivals(&daemon)["denied"] == 1);
    daemon.rewrite_policy(&scene.policy("observe", &["loopback"], ""));
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    let here = scene.server.accept();
    let there = gdprport_tests::puppet::held(&client.reply());
    client.close(there);
    scene.server.close(here);
    daemon.stop();
}

#[test]
fn a_killed_daemon_with_pins_still_refuses_strangers() {
    let mut scene = Scene::new();
    let fs = BpfFs::new();
    let policy = scene.policy("enforce", &["fd77::1"], "");
    let mut daemon = Start::with(policy.clone()).pins(&fs.pins()).start();
    daemon.kill();
    let (mut stranger, mut declared) = (scene.client(), scene.client());
    stranger.send(&format!("connect-fail {}", scene.right()));
    let there = declared.connect(format!("[fd77::2]:{}", scene.port));
    let here = scene.server.accept();
    assert_eq!(stranger.reply(), "TimedOut", "nobody is there, and the decision stands");
    declared.close(there);
    scene.server.close(here);
    let next = Start::with(policy).pins(&fs.pins()).start();
    next.interrupt();
    let there = stranger.connect(scene.right());
    let here = scene.server.accept();
    stranger.close(there);
    scene.server.close(here);
}

/// Who will accept is not known at a SYN. Of a program that listens it is known whether a rule allows it; whether another one will
/// accept is not.
#[test]
fn a_server_is_known_by_who_listens() {
    let copy = ProgramCopy::new("puppet", "server");
    let mut scene = Scene::of(|place| Puppet::run(&copy.path(), place));
    let daemon = Daemon::with(scene.policy("enforce", &["any"], &exe(&copy)));
    scene.listen_again();
    let (mut client, right) = (scene.client(), scene.right());
    let connect = |client: &mut Puppet, server: &mut Puppet, to: &str| {
        let there = client.connect(to);
        let here = server.accept();
        client.close(there);
        server.close(here);
    };
    connect(&mut client, &mut scene.server, &right);
    assert_eq!(scene.arrivals(&daemon)["allowed"], 1);
    daemon.rewrite_policy(&scene.policy("enforce", &["any"], "exe = \"/usr/bin/somebody-else\""));
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    connect(&mut client, &mut scene.server, &right);
    assert_eq!(scene.arrivals(&daemon)["unknown"], 1, "it passes unless `on_unknown` says otherwise");
    let denies = scene.policy("enforce", &["any"], "exe = \"/usr/bin/somebody-else\"");
    let denies = denies.replacen(
        "mode = \"enforce\"\n",
        "mode = \"enforce\"\nenforce = { on_unknown = \"deny\" }\n",
        1,
    );
    daemon.rewrite_policy(&denies);
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    assert_eq!(client.ask(&format!("connect-fail {right}")), "TimedOut");
    daemon.stop();
}
