//! Where the state of container runtimes is.
//!
//! Belongs here: the directories by default, by the runtimes' own configuration and by ours, and which of their files a
//! container must not be able to write. Reading them is `look`'s.

use std::path::{Path, PathBuf};

use crate::host::configured;

/// Bytes that a runtime's configuration may have.
const CONFIG_MAX: u64 = 1 << 20;

/// Where Docker's configuration is: of its packages, and of its snap.
const DOCKER_CONFIG: [&str; 2] = ["/etc/docker/daemon.json", "/var/snap/docker/current/config/daemon.json"];

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Docker's data root.
    Docker,
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
}

/// The state that root's runtimes keep.
pub(super) fn of_root() -> Vec<Place> {
    let mut places = vec![
        Place::new(Kind::Docker, "/var/lib/docker"),
        Place::new(Kind::Docker, "/var/snap/docker/common/var-lib-docker"),
    ];
    let configured = DOCKER_CONFIG.iter().filter_map(|config| docker_root(&read_text(Path::new(config))?));
    places.splice(0..0, configured.map(|base| Place::new(Kind::Docker, base)));
    unique(places)
}

/// The state that the runtimes of a user keep below the home directory.
pub(super) fn of_home(home: &Path) -> Vec<Place> {
    vec![Place::new(Kind::Docker, home.join(".local/share/docker"))]
}

/// A directory of our configuration, which may be that of any runtime.
pub(super) fn of_any_kind(base: &Path) -> Vec<Place> {
    vec![Place::new(Kind::Docker, base)]
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

fn read_text(path: &Path) -> Option<String> {
    String::from_utf8(configured::read(path, CONFIG_MAX).ok()?).ok()
}

/// The data root by the text of `daemon.json` (dockerd's reference; `graph` until 2017).
fn docker_root(text: &str) -> Option<PathBuf> {
    let config: serde_json::Value = serde_json::from_str(text).ok()?;
    let root = config.get("data-root").or_else(|| config.get("graph"))?.as_str()?;
    root.starts_with('/').then(|| PathBuf::from(root))
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
    fn the_data_root_is_the_one_that_docker_reads() {
        assert_eq!(docker_root(r#"{"data-root": "/data/docker"}"#), Some("/data/docker".into()));
        assert_eq!(docker_root(r#"{"graph": "/old"}"#), Some("/old".into()));
        for text in ["", "{", "[]", "{}", r#"{"data-root": 1}"#, r#"{"data-root": "relative"}"#] {
            assert_eq!(docker_root(text), None, "{text}");
        }
    }

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
