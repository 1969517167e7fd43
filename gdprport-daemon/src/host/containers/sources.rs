//! The files of each runtime that name a container.
//!
//! Belongs here: which of them are read, in which order, and what is taken from which. What their bytes mean is
//! `core::container`'s. Everything that was used counts for whose word the result is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use gdprport_core::container::bolt::{self, View};
use gdprport_core::container::{Stated, Unreadable, containerd, crio, docker, kubelet, machine, podman};

use super::beneath::{Beneath, Contents};
use super::key::Key;
use super::places::{DRIVERS, Kind, METADATA, Place, TASKS};
use super::word::Word;

/// The namespaces of containerd that are looked at when nothing runs in them any more.
const NAMESPACES: [&str; 2] = ["k8s.io", "default"];

/// Docker's containers in containerd, which has no names of theirs.
const OF_DOCKER: &str = "moby";

/// How long a database that is being written is waited for: Podman writes its own several times while a container starts, and
/// each transaction takes the disk's time. What other files say counts then, but they have no labels.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
];

/// What was read of a container, and whose word it is.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) stated: Stated,
    pub(super) word: Word,
}

impl Reading {
    /// What this lacks, taken from another.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        Self { stated: self.stated.or(other.stated), word: self.word.and(other.word) }
    }

    fn of(stated: Stated, file: &Contents) -> Self {
        Self { stated, word: file.word }
    }
}

/// What a place says of a container; `None` if nothing by which a person would know it.
pub(super) fn read(place: &Place, key: &Key) -> Option<Reading> {
    let named = matches!(key.runtime.as_deref(), Some("lxc" | "systemd-nspawn"));
    if named != matches!(place.kind, Kind::Machined | Kind::Lxc) {
        return None;
    }
    let base = Beneath::open(&place.base).ok()?;
    let found = match &place.kind {
        Kind::Docker => in_docker(&base, &key.id),
        Kind::Storage => DRIVERS.iter().find_map(|driver| in_storage(&base, driver, &key.id)),
        Kind::Containerd { root } => in_containerd(&base, root, &key.id),
        Kind::Kubelet => in_logs(&base, key),
        Kind::Machined => with(&base.read(&key.id).ok()?, |bytes| machine::machined(bytes, &key.id)),
        Kind::Lxc => {
            with(&base.directory(&key.id).ok()?.read("config").ok()?, |bytes| machine::lxc(bytes, &key.id))
        }
    };
    found.filter(|reading| !reading.stated.is_empty())
}

fn with(file: &Contents, parse: impl FnOnce(&[u8]) -> Result<Stated, Unreadable>) -> Option<Reading> {
    parse(&file.bytes).ok().map(|stated| Reading::of(stated, file))
}

fn in_docker(base: &Beneath, id: &str) -> Option<Reading> {
    let containers = base.directory("containers").ok()?;
    let container = |id: &str| {
        let file = containers.directory(id).ok()?.read("config.v2.json").ok()?;
        let found = docker::container(&file.bytes, id).ok()?;
        Some((Reading::of(found.stated, &file), found.driver))
    };
    let (mut found, driver) = container(id)?;
    if let (Some(driver), Some(image_id)) = (driver, found.stated.image_id.clone())
        && let Ok(file) = base.below(&["image", &driver]).and_then(|images| images.read("repositories.json"))
        && let Ok(Some(digest)) = docker::image_digest(&file.bytes, found.stated.image.as_deref(), &image_id)
    {
        found.stated.image_digest.get_or_insert(digest);
        found.word = found.word.and(file.word);
    }
    Some(in_pod(found, |sandbox| container(sandbox).map(|(sandbox, _)| sandbox)))
}

/// With the labels of its pod, which the state of the sandbox has.
fn in_pod(found: Reading, sandbox: impl FnOnce(&str) -> Option<Reading>) -> Reading {
    match found.stated.sandbox.clone().and_then(|id| sandbox(&id)) {
        Some(sandbox) => {
            Reading { stated: found.stated.in_pod(sandbox.stated), word: found.word.and(sandbox.word) }
        }
        None => found,
    }
}

fn in_storage(base: &Beneath, driver: &str, id: &str) -> Option<Reading> {
    let containers = base.directory(&format!("{driver}-containers")).ok()?;
    let config = |id: &str| containers.below(&[id, "userdata"]).ok()?.read("config.json").ok();
    let own = config(id);
    if let Some(found) = own.as_ref().and_then(|file| with(file, crio::config)) {
        return Some(in_pod(found, |sandbox| with(&config(sandbox)?, crio::config)));
    }
    let lists = ["containers.json", "volatile-containers.json"];
    let in_list = |name: &&str| {
        let file = containers.read(name).ok()?;
        Some(Reading::of(podman::in_storage(&file.bytes, id).ok()??, &file))
    };
    let mut found =
        [in_libpod(base, id), lists.iter().find_map(in_list)].into_iter().flatten().reduce(Reading::or)?;
    if let Some(mounts) = own.as_ref().and_then(|file| with(file, podman::mounts)) {
        found = found.or(mounts);
    }
    if let Some(image_id) = found.stated.image_id.clone()
        && let Ok(file) =
            base.directory(&format!("{driver}-images")).and_then(|images| images.read("images.json"))
        && let Ok(Some(digest)) = podman::image_digest(&file.bytes, &image_id)
    {
        found.stated.image_digest.get_or_insert(digest);
        found.word = found.word.and(file.word);
    }
    Some(found)
}

/// What libpod's database says, which alone has the labels: that of Podman 5, or of Podman until 4.
fn in_libpod(base: &Beneath, id: &str) -> Option<Reading> {
    let in_sqlite = || {
        let (file, word) = base.file("db.sql").ok()?;
        // Whatever else is wrong with it, there may be one.
        let journal = || {
            let found = base.file("db.sql-journal");
            found.map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| true)
        };
        let read = || podman::in_sqlite(&|offset, bytes| fill(&file, offset, bytes), &journal, id);
        Some(Reading { stated: patiently(read).ok()??, word })
    };
    let in_bolt = || {
        let (file, word) = base.directory("libpod").ok()?.file("bolt_state.db").ok()?;
        let read = || podman::in_bolt(&|offset, bytes| fill(&file, offset, bytes), id);
        Some(Reading { stated: patiently(read).ok()??, word })
    };
    in_sqlite().or_else(in_bolt)
}

/// Reads a database, again if it changes meanwhile.
fn patiently<T>(read: impl Fn() -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    for pause in PAUSES {
        match read() {
            Err(Unreadable::Changing) => thread::sleep(pause),
            done => return done,
        }
    }
    read()
}

fn fill(file: &File, offset: u64, bytes: &mut [u8]) -> bool {
    file.read_exact_at(bytes, offset).is_ok()
}

fn in_containerd(state: &Beneath, root: &Path, id: &str) -> Option<Reading> {
    let tasks = state.directory(TASKS).ok();
    let running = tasks.as_ref().and_then(|tasks| tasks.names().ok()).unwrap_or_default();
    let others = NAMESPACES.iter().map(|name| (*name).to_owned()).filter(|name| !running.contains(name));
    let namespaces: Vec<String> =
        running.iter().cloned().chain(others).filter(|name| name != OF_DOCKER).collect();
    let database =
        Beneath::open(root).ok().and_then(|root| root.directory(METADATA).ok()?.file("meta.db").ok());
    let record = |namespace: &str, id: &str| {
        let (file, word) = database.as_ref()?;
        let look_up = |view: &View<'_>| containerd::record(view, namespace, id);
        let read = || bolt::view(&|offset, bytes| fill(file, offset, bytes), look_up);
        Some(Reading { stated: patiently(read).ok()??, word: *word })
    };
    namespaces.iter().find_map(|namespace| {
        let bundle =
            tasks.as_ref().and_then(|tasks| tasks.below(&[namespace, id]).ok()?.read("config.json").ok());
        let config = bundle.and_then(|file| with(&file, containerd::config));
        // Only the record has the image by the name that was asked for, not by any of its names.
        let found = [record(namespace, id), config].into_iter().flatten().reduce(Reading::or)?;
        Some(in_pod(found, |sandbox| record(namespace, sandbox)))
    })
}

/// By the names of the files alone.
fn in_logs(base: &Beneath, key: &Key) -> Option<Reading> {
    let pod = key.pod.as_deref()?;
    let in_directory = |directory: &str, find: &dyn Fn(&str) -> Option<Stated>| {
        let directory = base.directory(directory).ok()?;
        let stated = directory.names().ok()?.iter().find_map(|name| find(name))?;
        Some(Reading { stated, word: directory.word_of_entries() })
    };
    let uid = pod.replace('-', "");
    let of_pod = in_directory("pods", &|name| {
        kubelet::pod_logs(name)
            .filter(|found| found.pod_uid.as_ref().is_some_and(|of| of.replace('-', "") == uid))
    })?;
    let container = in_directory("containers", &|name| kubelet::container_log(name, &key.id));
    // What names the container has to be of this pod.
    let container = container.filter(|of| {
        (&of.stated.pod_name, &of.stated.namespace) == (&of_pod.stated.pod_name, &of_pod.stated.namespace)
    });
    Some(match container {
        Some(container) => container.or(of_pod),
        None => of_pod,
    })
}

#[cfg(test)]
mod tests;
