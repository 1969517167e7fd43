//! `docs/containers.md` is correct: its policies are valid, and allow the containers beside which they stand.

use crate::container::{Labels, Stated};
use crate::model::{Proof, StatedBy, Workload};

use super::*;

const PAGE: &str = include_str!("../../../../../docs/containers.md");

/// The policies of the page, by the heading that they stand under.
fn example(heading: &str) -> ActivePolicy {
    let section = PAGE.split("\n### ").find(|section| section.starts_with(heading)).expect("the heading");
    let mut blocks = section.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let text = blocks.next().expect("a policy");
    assert_eq!(blocks.next(), None, "one policy each");
    let policy = policy(text);
    assert_eq!(policy.policy().warnings(), [], "{heading}");
    policy
}

/// A process in a container that the state of its runtime, written by this user, names so.
fn within(stated: Stated, uid: u32, user: &str) -> Process {
    let names = stated.names(StatedBy { uid, user: Some(user.into()) }, false);
    let claimed_by = Some(uid).filter(|uid| *uid != 0);
    let naming = Naming::Known(std::sync::Arc::new(names));
    Process { container: Some(Container { claimed_by, naming, ..container("4f1d", None) }), ..postgres() }
}

fn service(name: &str, image: &str) -> Process {
    let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", name)];
    let stated = Stated { image: Some(image.into()), labels: Labels::collect(labels), ..Stated::default() };
    within(stated, 0, "root")
}

fn ask(policy: &ActivePolicy, facts: &Facts<'_>) -> String {
    line(&policy.evaluate(facts, Timestamp::UNIX_EPOCH))
}

#[test]
fn the_policy_for_compose_allows_its_services_and_no_other() {
    let policy = example("Compose");
    let database = service("db", "docker.io/library/postgres:16");
    assert_eq!(ask(&policy, &accepted(5432, "172.30.0.7", Some(&database))), "declared database");
    let orders = service("orders", "registry.example/shop/orders:1.5");
    assert_eq!(ask(&policy, &connected(5432, "172.30.0.3", Some(&orders))), "declared orders");
    let debug = service("debug", "python:3.11");
    let verdict = ask(&policy, &connected(5432, "172.30.0.3", Some(&debug)));
    assert_eq!(verdict, "violation undeclared-process nearest orders(image,label)");
}

fn encrypted() -> Posture {
    Posture {
        version: Some(TlsVersion::Tls13),
        proof: Some(Proof::Echo),
        ..Posture::new(PostureState::Tls13, "")
    }
}

#[test]
fn the_policy_for_kubernetes_allows_the_workload() {
    let (policy, posture) = (example("Kubernetes"), encrypted());
    let pod = |namespace: &str| {
        let stated = Stated {
            name: Some("app".into()),
            image: Some("registry.example/shop/orders:1.4".into()),
            labels: Labels::collect([("app", "orders")]),
            namespace: Some(namespace.into()),
            pod_name: Some("orders-7d9f8b6c5-x2x1q".into()),
            workload: Some(Workload { kind: "Deployment".into(), name: "orders".into() }),
            ..Stated::default()
        };
        within(stated, 0, "root")
    };
    let ask = |process: &Process| {
        let facts = Facts { posture: Some(&posture), ..connected(5432, "10.0.2.15", Some(process)) };
        ask(&policy, &facts)
    };
    assert_eq!(ask(&pod("shop")), "declared orders");
    assert_eq!(ask(&pod("other")), "violation undeclared-process nearest orders(namespace)");
}

#[test]
fn the_policy_for_podman_takes_the_word_that_it_names() {
    let (policy, posture) = (example("Podman"), encrypted());
    let orders = |uid, user| {
        let image = Some("registry.example/shop/orders:1.4".into());
        let stated = Stated { name: Some("orders".into()), image, ..Stated::default() };
        within(stated, uid, user)
    };
    let ask = |process: &Process| {
        let facts = Facts { posture: Some(&posture), ..connected(5432, "10.0.2.15", Some(process)) };
        ask(&policy, &facts)
    };
    assert_eq!(ask(&orders(1000, "alice")), "declared orders");
    assert_eq!(ask(&orders(0, "root")), "declared orders");
    assert_eq!(ask(&orders(1001, "bob")), "violation undeclared-process nearest orders(stated_by)");
    let pasta = Process { exe: Some("/usr/bin/pasta.avx2".into()), user: Some("alice".into()), ..postgres() };
    assert_eq!(ask(&pasta), "declared network of alice's containers");
}
