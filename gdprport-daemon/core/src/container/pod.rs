//! What the kubelet says of pods to every runtime.
//!
//! Belongs here: the labels that it adds to those of the pod, and the names in them. Source: the kubelet's
//! `pkg/kubelet/kuberuntime/labels.go`, which sets them after the pod's own, so that no pod can set them.

use super::json::Json;
use super::labels::Labels;
use super::stated::{NAME_MAX, Stated, text};
use super::workload;

pub(super) const POD_NAME: &str = "io.kubernetes.pod.name";
pub(super) const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
pub(super) const POD_UID: &str = "io.kubernetes.pod.uid";
pub(super) const CONTAINER_NAME: &str = "io.kubernetes.container.name";

/// Bytes of a pod's uid. One has 36, that of a static pod 32.
const UID_MAX: usize = 64;

/// True for a label of the pod itself, which people gave it.
pub(super) fn is_own(key: &str) -> bool {
    !matches!(key, POD_NAME | POD_NAMESPACE | POD_UID | CONTAINER_NAME)
}

/// A pod's names, without its labels.
pub(super) fn named(name: Option<&str>, namespace: Option<&str>, uid: Option<&str>) -> Stated {
    let bounded = |value: Option<&str>, most| value.and_then(|value| text(value, most));
    Stated {
        pod_name: bounded(name, NAME_MAX),
        namespace: bounded(namespace, NAME_MAX),
        pod_uid: bounded(uid, UID_MAX),
        labels: Labels::unread(),
        ..Stated::default()
    }
}

/// A pod with its labels, and so with its workload. Whatever that is known by counts, also where it is not kept.
pub(super) fn labelled(pod: Stated, labels: &Json<'_>) -> Stated {
    let label = |key: &str| labels.get(key).text();
    let workload = pod.pod_name.as_deref().and_then(|name| workload::of(name, &label));
    Stated { workload, labels: labels.labels(is_own), ..pod }
}
