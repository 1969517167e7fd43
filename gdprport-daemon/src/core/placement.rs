//! Where a cgroup path places a process: systemd unit and slice, container, Kubernetes pod.
//!
//! Belongs here: reading the path as text, total over every text. Does not belong here: finding the path of
//! a process (`host::cgroup`).
//!
//! Sources: systemd's `docs/CGROUP_DELEGATION.md` and `src/basic/cgroup-util.c` (escaping of directory
//! names), the kubelet's `pkg/kubelet/cm` (names of pod cgroups), and the directory names that the runtimes
//! themselves give: moby, containerd, cri-o, podman, crun, LXC, systemd-machined.

use std::sync::Arc;

use crate::core::model::{Container, Placement};

/// Endings of systemd units that can hold processes.
const UNIT_SUFFIXES: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// Scope prefixes, as `PREFIX-ID.scope` with systemd as the cgroup driver or as `PREFIX-ID` without it, and
/// the runtime that uses each. The monitors of containers (`crio-conmon-…`, `libpod-conmon-…`) run outside
/// of them: what follows their prefix is no id, so they do not match.
const PREFIXED: [(&str, &str); 6] = [
    ("docker-", "docker"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-", "cri-o"),
    ("libpod-payload-", "podman"),
    ("libpod-", "podman"),
];

/// Directories in which a runtime without systemd makes one directory per container, named by its id.
const PARENTS: [(&str, &str); 5] = [
    ("docker", "docker"),
    ("actions_job", "docker"),
    ("default", "containerd"),
    ("k8s.io", "containerd"),
    ("moby", "docker"),
];

/// Reads a cgroup path, which starts with `/` below the root of its hierarchy.
///
/// The innermost unit and the innermost container win: in a container inside of a container that is where
/// the process runs. Below a user's manager (`user@1000.service`) units are named by the user, who may call one like
/// a unit of the system's: there the manager is the unit. Unit and slice names stay escaped as systemd shows them
/// (`\x2d`).
#[must_use]
pub fn placement(path: &str) -> Placement {
    let mut unit = None;
    let mut last_slice = None;
    let mut slice_of_unit = None;
    let mut container: Option<Found<'_>> = None;
    let mut pod = None;
    let mut parent = "";

    for segment in path.split('/').filter(|s| !s.is_empty()) {
        let name = unescape_directory(segment);
        if unit.is_some_and(is_user_manager) {
            // Whatever follows is the user's own.
        } else if is_unit(name) {
            unit = Some(name);
            slice_of_unit = last_slice;
        } else if is_slice(name) {
            last_slice = Some(name);
        }
        if let Some(uid) = pod_uid(segment) {
            pod = Some(uid);
        }
        if let Some(found) = container_segment(segment, parent) {
            container = Some(found);
        }
        parent = segment;
    }

    Placement {
        cgroup: Some(Arc::from(path)),
        slice: unit.map_or(last_slice, |_| slice_of_unit).map(Arc::from),
        unit: unit.map(Arc::from),
        container: container.map(|found| Container {
            id: found.id(),
            runtime: found.runtime.map(Arc::from),
            pod: pod.map(Arc::from),
        }),
    }
}

/// True for a container outside of users' own slices: who runs in it is in a root directory and mounts that root, or
/// a manager of root's, has made. Below `user.slice` anybody may name a cgroup like a container's.
#[must_use]
pub fn is_made_by_root(place: &Placement) -> bool {
    let by_user = place.cgroup.as_deref().is_some_and(|path| path.starts_with("/user.slice/"));
    place.container.is_some() && !by_user
}

/// systemd puts `_` before directory names that would clash with a file of the kernel (`cg_escape`).
fn unescape_directory(segment: &str) -> &str {
    segment.strip_prefix('_').unwrap_or(segment)
}

fn is_unit(name: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

fn is_user_manager(unit: &str) -> bool {
    unit.strip_prefix("user@").is_some_and(|rest| rest.ends_with(".service"))
}

fn is_slice(name: &str) -> bool {
    name.len() > ".slice".len() && name.ends_with(".slice")
}

struct Found<'a> {
    name: &'a str,
    /// The name is a machine's, in which systemd escapes dashes.
    escaped: bool,
    runtime: Option<&'static str>,
}

impl Found<'_> {
    fn id(&self) -> Arc<str> {
        if self.escaped { Arc::from(unescape_unit(self.name)) } else { Arc::from(self.name) }
    }
}

fn container_segment<'a>(segment: &'a str, parent: &str) -> Option<Found<'a>> {
    let stem = segment.strip_suffix(".scope").unwrap_or(segment);
    let found = |name, runtime| Some(Found { name, escaped: false, runtime });

    for (prefix, runtime) in PREFIXED {
        if let Some(id) = stem.strip_prefix(prefix).filter(|id| is_container_id(id)) {
            return found(id, Some(runtime));
        }
    }
    // containerd with the systemd form of a path under the cgroupfs driver: `SLICE:cri-containerd:ID`.
    if let Some((head, id)) = segment.rsplit_once(':').filter(|(_, id)| is_container_id(id)) {
        return found(id, head.ends_with(":cri-containerd").then_some("containerd"));
    }
    if is_container_id(segment) {
        return found(segment, PARENTS.iter().find(|(dir, _)| *dir == parent).map(|(_, runtime)| *runtime));
    }
    if let Some(name) = segment.strip_prefix("lxc.payload.").filter(|n| !n.is_empty()) {
        return found(name, Some("lxc"));
    }
    if matches!(parent, "lxc" | "lxc.payload") {
        return found(segment, Some("lxc"));
    }
    machine(segment, parent)
}

/// Containers that systemd-machined knows. Virtual machines (`machine-qemu\x2d…`) are none.
fn machine<'a>(segment: &'a str, parent: &str) -> Option<Found<'a>> {
    if let Some(name) = segment.strip_prefix("systemd-nspawn@").and_then(|s| s.strip_suffix(".service")) {
        return Some(Found { name, escaped: true, runtime: Some("systemd-nspawn") })
            .filter(|f| !f.name.is_empty());
    }
    if parent != "machine.slice" {
        return None;
    }
    let name = segment.strip_prefix("machine-")?.strip_suffix(".scope").filter(|n| !n.is_empty())?;
    let runtime = match name.split_once("\\x2d") {
        Some(("qemu", _)) => return None,
        Some(("lxc", _)) => "lxc",
        _ => "systemd-nspawn",
    };
    Some(Found { name, escaped: true, runtime: Some(runtime) })
}

fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The uid in `kubepods-burstable-podUID.slice` (systemd driver, `_` for `-`), in
/// `…podUID.slice:cri-containerd:ID`, or in `podUID` (cgroupfs driver). Static pods have a uid without dashes.
fn pod_uid(segment: &str) -> Option<String> {
    let head = segment.split(':').next().unwrap_or(segment);
    let uid = match head.strip_suffix(".slice") {
        Some(slice) if slice.contains("kubepods") => slice.rsplit_once("-pod")?.1,
        Some(_) => return None,
        None => head.strip_prefix("pod")?,
    };
    let hex = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.bytes().filter(|b| matches!(b, b'-' | b'_')).count();
    (hex == 32 && matches!(dashes, 0 | 4) && hex + dashes == uid.len()).then(|| uid.replace('_', "-"))
}

/// Undoes `\xNN` of systemd's unit names; anything that is no such escape stays as it is.
fn unescape_unit(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("\\x") {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.filter(u8::is_ascii_graphic) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push_str("\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
