//! Containers of a real Podman: root's, in a pod, in a systemd unit, a user's own. `cargo xtask vm` boots a machine with
//! the runtimes; elsewhere they are not run.

use std::fs;
use std::process::Command;

use gdprport_tests::event::Event;
use gdprport_tests::need;
use gdprport_tests::runtime::{Container, Engine, IMAGE, Watched, cgroup_of, words};
use gdprport_tests::serial::alone;

/// The options of every container here: without a network of its own it starts soonest.
const HOST: [&str; 2] = ["--network", "host"];

#[track_caller]
fn is_in(event: &Event, container: &Container) {
    assert_eq!(event.text("process.container.id"), container.id(), "{}", event.line());
    assert_eq!(event.text("process.container.runtime"), "podman", "{}", event.line());
    assert_eq!(event.text("process.cgroup"), cgroup_of(container.pid()), "{}", event.line());
}

/// Alone with systemd's cgroups and without, and in a pod.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_podman_container_is_its_id_in_every_cgroup() {
    let _alone = alone();
    let podman = need!(Engine::podman());
    let mut watched = Watched::open();
    let client = watched.client("127.0.0.1");
    let infra = ["--infra-image", IMAGE, "--infra-command", "/bin/busybox sleep 1000"];
    podman.ask(&[&["pod", "create", "--network", "host", "--name", "shop"][..], &infra].concat());
    let ways: [(&[&str], &str); 3] = [
        (&HOST, "/machine.slice/libpod-"),
        (
            &["--network", "host", "--cgroup-parent", "/custom", "--cgroup-manager", "cgroupfs"],
            "/custom/libpod-",
        ),
        (&["--pod", "shop"], "/machine.slice/machine-libpod_pod_"),
    ];
    for (options, cgroup) in ways {
        let container = podman.run("orders", options, IMAGE, &words(&client));
        let (event, held) = watched.caller();
        is_in(&event, &container);
        assert!(event.text("process.cgroup").starts_with(cgroup), "{}", event.line());
        watched.close(held);
    }
    podman.ask(&["pod", "rm", "--force", "shop"]);
    watched.daemon.stop();
}

/// A unit file, and the service that it makes; stopped and removed on drop.
struct Unit(&'static str);

impl Unit {
    fn start(name: &'static str, service: &str) -> Self {
        fs::write(format!("/run/systemd/system/{name}"), service).expect("root may");
        let unit = Self(name);
        for words in [&["daemon-reload"][..], &["start", name]] {
            let output = Command::new("systemctl").args(words).output().expect("systemctl runs");
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        unit
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ended = Command::new("systemctl").args(["stop", self.0]).status();
        let _gone = fs::remove_file(format!("/run/systemd/system/{}", self.0));
    }
}

/// As quadlet writes it from Podman 4.4 on: the container's cgroup lies in the unit's.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_container_of_a_unit_has_both_the_unit_and_its_id() {
    let _alone = alone();
    let podman = need!(Engine::podman());
    let mut watched = Watched::open();
    let client = watched.client("127.0.0.1").join(" ");
    let _unit = Unit::start(
        "orders.service",
        &format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nNotifyAccess=all\nDelegate=yes\nKillMode=mixed\n\
             ExecStart=/usr/bin/podman run --name=orders --replace --rm -d --cgroups=split --sdnotify=conmon \
             --network=host {IMAGE} {client}\n"
        ),
    );
    let container = Container::named(&podman, "orders");
    let (event, held) = watched.caller();
    is_in(&event, &container);
    assert_eq!(event.text("process.unit"), "orders.service", "{}", event.line());
    watched.close(held);
    drop(container);
    watched.daemon.stop();
}

/// A user's own container: what its cgroup is called is that user's word.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_users_own_container_has_the_cgroup_that_the_user_made() {
    let _alone = alone();
    let podman = need!(Engine::rootless());
    let mut watched = Watched::open();
    let client = watched.client("127.0.0.1");
    let container = podman.run("orders", &HOST, IMAGE, &words(&client));
    let (event, held) = watched.caller();
    is_in(&event, &container);
    assert_eq!(event.at("process.container.claimed_by"), podman.uid(), "{}", event.line());
    assert_eq!(event.at("process.uid"), podman.uid(), "{}", event.line());
    assert_eq!(event.text("process.unit"), format!("user@{}.service", podman.uid()), "{}", event.line());
    watched.close(held);
    watched.daemon.stop();
}
