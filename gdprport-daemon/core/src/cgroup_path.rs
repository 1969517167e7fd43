//! What a cgroup path shows of the processes in it: systemd unit and slice, container, Kubernetes pod.
//!
//! Belongs here: reading the path as text, total over every text. Does not belong here: finding the path of
//! a process, and whose its directories are (`host::cgroup`).
//!
//! Sources: systemd's `docs/CGROUP_DELEGATION.md` and `src/basic/cgroup-util.c` (escaping of directory
//! names), the kubelet's `pkg/kubelet/cm` (names of pod cgroups), and the directory names that the runtimes
//! themselves give: moby, containerd, cri-o, podman, crun, LXC, systemd-machined.

use std::sync::Arc;

use crate::model::{Container, Naming};

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

/// Who can have made a directory, and so have given it its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// Nobody but root.
    Root,
    /// A user, by number, to whom root has given a directory above it; [`u32::MAX`] if more than one can.
    User(u32),
    /// That cannot be read, or no longer.
    Unknown,
}

/// What a cgroup path shows of the processes in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CgroupPath {
    /// The path below the cgroup root, with a leading `/`.
    pub cgroup: Option<Arc<str>>,
    /// The systemd unit: the outermost `*.service`, `*.scope`, `*.socket`, `*.mount` or `*.swap`.
    pub unit: Option<Arc<str>>,
    /// The innermost systemd slice above the unit.
    pub slice: Option<Arc<str>>,
    /// Whether that is in a container.
    pub inside: Inside,
    /// True if it is the container's own directory, not one within that.
    pub is_own: bool,
}

/// Whether a process is in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Inside {
    /// In none.
    #[default]
    Host,
    /// In the outermost one that its cgroup names, which root has made, or a user to whom root has given a part of the tree
    /// ([`Container::claimed_by`]). Only the former proves anything about mounts and files.
    Container(Container),
    /// Its cgroup is called like a container's, and whether root has called it so can no longer be read.
    Unproven,
}

impl Inside {
    /// The container that root has made.
    #[must_use]
    pub const fn of_root(&self) -> Option<&Container> {
        match self {
            Self::Container(container) if container.claimed_by.is_none() => Some(container),
            Self::Container(_) | Self::Host | Self::Unproven => None,
        }
    }

    /// True if it is known to be in no container that root has made: in none, or in what a user calls one.
    #[must_use]
    pub const fn is_outside_of_roots(&self) -> bool {
        match self {
            Self::Host => true,
            Self::Container(container) => container.claimed_by.is_some(),
            Self::Unproven => false,
        }
    }
}

impl CgroupPath {
    /// Reads a cgroup path, which starts with `/` below the root of its hierarchy.
    ///
    /// The unit is the first directory below the slices, as for systemd itself (`cg_path_get_unit`): anything deeper
    /// may belong to the user that the unit was delegated to, or to a container, and be named like any unit of the system. Unit
    /// and slice names stay escaped as systemd shows them (`\x2d`).
    ///
    /// The container is the outermost one, for the same reason. `maker` is asked for the directory that the container's own
    /// lies in: who can have made it, and so have claimed to be that container.
    #[must_use]
    pub fn parse(path: &str, maker: impl FnOnce(&str) -> Maker) -> Self {
        let mut read = Self { cgroup: Some(Arc::from(path)), ..Self::default() };
        let mut in_slices = true;
        let mut pod = None;
        let mut parent = "";
        let mut begin = 0;

        for segment in path.split('/') {
            let above = &path[..begin];
            begin += segment.len() + 1;
            // `..` leads out of the daemon's own cgroup namespace.
            if matches!(segment, "" | "..") {
                continue;
            }
            if in_slices {
                let name = unescape_directory(segment);
                if is_slice(name) {
                    read.slice = Some(Arc::from(name));
                } else {
                    in_slices = false;
                    read.unit = is_unit(name).then(|| Arc::from(name));
                }
            }
            pod = pod_uid(segment).or(pod);
            if let Some(found) = container_segment(segment, parent) {
                let container = |claimed_by| {
                    Inside::Container(Container {
                        id: found.id(),
                        runtime: found.runtime.map(Arc::from),
                        pod: pod.map(Arc::from),
                        claimed_by,
                        naming: Naming::Unknown,
                    })
                };
                read.inside = match maker(above) {
                    Maker::Root => container(None),
                    Maker::User(uid) => container(Some(uid)),
                    Maker::Unknown => Inside::Unproven,
                };
                read.is_own = path.len() < begin;
                break;
            }
            parent = segment;
        }
        read
    }
}

/// The containerd namespace and the container that `/NAMESPACE/ID…` would be, as `ctr` and other clients of containerd name their
/// cgroups, with ids of any text; and whether that is the whole path. Only containerd's own state shows whether it is one.
#[must_use]
pub fn containerd_task(path: &str) -> Option<(&str, &str, bool)> {
    let mut segments = path.strip_prefix('/')?.split('/').filter(|segment| !segment.is_empty());
    let (namespace, id) = (segments.next()?, segments.next()?);
    // The grammar of containerd's identifiers, which leaves out `..` and everything hidden (pkg/identifiers).
    let is_identifier = |text: &str| {
        text.len() <= 76
            && text.split(['.', '_', '-']).all(|word| !word.is_empty())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let is_systemd = |text: &str| is_slice(text) || is_unit(text);
    let named = is_identifier(namespace) && is_identifier(id) && !is_systemd(namespace) && !is_systemd(id);
    named.then(|| (namespace, id, segments.next().is_none()))
}

/// systemd puts `_` before directory names that would clash with a file of the kernel (`cg_escape`).
fn unescape_directory(segment: &str) -> &str {
    segment.strip_prefix('_').unwrap_or(segment)
}

fn is_unit(name: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

fn is_slice(name: &str) -> bool {
    name.len() > ".slice".len() && name.ends_with(".slice")
}

struct ContainerName<'a> {
    name: &'a str,
    /// The name is a machine's, in which systemd escapes dashes.
    escaped: bool,
    runtime: Option<&'static str>,
}

impl ContainerName<'_> {
    fn id(&self) -> Arc<str> {
        if self.escaped { Arc::from(unescape_unit(self.name)) } else { Arc::from(self.name) }
    }
}

fn container_segment<'a>(segment: &'a str, parent: &str) -> Option<ContainerName<'a>> {
    let stem = segment.strip_suffix(".scope").unwrap_or(segment);
    let found = |name, runtime| Some(ContainerName { name, escaped: false, runtime });

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
fn machine<'a>(segment: &'a str, parent: &str) -> Option<ContainerName<'a>> {
    if let Some(name) = segment.strip_prefix("systemd-nspawn@").and_then(|s| s.strip_suffix(".service")) {
        return Some(ContainerName { name, escaped: true, runtime: Some("systemd-nspawn") })
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
    Some(ContainerName { name, escaped: true, runtime: Some(runtime) })
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
