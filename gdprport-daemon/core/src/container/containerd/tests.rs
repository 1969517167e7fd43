//! What containerd 1.6.20 wrote when a sandbox and a container of a pod were made over its CRI, as the kubelet asks for them, and a
//! container by `ctr`. What later versions and `nerdctl` write besides is made up from their sources.

use rstest::rstest;

use super::super::bolt::{self, View};
use super::*;

const DATABASE: &[u8] = include_bytes!("../fixtures/containerd-meta.db");
const SANDBOX_CONFIG: &str = include_str!("../fixtures/containerd-sandbox-config.json");
const CONTAINER_CONFIG: &str = include_str!("../fixtures/containerd-container-config.json");
const CTR_CONFIG: &str = include_str!("../fixtures/containerd-ctr-config.json");

const SANDBOX_ID: &str = "675abb30c376b34f70e3cce6e468ad3ecd0e7636e3d69c38b2894e574f200da2";
const CONTAINER_ID: &str = "c94d1088a40201e8c834e7d2a838d5a8d62e7655d4d4867ef61fc80d083ef10c";
const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const IMAGE: &str = "registry.example/shop/orders:1.4";
const IMAGE_ID: &str = "sha256:0fe0451509dee7f0c74348f4423b9856e125409216dea99c1aa408e1b047e269";

fn in_database(file: &[u8], namespace: &str, id: &str) -> Result<Option<Stated>, Unreadable> {
    let read = |offset: u64, bytes: &mut [u8]| {
        let from = usize::try_from(offset).expect("64 bits");
        let part = file.get(from..from.saturating_add(bytes.len()));
        part.map(|part| bytes.copy_from_slice(part)).is_some()
    };
    bolt::view(&read, |view: &View<'_>| record(view, namespace, id))
}

fn of_database(namespace: &str, id: &str) -> Stated {
    in_database(DATABASE, namespace, id).expect("read").expect("a record")
}

fn label<'a>(stated: &'a Stated, key: &str) -> Option<&'a str> {
    stated.labels.get(key).map(|value| &**value)
}

fn pod(stated: &Stated) -> (Option<&str>, Option<&str>, Option<&str>) {
    (stated.namespace.as_deref(), stated.pod_name.as_deref(), stated.pod_uid.as_deref())
}

#[test]
fn the_configuration_names_container_and_pod() {
    let stated = config(CONTAINER_CONFIG.as_bytes()).expect("read");
    assert_eq!((stated.name.as_deref(), stated.image.as_deref()), (Some("app"), Some(IMAGE)));
    assert_eq!(pod(&stated), (Some("shop"), Some("orders-7d9c5b8f6d-x2x4q"), Some(UID)));
    assert_eq!(stated.sandbox.as_deref(), Some(SANDBOX_ID));
    assert!(stated.labels.is_unread() && stated.workload.is_none());
    assert_eq!((stated.mounts.len(), stated.read_only_mounts.len()), (4, 0));

    let sandbox = config(SANDBOX_CONFIG.as_bytes()).expect("read");
    assert_eq!((&sandbox.name, &sandbox.sandbox), (&None, &None));
    assert_eq!(pod(&sandbox), pod(&stated));
    assert_eq!((sandbox.mounts.len(), sandbox.read_only_mounts.len()), (0, 2));
}

#[test]
fn the_database_names_what_the_configuration_does() {
    let stated = of_database("k8s.io", CONTAINER_ID);
    assert_eq!((stated.name.as_deref(), stated.image.as_deref()), (Some("app"), Some(IMAGE)));
    assert_eq!(pod(&stated), (Some("shop"), Some("orders-7d9c5b8f6d-x2x4q"), Some(UID)));
    assert_eq!((stated.sandbox.as_deref(), stated.image_id.as_deref()), (Some(SANDBOX_ID), Some(IMAGE_ID)));
    assert!(stated.image_digest.is_some_and(|digest| &*digest != IMAGE_ID));
    assert!(stated.labels.is_unread(), "the image's are not the pod's");
}

#[test]
fn a_container_has_the_labels_of_its_pod() {
    let container =
        of_database("k8s.io", CONTAINER_ID).or(config(CONTAINER_CONFIG.as_bytes()).expect("read"));
    let stated = container.in_pod(of_database("k8s.io", SANDBOX_ID));
    let (labels, omitted) = stated.labels.clone().into_parts();
    let labels: Vec<_> = labels.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!((labels, omitted), (vec![("app", "orders"), ("pod-template-hash", "7d9c5b8f6d")], 0));
    let workload = stated.workload.expect("a deployment");
    assert_eq!((&*workload.kind, &*workload.name), ("Deployment", "orders"));
    assert_eq!(
        (stated.name.as_deref(), stated.image.as_deref(), stated.mounts.len()),
        (Some("app"), Some(IMAGE), 4)
    );
}

#[test]
fn a_container_in_no_pod_has_its_own_labels() {
    let stated = of_database("shop", "orders-ctr").or(config(CTR_CONFIG.as_bytes()).expect("read"));
    assert_eq!((stated.image.as_deref(), pod(&stated)), (Some(IMAGE), (None, None, None)));
    assert_eq!((label(&stated, "com.example.team"), label(&stated, "app")), (Some("shop"), Some("orders")));
    assert_eq!(label(&stated, "io.containerd.image.config.stop-signal"), None);
    assert!(stated.image_digest.is_some());
}

#[test]
fn a_container_of_another_namespace_is_not_found() {
    assert_eq!(in_database(DATABASE, "k8s.io", "orders-ctr"), Ok(None));
    assert_eq!(in_database(DATABASE, "", ""), Ok(None));
    assert_eq!(in_database(DATABASE, "version", CONTAINER_ID), Ok(None));
}

/// Whatever becomes of any one byte, nothing worse happens than that something is not known.
#[test]
fn a_damaged_database_is_read_or_refused() {
    let mut file = DATABASE.to_vec();
    let used: Vec<usize> = (0..file.len()).filter(|at| file[*at] != 0).collect();
    for at in used.into_iter().step_by(29) {
        let was = std::mem::replace(&mut file[at], 0xff);
        for (namespace, id) in [("k8s.io", CONTAINER_ID), ("k8s.io", SANDBOX_ID), ("shop", "orders-ctr")] {
            let _ = in_database(&file, namespace, id);
        }
        file[at] = was;
    }
}

fn any(value: &str) -> Vec<u8> {
    let mut any = vec![0x0a, 3, b'u', b'r', b'l', 0x12];
    let mut len = value.len();
    while len >= 0x80 {
        any.push(u8::try_from(len & 0x7f).expect("7 bits") | 0x80);
        len >>= 7;
    }
    any.push(u8::try_from(len).expect("7 bits"));
    any.extend(value.as_bytes());
    any
}

/// containerd 2.2 with the kubelet of Kubernetes 1.29, which asks for what it has resolved the image to.
#[test]
fn the_image_is_the_one_of_the_specification() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let text = format!(
        r#"{{"Version":"v1","Metadata":{{"SandboxID":"{SANDBOX_ID}","Config":{{"metadata":{{"name":"app"}},
        "image":{{"image":"{IMAGE_ID}","user_specified_image":"shop/orders:1.5"}}}},
        "ImageRef":"{IMAGE_ID}","ImageDigest":"{digest}","ImageName":"docker.io/shop/orders:1.5"}}}}"#
    );
    let stated = container(&any(&text)).expect("read");
    assert_eq!(
        (stated.image.as_deref(), stated.image_id.as_deref()),
        (Some("shop/orders:1.5"), Some(IMAGE_ID))
    );
    assert_eq!(stated.image_digest.as_deref(), Some(&*digest));

    let stated =
        container(&any(&text.replace("\"shop/orders:1.5\"", &format!("\"{IMAGE_ID}\"")))).expect("read");
    assert_eq!(stated.image.as_deref(), Some("docker.io/shop/orders:1.5"));
}

#[test]
fn an_image_known_by_its_id_alone_has_no_reference() {
    let text = CONTAINER_CONFIG.replace(IMAGE, IMAGE_ID);
    let stated = config(text.as_bytes()).expect("read");
    assert_eq!((stated.image, stated.image_id.as_deref()), (None, Some(IMAGE_ID)));
}

#[test]
fn nerdctl_names_its_containers_in_annotations() {
    let text = CTR_CONFIG.replace(
        "\"com.example.team\":\"shop\"",
        r#""nerdctl/name":"orders-1","nerdctl/namespace":"default""#,
    );
    assert_ne!(text, CTR_CONFIG);
    assert_eq!(config(text.as_bytes()).expect("read").name.as_deref(), Some("orders-1"));
}

#[rstest]
#[case::name("\"io.kubernetes.cri.container-name\":\"app\"")]
#[case::image("\"io.kubernetes.cri.image-name\":\"registry.example/shop/orders:1.4\"")]
#[case::uid("\"io.kubernetes.cri.sandbox-uid\":\"0f8fad5b-d9cb-469f-a165-70867728950e\"")]
fn an_odd_annotation_loses_no_other(#[case] field: &str) {
    let whole = config(CONTAINER_CONFIG.as_bytes()).expect("read");
    let (key, _) = field.split_once("\":").expect("a field");
    for odd in ["1", "null", "{\"a\":[]}", "[\"x\"]", "\"\"", &format!("\"{}\"", "x".repeat(600))] {
        let text = CONTAINER_CONFIG.replace(field, &format!("{key}\":{odd}"));
        assert_ne!(text, CONTAINER_CONFIG);
        let stated = config(text.as_bytes()).expect("read");
        let known = |stated: &Stated| {
            let texts = [
                &stated.name,
                &stated.image,
                &stated.pod_uid,
                &stated.pod_name,
                &stated.namespace,
                &stated.sandbox,
            ];
            texts.iter().filter(|text| text.is_some()).count()
        };
        assert_eq!((known(&stated), stated.mounts.len()), (known(&whole) - 1, 4), "{odd}");
    }
}

/// What it says may stand in a terminal later, which must escape it: here it is a text as any.
#[test]
fn control_characters_stay_in_the_text() {
    let text = CONTAINER_CONFIG.replace("\"app\"", "\"a\\u001b[2Jp\\u0000\"");
    assert_eq!(config(text.as_bytes()).expect("read").name.as_deref(), Some("a\u{1b}[2Jp\0"));
}

#[test]
fn half_a_configuration_names_nothing() {
    for end in 0..CONTAINER_CONFIG.trim_end().len() {
        assert!(config(&CONTAINER_CONFIG.as_bytes()[..end]).is_err(), "{end}");
    }
}

/// A pod's author may choose the name of the pod; the namespace and uid are those of the cluster.
#[test]
fn pods_of_one_name_in_two_namespaces_are_two() {
    let container = of_database("k8s.io", CONTAINER_ID);
    let mut other = of_database("k8s.io", SANDBOX_ID);
    other.namespace = Some("test".into());
    other.pod_uid = Some("1f8fad5b-d9cb-469f-a165-70867728950e".into());
    assert!(container.clone().in_pod(other.clone()).labels.is_unread());
    other.pod_uid = None;
    assert!(container.in_pod(other).labels.is_unread());
}

#[rstest]
#[case(b"")]
#[case(b"\x12")]
#[case(b"\x12\x05abc")]
#[case(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a")]
#[case(b"\x0a\x01a")]
#[case(b"\x08\x01")]
fn an_extension_that_is_no_message_is_refused(#[case] bytes: &[u8]) {
    assert!(value(bytes).is_err());
    assert!(container(bytes).is_err() && sandbox(bytes).is_err());
}

/// A sandbox that says nothing of its pod lends its labels to nobody.
#[test]
fn labels_of_no_pod_are_nobodys() {
    let stated = sandbox(&any(r#"{"Metadata":{"Config":{"labels":{"app":"orders"}}}}"#)).expect("read");
    assert!(of_database("k8s.io", CONTAINER_ID).in_pod(stated).labels.is_unread());
}
