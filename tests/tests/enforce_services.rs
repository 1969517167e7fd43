//! What services are made of, with `mode = "enforce"`: containers that a rule names by their image, workers that a server has
//! forked, listeners that a manager has opened, and thousands of clients that live a millisecond.

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::containers::{DockerState, unique_id};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::enforce::{Scene, Seen, client, connect, each_in_turn, exe};
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet, give};
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// The connections that arrived and were decided so.
#[track_caller]
fn arrived(daemon: &Daemon, decision: &str) -> u64 {
    daemon.status()["enforcement"]["arrivals"][decision].as_u64().expect("a count")
}

/// Its names are read when its cgroup was seen; until then it is unknown, and passes.
#[test]
fn a_container_is_known_by_its_image_and_another_is_denied() {
    let (scene, program, docker) = (Scene::new(), client(), DockerState::new());
    let of_image = |name: &str, image: &str| {
        let id = unique_id();
        docker.add(&id, name, image);
        Cgroup::docker(&id)
    };
    let policy = scene.policy("enforce", "image = \"registry.example/shop/orders:1.*\"");
    let daemon = Start::with(policy).config(&docker.config()).start();
    let orders = of_image("orders", "registry.example/shop/orders:1.4");
    let stranger = of_image("stranger", "docker.io/library/postgres:17");
    let of = |cgroup: &Cgroup| connect(&program.path(), scene.port(), Place::default().cgroup(cgroup));
    wait::until("the container of another image is denied", || of(&stranger) == Seen::Denied);
    let unknown = || daemon.status()["enforcement"]["decisions"]["unknown"].clone();
    wait::until("the declared one is known", || {
        let before = unknown();
        assert_eq!(of(&orders), Seen::Connected);
        unknown() == before
    });
    daemon.stop();
}

#[test]
fn workers_of_a_prefork_server_are_let_in_as_it_is() {
    let (copy, port) = (ProgramCopy::new("puppet", "server"), Port::free());
    let policy = declare("customers-db", port.number())
        .key("mode = \"enforce\"")
        .key("enforce = { on_unknown = \"deny\" }")
        .allow("serving", "in", "loopback", &exe(&copy))
        .allow("calling", "out", "loopback", "");
    let daemon = Daemon::with(policy.alone());
    let mut server = Puppet::run(&copy.path(), Place::default());
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("prefork 3");
    let mut client = Puppet::new();
    for _ in 0..20 {
        let there = client.connect(format!("127.0.0.1:{port}"));
        client.ask(&format!("recv-line {}", there.id));
        client.close(there);
    }
    assert_eq!((arrived(&daemon, "allowed"), arrived(&daemon, "unknown")), (20, 0));
    daemon.stop();
}

/// As with socket activation: the manager listens, the service accepts. Of that a SYN shows nothing, so it is unknown and passes;
/// what is reported is the service, which the rule allows.
#[test]
fn a_service_whose_manager_listens_is_let_in_and_declared() {
    let (copy, port, dir) = (ProgramCopy::new("puppet", "service"), Port::free(), TempDir::new());
    let policy = declare("customers-db", port.number())
        .key("mode = \"enforce\"")
        .allow("serving", "in", "loopback", &exe(&copy))
        .allow("calling", "out", "loopback", "");
    let mut daemon = Daemon::with(policy.alone());
    let (mut manager, mut service) = (Puppet::new(), Puppet::run(&copy.path(), Place::default()));
    manager.listen(format!("127.0.0.1:{port}"));
    give(&dir, &mut manager, "listener", &mut service, "take-listener");
    let mut client = Puppet::new();
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = service.accept();
    assert_eq!((arrived(&daemon, "denied"), arrived(&daemon, "unknown")), (0, 1));
    let local = there.address.port();
    client.close(there);
    service.close(here);
    let event = daemon.log.flow("flow.close", "in", port.number(), local);
    let outcome = if daemon.sees_accept() { "declared" } else { "violation" };
    assert_eq!(event.text("verdict.outcome"), outcome, "{}", event.line());
    daemon.stop();
}

mod host_only {
    use super::*;

    /// How many of each kind; a machine takes too long for as many.
    const EACH: u64 = 1_000;

    /// All are the first connects of new processes, which end at once: none is decided late.
    #[test]
    fn each_of_thousands_of_clients_of_a_moment_is_decided_rightly() {
        let scene = Scene::new();
        let (program, other) = (client(), client());
        let daemon = Daemon::with(scene.policy("enforce", &exe(&program)));
        each_in_turn(EACH, [&program, &other], scene.port());
        let decisions = daemon.status()["enforcement"]["decisions"].clone();
        let of = |decision: &str| decisions[decision].as_u64();
        let all = (of("allowed"), of("denied"), of("unknown"));
        assert_eq!(all, (Some(EACH), Some(EACH), Some(0)), "{decisions}");
        daemon.stop();
    }
}
