//! Containers of a real Docker, and of containerd beneath it: which process, which container, which names. `cargo xtask vm`
//! boots a machine with the runtimes; elsewhere they are not run.

use std::process::Command;

use gdprport_tests::need;
use gdprport_tests::runtime::{Ctr, Engine, IMAGE, Pod, PodName, Task, Watched, cgroup_of, words};
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

/// containerd's own client makes the cgroup `/NAMESPACE/ID`. The id is what its user has typed; one that does not look like a
/// container's is no container.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_container_of_containerds_client_is_its_id() {
    let _alone = alone();
    let ctr = need!(Ctr::new("default"));
    let mut watched = Watched::open();
    let client = watched.client("127.0.0.1");
    let task = Task::run(&ctr, &"5c".repeat(32), &words(&client));
    let (event, held) = watched.caller();
    assert_eq!(event.text("process.container.id"), task.id(), "{}", event.line());
    assert_eq!(event.text("process.container.runtime"), "containerd", "{}", event.line());
    assert_eq!(event.text("process.cgroup"), cgroup_of(task.pid()), "{}", event.line());
    watched.close(held);
    watched.daemon.stop();
}

/// A pod that is made as a kubelet makes one, in the cgroups of its class.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_container_of_a_kubelets_pod_has_the_pods_uid() {
    let _alone = alone();
    let uid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let pod =
        PodName { namespace: "shop", name: "orders-7d9c5b8f6d-x2x4q", uid, labels: &[("app", "orders")] };
    let pod = need!(Pod::run(pod));
    let mut watched = Watched::open();
    let client = watched.client("127.0.0.1");
    let id = pod.start("app", &words(&client));
    let (event, held) = watched.caller();
    assert_eq!(event.text("process.container.id"), id, "{}", event.line());
    assert_eq!(event.text("process.container.runtime"), "containerd", "{}", event.line());
    assert_eq!(event.text("process.container.pod"), uid, "{}", event.line());
    watched.close(held);
    drop(pod);
    watched.daemon.stop();
}
