//! What one container's state says of it, whichever runtime wrote it.
//!
//! Belongs here: the common result of all parsers, its bounds, and its completion to [`Names`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::labels::Labels;
use crate::model::{Compose, Names, StatedBy, Workload};

/// Bytes of a name, a namespace or a pod's name (RFC 1123 allows Kubernetes 253).
pub const NAME_MAX: usize = 253;

/// Bytes of an image's reference: a repository of 255, a tag of 128 and a digest fit (distribution's `reference`).
pub const IMAGE_MAX: usize = 512;

/// Paths that one container mounts writable, of which more are not looked at.
const MOUNTS_MAX: usize = 256;

/// What the state of a container's runtime says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// Its name, without a leading `/`; in a Kubernetes pod its name there.
    pub name: Option<Arc<str>>,
    /// The image as it was asked for.
    pub image: Option<Arc<str>>,
    /// Digest of the image's manifest, `sha256:…`.
    pub image_digest: Option<Arc<str>>,
    /// Digest of the image's configuration, `sha256:…`.
    pub image_id: Option<Arc<str>>,
    /// Labels; of a Kubernetes container its pod's.
    pub labels: Labels,
    /// The pod's Kubernetes namespace.
    pub namespace: Option<Arc<str>>,
    /// The pod's name.
    pub pod_name: Option<Arc<str>>,
    /// The pod's uid, as the cgroup path has it too.
    pub pod_uid: Option<Arc<str>>,
    /// The workload whose pod it is.
    pub workload: Option<Workload>,
    /// The container that holds the pod's namespaces (its sandbox), whose state has the pod's labels; `None` if it is in no
    /// pod, or is that container.
    pub sandbox: Option<Arc<str>>,
    /// What of the host it mounts writable.
    pub mounts: Vec<Mount>,
    /// What of the host it mounts read-only. A socket in it can be used all the same, and so can what is mounted below it be
    /// written, unless that is read-only too.
    pub read_only_mounts: Vec<Mount>,
}

/// Something of the host that a container mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The absolute path on the host.
    pub source: Arc<str>,
}

/// A text within a bound; `None` if it is empty or longer: a part of a name is another name.
#[must_use]
pub fn text(text: &str, most: usize) -> Option<Arc<str>> {
    (!text.is_empty() && text.len() <= most).then(|| Arc::from(text))
}

/// A digest, `sha256:` and 64 hexadecimal digits in lower case; with or without the algorithm.
#[must_use]
pub fn digest(text: &str) -> Option<Arc<str>> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| Arc::from(format!("sha256:{hex}")))
}

fn push(mounts: &mut Vec<Mount>, source: &str) {
    if source.starts_with('/') && mounts.len() < MOUNTS_MAX {
        mounts.push(Mount { source: Arc::from(source) });
    }
}

impl Stated {
    /// Adds a writable mount of the host's `source`, if it is an absolute path.
    pub fn mounts(&mut self, source: &str) {
        push(&mut self.mounts, source);
    }

    /// Adds a read-only mount of the host's `source`, if it is an absolute path.
    pub fn mounts_read_only(&mut self, source: &str) {
        push(&mut self.read_only_mounts, source);
    }

    /// Takes what it lacks from the state of the same container by another file, or of its pod. What it has stays.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.name = self.name.or(other.name);
        self.image = self.image.or(other.image);
        self.image_digest = self.image_digest.or(other.image_digest);
        self.image_id = self.image_id.or(other.image_id);
        self.namespace = self.namespace.or(other.namespace);
        self.pod_name = self.pod_name.or(other.pod_name);
        self.pod_uid = self.pod_uid.or(other.pod_uid);
        self.workload = self.workload.or(other.workload);
        self.sandbox = self.sandbox.or(other.sandbox);
        // Having none is more than that nobody knows.
        if self.labels.is_unread() || (self.labels.is_empty() && !other.labels.is_unread()) {
            self.labels = other.labels;
        }
        if self.mounts.is_empty() {
            self.mounts = other.mounts;
        }
        if self.read_only_mounts.is_empty() {
            self.read_only_mounts = other.read_only_mounts;
        }
        self
    }

    /// Takes the pod's labels, and with them its workload, from the state of the pod's sandbox, if that is of the same pod. What
    /// the sandbox says of itself, its image and its mounts, is not the container's.
    #[must_use]
    pub fn in_pod(mut self, sandbox: Self) -> Self {
        let is_same = match (&self.pod_uid, &sandbox.pod_uid) {
            (Some(uid), Some(of)) => uid == of,
            _ => {
                self.pod_name.is_some()
                    && (&self.pod_name, &self.namespace) == (&sandbox.pod_name, &sandbox.namespace)
            }
        };
        if is_same {
            self.labels = sandbox.labels;
            self.workload = sandbox.workload;
        }
        self
    }

    /// True if it says nothing by which a person would know the container.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let no_labels = self.labels.is_empty() || self.labels.is_unread();
        self.name.is_none() && self.image.is_none() && self.pod_name.is_none() && no_labels
    }

    /// The names of the container, with all labels shown, stated by whoever can write the state. `writes_state`: it can write
    /// to it itself.
    #[must_use]
    pub fn names(self, stated_by: StatedBy, writes_state: bool) -> Names {
        let label = |keys: [&str; 2]| {
            let value = keys.into_iter().find_map(|key| self.labels.get(key))?;
            // It stands in every event: one that is no name is no project.
            (value.len() <= NAME_MAX).then(|| Arc::clone(value))
        };
        let project = label(["com.docker.compose.project", "io.podman.compose.project"]);
        let service = label(["com.docker.compose.service", "io.podman.compose.service"]);
        let compose = project.map(|project| Compose { project, service });
        let (labels, labels_omitted) = self.labels.into_parts();
        Names {
            name: self.name,
            image: self.image,
            image_digest: self.image_digest,
            image_id: self.image_id,
            labels,
            labels_omitted,
            labels_unshown: BTreeMap::new(),
            compose,
            namespace: self.namespace,
            pod_name: self.pod_name,
            workload: self.workload,
            stated_by,
            writes_state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_beyond_its_bound_is_no_name() {
        assert_eq!(text(&"a".repeat(NAME_MAX), NAME_MAX).map(|name| name.len()), Some(NAME_MAX));
        assert_eq!(text(&"a".repeat(NAME_MAX + 1), NAME_MAX), None);
        assert_eq!(text("", NAME_MAX), None);
    }

    #[test]
    fn a_digest_has_its_algorithm() {
        let hex = "0123456789abcdef".repeat(4);
        let whole = format!("sha256:{hex}");
        assert_eq!(digest(&hex).as_deref(), Some(&*whole));
        assert_eq!(digest(&whole).as_deref(), Some(&*whole));
        assert_eq!((digest(&hex[1..]), digest(&hex.to_uppercase()), digest("sha512:ab")), (None, None, None));
    }

    /// A sandbox id may be that of another pod, or of the container itself.
    #[test]
    fn labels_are_taken_from_the_same_pod_only() {
        let of = |uid: Option<&str>, name: &str, namespace: &str| Stated {
            pod_uid: uid.map(Arc::from),
            pod_name: Some(name.into()),
            namespace: Some(namespace.into()),
            image: Some("pause:3.9".into()),
            labels: Labels::collect([("app", "orders")]),
            ..Stated::default()
        };
        let container = Stated { labels: Labels::default(), image: None, ..of(Some("1"), "orders", "shop") };
        let same = container.clone().in_pod(of(Some("1"), "orders", "shop"));
        assert_eq!((same.labels.get("app").is_some(), same.image), (true, None));
        assert!(container.clone().in_pod(of(Some("2"), "orders", "shop")).labels.is_empty());
        assert!(container.clone().in_pod(of(None, "orders", "test")).labels.is_empty());
        assert!(!container.in_pod(of(None, "orders", "shop")).labels.is_empty());
        assert!(
            Stated::default()
                .in_pod(Stated { labels: Labels::collect([("a", "b")]), ..Stated::default() })
                .labels
                .is_empty()
        );
    }

    #[test]
    fn a_compose_project_is_a_name_within_its_bound() {
        let long = "p".repeat(NAME_MAX + 1);
        let labels = Labels::collect([("com.docker.compose.project", long.as_str())]);
        let names = Stated { labels, ..Stated::default() }.names(StatedBy { uid: 0, user: None }, false);
        assert_eq!((names.compose, names.labels.len()), (None, 1));
    }

    #[test]
    fn compose_projects_are_known_by_their_labels() {
        let stated = Stated {
            labels: Labels::collect([
                ("com.docker.compose.project", "shop"),
                ("com.docker.compose.service", "db"),
            ]),
            ..Stated::default()
        };
        let names = stated.names(StatedBy { uid: 0, user: None }, false);
        let compose = names.compose.expect("a project");
        assert_eq!((&*compose.project, compose.service.as_deref()), ("shop", Some("db")));
    }
}
