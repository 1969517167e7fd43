//! Containers of a real Docker, and of containerd beneath it: which process, which container, which names. `cargo xtask vm`
//! boots a machine with the runtimes; elsewhere they are not run.

use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::need;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::runtime::{Ctr, Engine, IMAGE, Task, Watched, cgroup_of, words};
use gdprport_tests::serial::alone;

/// The IPv4 address of an interface of the host.
fn address_of(interface: &str) -> String {
    let shown = Command::new("ip").args(["-4", "-oneline", "address", "show", "dev", interface]).output();
    let shown = String::from_utf8(shown.expect("ip runs").stdout).expect("text");
    let (_, rest) =
        shown.split_once(" inet ").unwrap_or_else(|| panic!("{interface} has no address: {shown}"));
    rest.split('/').next().unwrap_or_default().to_owned()
}

/// On the host's network and on Docker's own, whose containers reach the host at the bridge's address.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_docker_container_is_its_id_on_every_network() {
    let _alone = alone();
    let docker = need!(Engine::docker());
    let mut watched = Watched::open();
    let bridge = address_of("docker0");
    for (network, address) in [("host", "127.0.0.1"), ("bridge", &bridge)] {
        let client = watched.client(address);
        let container = docker.run("orders", &["--network", network], IMAGE, &words(&client));
        let (event, held) = watched.caller();
        assert_eq!(event.text("process.container.id"), container.id(), "{}", event.line());
        assert_eq!(event.text("process.container.runtime"), "docker", "{}", event.line());
        assert_eq!(event.text("process.cgroup"), cgroup_of(container.pid()), "{}", event.line());
        assert_eq!(event.at("process.pid"), container.pid(), "{}", event.line());
        watched.close(held);
    }
    watched.daemon.stop();
}

/// containerd's own client makes the cgroup `/NAMESPACE/ID`, and the id is what its user has typed.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_container_of_containerds_client_is_its_id() {
    let _alone = alone();
    let ctr = need!(Ctr::new("shop"));
    let mut watched = Watched::open();
    let client = watched.client("127.0.0.1");
    let task = Task::run(&ctr, "orders-by-hand", &words(&client));
    let (event, held) = watched.caller();
    assert_eq!(event.text("process.container.id"), task.id(), "{}", event.line());
    assert_eq!(event.text("process.container.runtime"), "containerd", "{}", event.line());
    assert_eq!(event.text("process.cgroup"), cgroup_of(task.pid()), "{}", event.line());
    watched.close(held);
    watched.daemon.stop();
}

/// The peer of a published port is the client itself, not the bridge, though the kernel has turned the address that the
/// client used. From the host's own loopback it is Docker's proxy, a process of the host, that calls the container.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_published_port_shows_its_client_and_dockers_proxy() {
    let _alone = alone();
    let docker = need!(Engine::docker());
    let (port, published) = (Port::free(), Port::free());
    let mut daemon = Daemon::with(open(port.number()).alone());
    let publish = format!("{published}:{port}");
    let serve = ["/bin/busybox", "nc", "-ll", "-p", &port.to_string(), "-e", "/bin/busybox", "cat"];
    let container = docker.run("published", &["--publish", &publish], IMAGE, &serve);
    let outside = Netns::beside_the_host();

    let mut client = Puppet::at(Place::default().netns(&outside));
    let there = client.connect(format!("{}:{published}", VethPair::LEFT));
    let ends = Some((port.number(), there.address.port()));
    let event = daemon.log.wait("the client's flow, with the address that it called", |event| {
        event.ends("in") == ends && event.text("flow.nat.state") == "translated"
    });
    assert_eq!(event.text("flow.nat.destination.ip"), VethPair::LEFT, "{}", event.line());
    assert_eq!(
        event.number("flow.nat.destination.port"),
        Some(published.number().into()),
        "{}",
        event.line()
    );
    assert_eq!(event.text("flow.peer.ip"), VethPair::RIGHT, "{}", event.line());
    assert_eq!(event.text("process.container.id"), container.id(), "{}", event.line());

    let mut local = Puppet::new();
    let there = local.connect(format!("127.0.0.1:{published}"));
    let event = daemon
        .log
        .wait("the proxy's call", |event| event.kind() == "flow.open" && event.ends("out").is_some());
    assert_eq!(event.text("process.comm"), "docker-proxy", "{}", event.line());
    assert_eq!(event.text("process.unit"), "docker.service", "{}", event.line());
    assert!(event.at("process.container").is_null(), "{}", event.line());
    local.close(there);
    daemon.stop();
}
