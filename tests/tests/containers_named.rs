//! Containers as people name them, and policies that ask for those names, with real runtimes: what holds across a
//! redeployment, and whose word a name is. `cargo xtask vm` boots a machine with the runtimes; elsewhere they are not run.

use gdprport_tests::event::Event;
use gdprport_tests::need;
use gdprport_tests::policy::{Declaration, declare};
use gdprport_tests::runtime::{Engine, IMAGE, LABEL, OTHER_IMAGE, Pod, PodName, Watched, words};
use gdprport_tests::serial::alone;

/// The options of every container here: without a network of its own it starts soonest.
const HOST: [&str; 2] = ["--network", "host"];

/// The port is open to be served, and to be called by containers of one image with one label, and of nothing else.
fn orders_only(port: u16, stated_by: &str) -> Declaration {
    let (key, value) = LABEL;
    let process =
        format!("image = \"registry.example/shop/orders:1.*\", label = {{ {key} = \"{value}\" }}{stated_by}");
    declare("orders", port).allow("serving", "in", "any", "").allow("calling", "out", "any", &process)
}

/// The text of a container's field.
fn of<'a>(event: &'a Event, field: &str) -> &'a str {
    event.text(&format!("process.container.{field}"))
}

#[track_caller]
fn is_declared(event: &Event) {
    assert_eq!(event.text("verdict.outcome"), "declared", "{}", event.line());
}

/// Another container, under the same name, from the same image: another id. A container of another image beside it is none
/// of the rule's, whatever its labels are.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_redeployed_container_is_declared_another_image_is_not() {
    let _alone = alone();
    let docker = need!(Engine::docker());
    let mut watched = Watched::with(|port| orders_only(port, ""));
    let client = watched.client("127.0.0.1");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let container = docker.run("orders", &HOST, IMAGE, &words(&client));
        let (_, held) = watched.caller();
        let event = watched.named(held);
        is_declared(&event);
        assert_eq!((of(&event, "name"), of(&event, "image")), ("orders", IMAGE), "{}", event.line());
        assert_eq!(of(&event, "labels.app"), LABEL.1, "{}", event.line());
        assert_eq!(event.at("process.container.stated_by.uid"), 0, "{}", event.line());
        ids.push(of(&event, "id").to_owned());
        watched.close(held);
        drop(container);
    }
    assert_ne!(ids[0], ids[1]);

    let stranger = docker.run("stranger", &HOST, OTHER_IMAGE, &words(&client));
    let (_, held) = watched.caller();
    watched.named(held);
    let violation = watched.violation(held);
    assert_eq!(of(&violation, "id"), stranger.id(), "{}", violation.line());
    assert_eq!(
        (of(&violation, "name"), of(&violation, "image")),
        ("stranger", OTHER_IMAGE),
        "{}",
        violation.line()
    );
    let unit = format!("docker-{}.scope", stranger.id());
    assert_eq!(violation.text("process.unit"), unit, "{}", violation.line());
    watched.close(held);
    watched.daemon.stop();
}

/// It connects and ends at once, and is removed with all of its state.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_container_of_one_second_is_named() {
    let _alone = alone();
    let docker = need!(Engine::docker());
    let mut watched = Watched::with(|port| orders_only(port, ""));
    let mut client = watched.client("127.0.0.1").to_vec();
    client.splice(2..2, ["-w".to_owned(), "1".to_owned()]);
    let container = docker.run("shortly", &["--network", "host", "--rm"], IMAGE, &words(&client));
    let (_, held) = watched.caller();
    watched.close(held);
    let event = watched.named(held);
    assert_eq!(of(&event, "name"), "shortly", "{}", event.line());
    is_declared(&event);
    drop(container);
    watched.daemon.stop();
}

/// Rootless: its image is what the user says it is. A rule accepts that only where it names the user.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_users_word_about_a_container_counts_if_the_rule_says_so() {
    let _alone = alone();
    let podman = need!(Engine::rootless());
    for (stated_by, outcome) in [("", "violation"), (", stated_by = [\"rootless\"]", "declared")] {
        let mut watched = Watched::with(|port| orders_only(port, stated_by));
        let client = watched.client("127.0.0.1");
        let container = podman.run("orders", &HOST, IMAGE, &words(&client));
        let (_, held) = watched.caller();
        let event = watched.named(held);
        assert_eq!(event.text("verdict.outcome"), outcome, "{}", event.line());
        assert_eq!((of(&event, "name"), of(&event, "image")), ("orders", IMAGE), "{}", event.line());
        assert_eq!(event.at("process.container.stated_by.uid"), podman.uid(), "{}", event.line());
        assert_eq!(event.at("process.container.claimed_by"), podman.uid(), "{}", event.line());
        watched.close(held);
        drop(container);
        watched.daemon.stop();
    }
}

/// A pod that is made as a kubelet makes one, in the cgroups of its class.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs container runtimes"]
fn a_container_of_a_kubelets_pod_is_named_by_its_pod() {
    let _alone = alone();
    let uid = "6b1c0a52-6a2e-4a0b-9f0e-1d2f3a4b5c6d";
    let pod =
        PodName { namespace: "shop", name: "orders-7d9c5b8f6d-x2x4q", uid, labels: &[("app", "orders")] };
    let pod = need!(Pod::run(pod));
    let mut watched = Watched::open();
    let id = pod.start("app", &words(&watched.client("127.0.0.1")));
    let (_, held) = watched.caller();
    let event = watched.named(held);
    assert_eq!((of(&event, "id"), of(&event, "pod")), (&*id, uid), "{}", event.line());
    assert_eq!((of(&event, "name"), of(&event, "image")), ("app", IMAGE), "{}", event.line());
    assert_eq!(of(&event, "runtime"), "containerd", "{}", event.line());
    let named = (of(&event, "namespace"), of(&event, "pod_name"));
    assert_eq!(named, ("shop", "orders-7d9c5b8f6d-x2x4q"), "{}", event.line());
    watched.close(held);
    drop(pod);
    watched.daemon.stop();
}
