//! Containers and how they are named.
//!
//! Belongs here: the values and their JSON. Reading the state of runtimes is `container`'s, what a rule asks of a name is
//! `policy`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The container a process runs in: id, runtime and pod by its cgroup path, the names by the runtime's state on this host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Wire", into = "Wire")]
#[schemars(with = "Wire")]
pub struct Container {
    /// The runtime's full container id (64 hexadecimal digits for docker, containerd, cri-o and podman).
    pub id: Arc<str>,
    /// `docker`, `containerd`, `cri-o`, `podman`, …; `None` where the path does not show it.
    pub runtime: Option<Arc<str>>,
    /// The Kubernetes pod's uid, with dashes, where the path names one.
    pub pod: Option<Arc<str>>,
    /// The user to whom root has given the part of the cgroup tree that it lies in, and who has so named it; `None` if root
    /// has.
    pub claimed_by: Option<u32>,
    /// What it is called.
    pub naming: Naming,
}

/// How far the names of a container are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Naming {
    /// They are being looked up.
    Pending,
    /// No state of a runtime that could be read on this host names it.
    Unknown,
    /// As the runtime's state has them.
    Known(Arc<Names>),
}

/// What the state of a container's runtime says of it. All texts are those of whoever made the image, the container or the
/// pod: bounded, but otherwise anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Names {
    /// Its name, without a leading `/`; in a Kubernetes pod its name there. At most 253 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// The image as it was asked for: `registry.example/shop/orders:1.4`, `postgres@sha256:…`. At most 512 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Arc<str>>,
    /// The digest of the image's manifest, `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<Arc<str>>,
    /// The digest of the image's configuration, which Docker and Podman show as the image's id, `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<Arc<str>>,
    /// Those of its labels that events show (`[events] labels`); in Kubernetes they are its pod's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// How many labels it has beside these; 4294967295 if its labels could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub labels_omitted: u32,
    /// Labels that are counted in `labels_omitted` and known all the same: rules can ask for them.
    #[serde(skip)]
    pub labels_unshown: BTreeMap<Arc<str>, Arc<str>>,
    /// The Compose project and service that it belongs to, by its labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<Compose>,
    /// The pod's Kubernetes namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// The pod's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<Arc<str>>,
    /// The workload whose pod it is, where its labels show which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Whose word all this is.
    pub stated_by: StatedBy,
    /// True if it can write to the state of a runtime, so that it could rename itself or others: it mounts such a directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writes_state: bool,
}

/// What is known of one label of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label<'a> {
    /// Its value.
    Value(&'a Arc<str>),
    /// The container has no such label.
    Absent,
    /// It may be among those that were too many or too long to be kept.
    Omitted,
}

impl Names {
    /// A label, whether events show it or not.
    #[must_use]
    pub fn label(&self, key: &str) -> Label<'_> {
        match self.labels.get(key).or_else(|| self.labels_unshown.get(key)) {
            Some(value) => Label::Value(value),
            None if self.labels_omitted as usize > self.labels_unshown.len() => Label::Omitted,
            None => Label::Absent,
        }
    }

    /// True if its labels, in Kubernetes its pod's, could not be read: there may be any.
    #[must_use]
    pub const fn has_unread_labels(&self) -> bool {
        self.labels_omitted == u32::MAX
    }

    /// Every label that is known, whether events show it or not.
    pub fn known_labels(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.labels.iter().chain(&self.labels_unshown)
    }
}

/// A Compose project and service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Compose {
    /// The project.
    pub project: Arc<str>,
    /// The service, `null` for what belongs to the project alone.
    pub service: Option<Arc<str>>,
}

/// A Kubernetes workload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Job` or `Rollout` (of Argo).
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// The user who can write the state that names a container, and so names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StatedBy {
    /// 0 if only root can; 4294967295 if more than one other can.
    pub uid: u32,
    /// The user's name, `null` if it has none on this host.
    #[serde(default)]
    pub user: Option<Arc<str>>,
}

/// The JSON of a container.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Container")]
struct Wire {
    /// The runtime's full container id (64 hexadecimal digits for docker, containerd, cri-o and podman).
    id: Arc<str>,
    /// `docker`, `containerd`, `cri-o`, `podman`, …; `null` where the path does not show it.
    runtime: Option<Arc<str>>,
    /// The Kubernetes pod's uid, with dashes, where the path names one.
    pod: Option<Arc<str>>,
    /// The user to whom root has given the part of the cgroup tree that it lies in, and who has so named its id; absent if
    /// root has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_by: Option<u32>,
    /// Whether its names are known. Where they are not, none of the fields below is there.
    #[serde(default)]
    naming: Stage,
    #[serde(flatten)]
    names: Option<Arc<Names>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Naming")]
enum Stage {
    /// They are being looked up; a `flow.update` shows them.
    Pending,
    /// No state of a runtime that could be read on this host names it.
    #[default]
    Unknown,
    /// As the runtime's state has them.
    Known,
}

impl From<Container> for Wire {
    fn from(container: Container) -> Self {
        let Container { id, runtime, pod, claimed_by, naming } = container;
        let (naming, names) = match naming {
            Naming::Pending => (Stage::Pending, None),
            Naming::Unknown => (Stage::Unknown, None),
            Naming::Known(names) => (Stage::Known, Some(names)),
        };
        Self { id, runtime, pod, claimed_by, naming, names }
    }
}

impl From<Wire> for Container {
    fn from(wire: Wire) -> Self {
        let Wire { id, runtime, pod, claimed_by, naming, names } = wire;
        let naming = match (naming, names) {
            (Stage::Known, Some(names)) => Naming::Known(names),
            (Stage::Pending, _) => Naming::Pending,
            (Stage::Unknown | Stage::Known, _) => Naming::Unknown,
        };
        Self { id, runtime, pod, claimed_by, naming }
    }
}

impl Container {
    /// Its names, where they are known.
    #[must_use]
    pub fn names(&self) -> Option<&Names> {
        match &self.naming {
            Naming::Known(names) => Some(names),
            Naming::Pending | Naming::Unknown => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(naming: Naming) -> Container {
        Container { id: "4f".repeat(32).into(), runtime: None, pod: None, claimed_by: None, naming }
    }

    fn names() -> Names {
        Names {
            name: Some("orders-1".into()),
            image: Some("registry.example/orders:1.4".into()),
            image_digest: None,
            image_id: None,
            labels: [("app".into(), "orders".into())].into(),
            labels_omitted: 0,
            labels_unshown: BTreeMap::new(),
            compose: None,
            namespace: None,
            pod_name: None,
            workload: None,
            stated_by: StatedBy { uid: 0, user: Some("root".into()) },
            writes_state: false,
        }
    }

    #[test]
    fn the_names_stand_beside_the_id() {
        let json = serde_json::to_value(container(Naming::Known(Arc::new(names())))).expect("JSON");
        assert_eq!(json["naming"], "known");
        assert_eq!(json["image"], "registry.example/orders:1.4");
        assert_eq!(json["labels"]["app"], "orders");
        assert_eq!(json["stated_by"]["user"], "root");
        assert!(json.get("labels_omitted").is_none() && json.get("pod_name").is_none());
    }

    #[test]
    fn a_container_is_read_as_it_was_written() {
        for naming in [Naming::Pending, Naming::Unknown, Naming::Known(Arc::new(names()))] {
            let container = container(naming);
            let text = serde_json::to_string(&container).expect("JSON");
            assert_eq!(serde_json::from_str::<Container>(&text).expect("a container"), container);
        }
    }

    #[test]
    fn a_label_that_events_do_not_show_is_known() {
        let shown = names();
        assert_eq!((shown.label("app"), shown.label("b")), (Label::Value(&"orders".into()), Label::Absent));
        let some = Names { labels_omitted: 1, labels_unshown: [("b".into(), "1".into())].into(), ..names() };
        assert_eq!((some.label("b"), some.label("c")), (Label::Value(&"1".into()), Label::Absent));
        assert_eq!(some.known_labels().count(), 2);
        let more = Names { labels_omitted: 2, ..some };
        assert_eq!((more.label("b"), more.label("c")), (Label::Value(&"1".into()), Label::Omitted));
    }

    /// As a daemon of an earlier version wrote it.
    #[test]
    fn a_container_without_naming_has_unknown_names() {
        let old: Container = serde_json::from_str(r#"{"id":"a","runtime":null,"pod":null}"#).expect("read");
        assert_eq!(old.naming, Naming::Unknown);
    }
}
