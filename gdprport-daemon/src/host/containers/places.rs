//! Where the state of container runtimes is.
//!
//! Belongs here: the directories by default, by the runtimes' own configuration and by ours, and which of their files a
//! container must not be able to write. Reading them is `look`'s.

use std::path::{Path, PathBuf};

use gdprport_core::container::docker;
use gdprport_core::container::podman::StorageConf;

use crate::host::configured;

/// Bytes that a runtime's configuration may have.
const CONFIG_MAX: u64 = 1 << 20;

/// Where Docker's configuration is: of its packages, and of its snap.
const DOCKER_CONFIG: [&str; 2] = ["/etc/docker/daemon.json", "/var/snap/docker/current/config/daemon.json"];

/// Where that of Podman and CRI-O is.
const STORAGE_CONF: &str = "/etc/containers/storage.conf";

/// What is looked at, by configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Whether anything is looked up.
    pub lookup: bool,
    /// Directories beside those that are known.
    pub state: Vec<PathBuf>,
}

impl Default for Places {
    fn default() -> Self {
        Self { lookup: true, state: Vec::new() }
    }
}

/// What kind of state a directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Docker's data root.
    Docker,
    /// The storage of Podman and CRI-O.
    Storage,
    /// What containerd keeps while a container runs.
    Containerd {
        /// Where it keeps what outlives that.
        root: PathBuf,
    },
    /// Where the kubelet links the logs of pods.
    Kubelet,
    /// What systemd-machined keeps of machines.
    Machined,
    /// What LXC keeps of containers.
    Lxc,
}

/// A directory with the state of a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) base: PathBuf,
}

impl Place {
    fn new(kind: Kind, base: impl Into<PathBuf>) -> Self {
        Self { kind, base: base.into() }
    }

    fn containerd(state: impl Into<PathBuf>, root: impl Into<PathBuf>) -> Self {
        Self::new(Kind::Containerd { root: root.into() }, state)
    }

    /// Whose state it is, as people call it.
    pub(super) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Docker => "docker",
            Kind::Storage => "podman, cri-o",
            Kind::Containerd { .. } => "containerd",
            Kind::Kubelet => "kubelet",
            Kind::Machined => "machined",
            Kind::Lxc => "lxc",
        }
    }

    /// What it says of a container.
    pub(super) const fn gives(&self) -> &'static str {
        match self.kind {
            Kind::Docker => "names, images and labels",
            Kind::Storage => "names, images and labels; pods",
            Kind::Containerd { .. } => {
                "names and images of pods' containers, labels of pods; images of others"
            }
            Kind::Kubelet => "names of pods and their containers, where no runtime's state has them",
            Kind::Machined | Kind::Lxc => "that a container is one; its name is its id",
        }
    }

    /// The files that name containers.
    pub(super) fn files(&self, base: &Path) -> Vec<Pattern> {
        match &self.kind {
            Kind::Docker => vec![Pattern::new(base, &["containers", "*", "config.v2.json"])],
            Kind::Storage => vec![
                Pattern::new(base, &["*", "containers.json"]),
                Pattern::new(base, &["*", "volatile-containers.json"]),
                Pattern::new(base, &["*", "*", "userdata", "config.json"]),
                Pattern::new(base, &["libpod", "bolt_state.db"]),
                Pattern::new(base, &["db.sql"]),
            ],
            Kind::Containerd { root } => vec![
                Pattern::new(base, &[TASKS, "*", "*", "config.json"]),
                Pattern::new(root, &[METADATA, "meta.db"]),
            ],
            Kind::Kubelet => vec![Pattern::new(base, &["pods"]), Pattern::new(base, &["containers"])],
            Kind::Machined => vec![Pattern::new(base, &["*"])],
            Kind::Lxc => vec![Pattern::new(base, &["*", "config"])],
        }
    }
}

/// The storage drivers of Podman and CRI-O, the one by default first.
pub(super) const DRIVERS: [&str; 4] = ["overlay", "vfs", "btrfs", "zfs"];

/// Where containerd keeps what runs, below its state.
pub(super) const TASKS: &str = "io.containerd.runtime.v2.task";

/// Where it keeps its database, below its root.
pub(super) const METADATA: &str = "io.containerd.metadata.v1.bolt";

/// The state that root's runtimes keep. By default: Docker (also its snap), Podman and CRI-O, containerd (also that of k3s, RKE2
/// and MicroK8s), the kubelet, systemd-machined and LXC.
pub(super) fn of_root() -> Vec<Place> {
    let docker = DOCKER_CONFIG.iter().filter_map(|path| docker::data_root(&read(path)?).ok()?);
    let mut places: Vec<Place> = docker.map(|root| Place::new(Kind::Docker, root)).collect();
    places.push(Place::new(Kind::Docker, "/var/lib/docker"));
    places.push(Place::new(Kind::Docker, "/var/snap/docker/common/var-lib-docker"));
    let storage = storage_conf();
    for root in [storage.graph_root, storage.run_root].into_iter().flatten() {
        places.push(Place::new(Kind::Storage, root));
    }
    places.push(Place::new(Kind::Storage, "/var/lib/containers/storage"));
    places.push(Place::new(Kind::Storage, "/run/containers/storage"));
    places.push(Place::containerd("/run/containerd", "/var/lib/containerd"));
    places.push(Place::containerd("/run/k3s/containerd", "/var/lib/rancher/k3s/agent/containerd"));
    places.push(Place::containerd("/run/k3s/containerd", "/var/lib/rancher/rke2/agent/containerd"));
    let microk8s = Path::new("/var/snap/microk8s/common");
    places.push(Place::containerd(microk8s.join("run/containerd"), microk8s.join("var/lib/containerd")));
    places.push(Place::new(Kind::Kubelet, "/var/log"));
    places.push(Place::new(Kind::Machined, "/run/systemd/machines"));
    places.push(Place::new(Kind::Lxc, "/var/lib/lxc"));
    unique(places)
}

/// The state that the runtimes of a user keep below the home directory. Where a user's own configuration puts it elsewhere, it
/// is not looked for: that may be anywhere.
pub(super) fn of_home(home: &Path, uid: u32) -> Vec<Place> {
    let configured = home.to_str().and_then(|home| storage_conf().of_user(home, uid));
    let storage = configured.map_or_else(|| home.join(".local/share/containers/storage"), PathBuf::from);
    vec![
        Place::new(Kind::Storage, storage),
        Place::new(Kind::Docker, home.join(".local/share/docker")),
        Place::new(Kind::Lxc, home.join(".local/share/lxc")),
    ]
}

/// A directory of our configuration, which may be that of any runtime.
pub(super) fn of_any_kind(base: &Path) -> Vec<Place> {
    vec![Place::new(Kind::Docker, base), Place::new(Kind::Storage, base), Place::containerd(base, base)]
}

fn storage_conf() -> StorageConf {
    read(STORAGE_CONF).and_then(|conf| StorageConf::read(&conf).ok()).unwrap_or_default()
}

fn unique(places: Vec<Place>) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    for place in places {
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

fn read(path: &str) -> Option<Vec<u8>> {
    configured::read(Path::new(path), CONFIG_MAX).ok()
}

/// A file of a state, or many: each step a name, or any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Option<String>>);

impl Pattern {
    /// What lies below `base` by these names, of which `*` is any.
    pub(super) fn new(base: &Path, below: &[&str]) -> Self {
        let steps = steps(base).into_iter().map(|step| Some(step.to_owned()));
        let below = below.iter().map(|step| (*step != "*").then(|| (*step).to_owned()));
        Self(steps.chain(below).collect())
    }

    /// Whether that is in `source`, or is it.
    pub(super) fn is_within(&self, source: &str) -> bool {
        let source = steps(Path::new(source));
        source.len() <= self.0.len()
            && source
                .iter()
                .zip(&self.0)
                .all(|(step, wanted)| wanted.as_deref().is_none_or(|name| name == *step))
    }
}

/// The names on a path without links; `..` goes up.
fn steps(path: &Path) -> Vec<&str> {
    let mut steps = Vec::new();
    for component in path.components() {
        match component {
            std::path::Component::Normal(name) => steps.push(name.to_str().unwrap_or("\0")),
            std::path::Component::ParentDir => drop(steps.pop()),
            _ => {}
        }
    }
    steps
}

/// Through which a container commands a runtime, and so names itself. `/var/run` is a link to `/run`.
pub(super) fn sockets() -> Vec<Pattern> {
    const SOCKETS: [&str; 6] = [
        "docker.sock",
        "containerd/containerd.sock",
        "docker/containerd/containerd.sock",
        "crio/crio.sock",
        "podman/podman.sock",
        "k3s/containerd/containerd.sock",
    ];
    let of = |run: &str| SOCKETS.map(|socket| Pattern::new(&Path::new(run).join(socket), &[]));
    [of("/run"), of("/var/run")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_mounts_a_directory_above_a_file_can_write_it() {
        let pattern = Pattern::new(Path::new("/var/lib/docker"), &["containers", "*", "config.v2.json"]);
        for source in [
            "/",
            "/var",
            "/var/lib/docker/",
            "/var/lib/docker/containers",
            "/var/lib/docker/containers/4f",
            "/srv/../var/lib",
            "/var/lib/docker/containers/4f/config.v2.json",
        ] {
            assert!(pattern.is_within(source), "{source}");
        }
        for source in
            ["/srv", "/var/lib/docker/volumes/db/_data", "/var/lib/docker/containers/4f/hosts", "/var/libx"]
        {
            assert!(!pattern.is_within(source), "{source}");
        }
        assert!(sockets().iter().any(|socket| socket.is_within("/var/run/docker.sock")));
        assert!(sockets().iter().any(|socket| socket.is_within("/run")));
    }
}
