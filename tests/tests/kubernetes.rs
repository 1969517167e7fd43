//! What `packaging/kubernetes` promises: objects that Kubernetes takes, which grant what the daemon needs and no more.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::daemon::program;
use gdprport_tests::manifest::{folder, manifest};
use gdprport_tests::need;
use gdprport_tests::pod::Pod;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::truth::End;
use gdprport_tests::user::User;
use serde_json::{Value, json};

const OBJECTS: [&str; 3] = ["namespace.yaml", "serviceaccount.yaml", "daemonset.yaml"];

/// The oldest version that knows all fields, and the newest.
const VERSIONS: [&str; 2] = [
    include_str!("../fixtures/kubernetes/schema-1.30.json"),
    include_str!("../fixtures/kubernetes/schema-1.37.json"),
];

/// What is wrong with an object by the schemas of one version.
fn wrong(schema: &str, object: &Value) -> Vec<String> {
    let mut schema: Value = serde_json::from_str(schema).expect("JSON");
    let kind = object["kind"].as_str().expect("an object has a kind");
    schema["$ref"] = schema["kinds"][kind]["$ref"].clone();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.iter_errors(object).map(|error| format!("{kind} {}: {error}", error.instance_path())).collect()
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn kubernetes_takes_every_object() {
    for name in OBJECTS {
        let object = need!(manifest(name));
        for schema in VERSIONS {
            assert_eq!(wrong(schema, &object), [] as [String; 0], "{name}");
        }
    }
}

#[test]
fn a_field_that_kubernetes_does_not_know_is_found() {
    let mut object = need!(manifest("daemonset.yaml"));
    object["spec"]["template"]["spec"]["hostPid"] = json!(true);
    for schema in VERSIONS {
        assert_eq!(wrong(schema, &object).len(), 1);
    }
}

#[test]
fn the_kustomization_has_every_object_and_a_valid_policy() {
    let kustomization = need!(manifest("kustomization.yaml"));
    assert_eq!(texts(&kustomization["resources"]), BTreeSet::from(OBJECTS));
    let files = texts(&kustomization["configMapGenerator"][0]["files"]);
    assert_eq!(files, BTreeSet::from(["policy.toml", "gdprport.toml"]));
    let set = need!(manifest("daemonset.yaml"));
    let spec = &set["spec"]["template"]["spec"];
    let volumes = spec["volumes"].as_array().expect("a list");
    let named = volumes.iter().find_map(|volume| volume["configMap"]["name"].as_str());
    assert_eq!(named, kustomization["configMapGenerator"][0]["name"].as_str());
    assert_eq!(spec["containers"][0]["image"], kustomization["images"][0]["name"]);
    let mut check = Command::new(program());
    let output = check.args(["policy", "check", "--any-owner"]).arg(folder().join("policy.toml")).output();
    let output = output.expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The same capabilities as of the systemd unit, and a row of the page for each of them and for each mount.
#[test]
fn the_page_explains_every_mount_and_capability() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| std::fs::read_to_string(checkout.join(name)).expect("it is part of the checkout");
    let (page, unit) = (read("docs/kubernetes.md"), read("packaging/gdprport.service"));
    let set = need!(manifest("daemonset.yaml"));
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let added = texts(&container["securityContext"]["capabilities"]["add"]);
    let granted =
        unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).expect("it is bounded");
    assert_eq!(
        added.iter().map(|name| format!("CAP_{name}")).collect::<BTreeSet<_>>(),
        granted.split(' ').map(str::to_owned).collect::<BTreeSet<_>>()
    );
    let mounts = container["volumeMounts"].as_array().expect("a list");
    let paths = mounts.iter().filter_map(|mount| mount["mountPath"].as_str());
    for name in added.iter().copied().chain(paths) {
        assert!(
            page.lines().any(|line| line.starts_with("| ") && line.contains(&format!("`{name}`"))),
            "{name}"
        );
    }
}

/// With the mounts and capabilities of the manifest, in a mount and a cgroup namespace of its own.
#[test]
fn in_its_image_the_daemon_sees_what_it_sees_on_the_host() {
    let (port, user, cgroup) = (Port::free(), User::games(), Cgroup::service());
    let mut pod = need!(Pod::start(&open(port.number()).alone()));
    let copy = ProgramCopy::new("puppet", "orders-api");
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    let mut client = Puppet::run(&copy.path(), Place::default().cgroup(&cgroup).user(&user));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    client.close(there);
    server.close(here);
    let end = End::client(client.pid(), copy.path(), &user.name, there.address.port(), port.number());
    let event = end.named_exactly(&mut pod.log, "flow.close");
    assert_eq!(event.text("process.cgroup"), cgroup.name(), "{}", event.line());
    assert_eq!(event.text("process.unit"), cgroup.unit(), "{}", event.line());
    let status: Value =
        serde_json::from_slice(&pod.ask(["daemon", "status", "--json"]).stdout).expect("JSON");
    assert_eq!(status["pins"]["directory"], "/sys/fs/bpf/gdprport", "{status}");
    pod.stop();
}
