//! Configurations made up from CRI-O's sources, in the order in which it adds the annotations: none is by the program itself.

use super::*;

const HEX: &str = "4f0e4b0a1c5d2e6f4f0e4b0a1c5d2e6f4f0e4b0a1c5d2e6f4f0e4b0a1c5d2e6f";
const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// What the kubelet gives a container and a sandbox as labels.
const KUBELET: [(&str, &str); 3] = [
    ("io.kubernetes.pod.name", "orders-7d9c5b8f6d-x2x4q"),
    ("io.kubernetes.pod.namespace", "shop"),
    ("io.kubernetes.pod.uid", UID),
];

fn json(annotations: &[(&str, &str)]) -> String {
    let mut map = serde_json::Map::new();
    for (key, value) in annotations {
        map.insert((*key).to_owned(), (*value).into());
    }
    let mounts = serde_json::json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/state", "type": "bind", "source": "/var/lib/containers", "options": ["rw", "rbind", "rprivate", "bind"]},
        {"destination": "/etc/hosts", "type": "bind", "source": "/var/lib/kubelet/pods/x/etc-hosts", "options": ["ro", "bind"]},
    ]);
    serde_json::json!({"ociVersion": "1.2.0", "annotations": map, "mounts": mounts}).to_string()
}

/// A container's configuration; `before` are annotations of its pod.
fn container(before: &[(&str, &str)], image: [&str; 3]) -> Stated {
    let sandbox = "5".repeat(64);
    let own = [
        ("io.kubernetes.cri-o.Image", image[0]),
        ("io.kubernetes.cri-o.ImageName", image[1]),
        ("io.kubernetes.cri-o.ImageRef", image[2]),
        (
            "io.kubernetes.cri-o.Name",
            "k8s_app_orders-7d9c5b8f6d-x2x4q_shop_0f8fad5b-d9cb-469f-a165-70867728950e_0",
        ),
        ("io.kubernetes.cri-o.SandboxID", &sandbox),
        ("io.kubernetes.cri-o.ContainerType", "container"),
        ("io.container.manager", "cri-o"),
        ("io.kubernetes.container.name", "app"),
    ];
    let all: Vec<_> = before.iter().copied().chain(own).chain(KUBELET).collect();
    config(json(&all).as_bytes()).expect("read")
}

fn sandbox(labels: &str, after: &[(&str, &str)]) -> Stated {
    let own = [
        ("io.kubernetes.cri-o.Labels", labels),
        ("io.kubernetes.cri-o.ContainerType", "sandbox"),
        ("io.kubernetes.cri-o.SandboxID", "5"),
        ("io.kubernetes.cri-o.Image", "registry.k8s.io/pause:3.10"),
        ("io.kubernetes.cri-o.Namespace", "shop"),
        ("io.container.manager", "cri-o"),
    ];
    let all: Vec<_> = own.into_iter().chain(after.iter().copied()).chain(KUBELET).collect();
    config(json(&all).as_bytes()).expect("read")
}

fn labels() -> String {
    serde_json::json!({
        "app": "orders", "pod-template-hash": "7d9c5b8f6d", "io.kubernetes.pod.uid": UID, "io.kubernetes.container.name": "POD",
    })
    .to_string()
}

#[test]
fn a_container_is_named_with_its_pod() {
    let image = "registry.example/shop/orders:1.4";
    let stated = container(&[], [image, image, HEX]).in_pod(sandbox(&labels(), &[]));
    assert_eq!((stated.name.as_deref(), stated.namespace.as_deref()), (Some("app"), Some("shop")));
    assert_eq!(
        (stated.pod_name.as_deref(), stated.pod_uid.as_deref()),
        (Some("orders-7d9c5b8f6d-x2x4q"), Some(UID))
    );
    assert_eq!((stated.image.as_deref(), stated.image_digest), (Some(image), None));
    assert_eq!(stated.image_id.as_deref(), Some(&*format!("sha256:{HEX}")));
    assert_eq!(stated.workload.map(|workload| workload.name.to_string()).as_deref(), Some("orders"));
    assert_eq!(stated.labels.into_parts().0.len(), 2);
    assert_eq!(
        (&*stated.mounts[0].source, stated.mounts.len(), stated.read_only_mounts.len()),
        ("/var/lib/containers", 1, 1)
    );
}

#[test]
fn the_image_is_a_name_of_the_repository_asked_for() {
    let digest = format!("sha256:{HEX}");
    let by_digest = format!("registry.example/shop/orders@{digest}");
    let tagged = "registry.example/shop/orders:1.4";
    let image = |of: [&str; 3]| {
        let stated = container(&[], of);
        let text = |text: Option<std::sync::Arc<str>>| text.map(|text| text.to_string());
        (text(stated.image), text(stated.image_digest), text(stated.image_id))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(image([&by_digest, tagged, "x"]), (some(tagged), some(&digest), None));
    assert_eq!(
        image([&by_digest, "other.example/orders:1", HEX]),
        (some(&by_digest), some(&digest), some(&digest))
    );
    assert_eq!(image([HEX, tagged, HEX]), (some(tagged), None, some(&digest)));
    assert_eq!(image(["orders:1.4", tagged, HEX]), (some(tagged), None, some(&digest)));
    assert_eq!(image(["orders:1.4", "", HEX]), (some("orders:1.4"), None, some(&digest)));
    assert_eq!(image([HEX, "", &by_digest]), (None, some(&digest), some(&digest)));
    assert_eq!(image(["not an image", "\u{1b}[2J", ""]), (None, None, None));
}

/// The annotations of a pod are its author's.
#[test]
fn a_pods_annotations_name_no_other_pod() {
    let hostile = [
        ("io.kubernetes.pod.namespace", "bank"),
        ("io.kubernetes.pod.name", "payments"),
        ("io.kubernetes.pod.uid", "1"),
        ("io.kubernetes.container.name", "payments"),
        ("io.kubernetes.cri-o.Namespace", "bank"),
        ("io.kubernetes.cri-o.ImageRepoDigests", "registry.example/payments@sha256:00"),
        ("io.kubernetes.cri-o.ImageName", "registry.example/payments:1"),
        ("io.kubernetes.cri-o.SandboxID", "6"),
        ("io.kubernetes.cri-o.ContainerType", "sandbox"),
    ];
    let image = "registry.example/shop/orders:1.4";
    assert_eq!(container(&hostile, [image, image, HEX]), container(&[], [image, image, HEX]));
    let stated = sandbox(&labels(), &hostile);
    assert_eq!((stated.namespace.as_deref(), stated.pod_uid.as_deref()), (Some("shop"), Some(UID)));
    assert_eq!((stated.image, stated.image_digest), (None, None));
}

#[test]
fn labels_that_cannot_be_read_are_not_none() {
    for odd in ["", "[", "[]", "null", "7", "{\"a\":", "\"x\""] {
        let stated = sandbox(odd, &[]);
        assert!(stated.labels.is_unread(), "{odd:?}");
        assert_eq!(stated.pod_name.as_deref(), Some("orders-7d9c5b8f6d-x2x4q"));
    }
    assert!(sandbox("{}", &[]).labels.is_empty());
    let (kept, omitted) = sandbox(r#"{"a":"b","c":null,"d":["e"]}"#, &[]).labels.into_parts();
    assert_eq!((kept.len(), omitted), (1, 2));
    let deep = format!("{{\"a\":{}1{},\"b\":\"c\"}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(sandbox(&deep, &[]).labels.get("b").is_some());
}

/// Podman keeps its containers in the same directories, with some of the same annotations.
#[test]
fn a_container_of_podman_is_not_cri_os() {
    let podman = [("io.container.manager", "libpod"), ("io.kubernetes.cri-o.ContainerType", "container")];
    assert_eq!(config(json(&podman).as_bytes()), Err(OTHER));
    assert_eq!(config(json(&[]).as_bytes()), Err(OTHER));
}

#[test]
fn half_a_configuration_names_nothing() {
    let whole = json(&KUBELET);
    for end in 0..whole.len() {
        assert!(config(&whole.as_bytes()[..end]).is_err(), "{end}");
    }
}
