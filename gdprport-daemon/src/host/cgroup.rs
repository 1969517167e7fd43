//! From a cgroup id, or a process, to the place of the process.
//!
//! Belongs here: finding the mounts, learning the paths of cgroup ids, choosing a path from `/proc/PID/cgroup`, who
//! owns the directories of a path. Does not belong here: what a path means (`core::cgroup_path`).
//!
//! A cgroup id is the inode number of a cgroup2 directory; the kernel never gives it twice between boots,
//! so what was learned stays true. Paths come, in this order, from records of the kernel side (the only
//! source for cgroups that are gone), from the kernel by handle, and from one walk over the hierarchy where
//! handles are refused (they need `CAP_DAC_READ_SEARCH`).

mod ids;
mod task;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdprport_common::PATH_CAP;
use rustix::fs::{Mode, OFlags, open};

use crate::host::cache::Generations;
use gdprport_core::cgroup_path::{CgroupPath, Inside, Maker};
use gdprport_core::model::Container;

/// Paths kept: a busy Kubernetes node has about 1,500 cgroups, short-lived units come on top; about 400
/// bytes each.
const CAP: usize = 8192;

/// Directories read in one walk: four times the cache.
const WALK_CAP: usize = 4 * CAP;

/// Time between two walks: a walk costs about 10 µs per directory.
const WALK_EVERY_NS: u64 = 1_000_000_000;

/// How long it counts that no v1 hierarchy has a container, unless a record says otherwise: a lost record is made up for.
const V1_WALK_EVERY_NS: u64 = 10_000_000_000;

/// Type of a file handle of kernfs: eight bytes, the node's id (include/linux/exportfs.h, since 5.5).
const FILEID_KERNFS: i32 = 0xfe;

/// Hierarchies of cgroup v1, the most specific about units and containers first.
const V1_ORDER: [&str; 6] = ["name=systemd", "memory", "pids", "cpu", "cpuacct", "devices"];

/// The inode number of the root directory of cgroup2, since Linux 5.5 (`kernfs_create_root`, fs/kernfs/dir.c).
const ROOT_CGROUP: u64 = 1;

/// Whether a part of the tree is mounted here instead of its root, as in a container with a cgroup namespace of its own.
#[must_use]
pub(crate) fn is_part(cgroup2: &Path) -> bool {
    std::fs::metadata(cgroup2).is_ok_and(|found| found.ino() != ROOT_CGROUP)
}

/// Where cgroup hierarchies are mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts {
    /// Mount point of cgroup2; `None` if it is not mounted.
    pub cgroup2: Option<PathBuf>,
    /// The mounts of cgroup v1 hierarchies. Where there are any, processes may be placed in those only.
    pub v1: Vec<V1Mount>,
}

/// A mounted hierarchy of cgroup v1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V1Mount {
    /// Its mount options, separated by commas; controllers, or `name=…`, are among them.
    pub options: String,
    /// Its mount point; `None` if only a part of it is mounted there.
    pub point: Option<PathBuf>,
}

impl Mounts {
    /// Reads the text of a `mountinfo` file (proc_pid_mountinfo(5)). The mount of the hierarchy's root is
    /// preferred to one of a part of it. Malformed lines are skipped.
    #[must_use]
    pub fn parse(mountinfo: &str) -> Self {
        let mut mounts = Self::default();
        let mut complete = false;
        for line in mountinfo.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let mut fields = head.split(' ').skip(3);
            let (Some(root), Some(point)) = (fields.next(), fields.next()) else { continue };
            let mut fields = tail.split(' ');
            match fields.next() {
                Some("cgroup2") if mounts.cgroup2.is_none() || (root == "/" && !complete) => {
                    mounts.cgroup2 = Some(PathBuf::from(unescape_octal(point)));
                    complete = root == "/";
                }
                Some("cgroup") => mounts.v1.push(V1Mount {
                    options: fields.next_back().unwrap_or_default().to_owned(),
                    point: (root == "/").then(|| PathBuf::from(unescape_octal(point))),
                }),
                _ => {}
            }
        }
        mounts
    }

    /// Where a complete hierarchy is mounted; `""` is cgroup2.
    fn point(&self, hierarchy: &str) -> Option<&Path> {
        if hierarchy.is_empty() {
            return self.cgroup2.as_deref();
        }
        let is_it = |mount: &&V1Mount| mount.options.split(',').any(|option| option == hierarchy);
        self.v1.iter().filter(is_it).find_map(|mount| mount.point.as_deref())
    }

    /// True if a v1 hierarchy has a directory that is called like a container's, or may have.
    fn v1_containers(&self) -> bool {
        let points: Vec<&Path> = self.v1.iter().filter_map(|mount| mount.point.as_deref()).collect();
        let mut seen = 0;
        let mut in_hierarchy = |point: &&Path| {
            let mut open = vec![point.to_path_buf()];
            while let Some(dir) = open.pop() {
                let Ok(entries) = std::fs::read_dir(&dir) else { continue };
                for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
                    seen += 1;
                    let path = entry.path();
                    let below = path.strip_prefix(point).ok().and_then(Path::to_str);
                    if seen > WALK_CAP || below.is_none_or(names_container) {
                        return true;
                    }
                    open.push(path);
                }
            }
            false
        };
        points.is_empty() || points.iter().any(&mut in_hierarchy)
    }

    /// Where the text of `/proc/PID/cgroup` places a process. The text must be read again if that is a container: a
    /// process that has moved on proves nothing by directories of the same name.
    pub(super) fn place(&self, text: &str) -> Option<CgroupPath> {
        let read = |(hierarchy, path): (&str, &str)| {
            let maker = |above: &str| self.point(hierarchy).map_or(Maker::Unknown, |root| maker(root, above));
            let place = CgroupPath::parse(path, maker);
            if hierarchy.is_empty() { task::or_task(place, path, &task::TASKS, maker) } else { place }
        };
        // A runtime that uses v1 leaves its containers in its own unit in cgroup2. What a user claims hides neither a container
        // of root's nor a unit.
        let in_container = paths(text).map(read).find(|place| !place.inside.is_outside_of_roots());
        in_container.or_else(|| choose_path(text).map(read))
    }

    /// Reads this process's mounts.
    ///
    /// # Errors
    /// If `/proc/self/mountinfo` cannot be read, which means that `/proc` is not mounted.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(&String::from_utf8_lossy(&std::fs::read("/proc/self/mountinfo")?)))
    }
}

/// The container whose own directory a place is.
fn own_container(place: &CgroupPath) -> Option<Container> {
    match &place.inside {
        Inside::Container(container) if place.is_own => Some(container.clone()),
        Inside::Container(_) | Inside::Host | Inside::Unproven => None,
    }
}

/// True if a path below the root of a hierarchy is called like a container's.
fn names_container(path: &str) -> bool {
    CgroupPath::parse(path, |_| Maker::Root).inside != Inside::Host
}

/// Who can have created a directory in `above`, a path below the root of a hierarchy: only root, if nobody else may
/// write to it or to a directory above it.
fn maker(root: &Path, above: &str) -> Maker {
    let mut dir = root.to_owned();
    let mut user = None;
    for step in std::iter::once("").chain(above.split('/').filter(|step| !step.is_empty())) {
        if step == ".." {
            return Maker::Unknown;
        }
        dir.push(step);
        let Ok(found) = std::fs::symlink_metadata(&dir) else { return Maker::Unknown };
        let by_group = found.mode() & 0o020 != 0 && found.gid() != 0;
        if by_group || found.mode() & 0o002 != 0 {
            user = Some(u32::MAX);
        } else if found.uid() != 0 {
            // Below a directory of one user another's is that of both.
            user = Some(if user.is_none_or(|uid| uid == found.uid()) { found.uid() } else { u32::MAX });
        }
    }
    user.map_or(Maker::Root, Maker::User)
}

/// `mountinfo` writes blanks and backslashes as three octal digits.
fn unescape_octal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let (byte, taken) = code.filter(u8::is_ascii).map_or((b'\\', 1), |byte| (byte, 4));
        out.push(char::from(byte));
        rest = &rest[at + taken..];
    }
    out.push_str(rest);
    out
}

/// Where a cgroup id places a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CgroupLookup {
    Known(Arc<CgroupPath>),
    /// This is its place in cgroup2, where no container holds it. But there are containers in v1 hierarchies, and if it is in
    /// one, only `/proc/PID/cgroup` shows that.
    UnlessInV1(Arc<CgroupPath>),
    /// The id is the cgroup2 root's and v1 hierarchies exist: only `/proc/PID/cgroup` has the place.
    OnlyInV1,
    Unknown,
}

impl CgroupLookup {
    /// The place, where `/proc/PID/cgroup` shows `own`; `None` if the process was gone by then.
    pub(super) fn given(self, own: Option<&Arc<CgroupPath>>) -> Option<Arc<CgroupPath>> {
        match self {
            Self::Known(place) => Some(place),
            Self::OnlyInV1 => own.map(Arc::clone),
            Self::UnlessInV1(place) => {
                own.map(|own| if own.inside == Inside::Host { place } else { Arc::clone(own) })
            }
            Self::Unknown => None,
        }
    }
}

/// The paths of cgroup ids.
#[derive(Debug)]
pub(super) struct Cgroups {
    mount: Option<(OwnedFd, PathBuf)>,
    root_id: u64,
    mounts: Mounts,
    /// Containers were seen in v1 hierarchies.
    v1_containers: bool,
    /// When v1 hierarchies were last searched for them.
    v1_walked_ns: Option<u64>,
    known: Generations<u64, Arc<CgroupPath>>,
    walked_ns: Option<u64>,
}

impl Cgroups {
    pub(super) fn new(mounts: &Mounts) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mount = mounts.cgroup2.as_ref().and_then(|path| {
            let fd = open(path, flags, Mode::empty()).ok()?;
            Some((fd, path.clone()))
        });
        let root_id = mount.as_ref().and_then(|(_, path)| Some(std::fs::metadata(path).ok()?.ino()));
        Self {
            mount,
            root_id: root_id.unwrap_or(0),
            mounts: mounts.clone(),
            v1_containers: false,
            v1_walked_ns: None,
            known: Generations::new(CAP),
            walked_ns: None,
        }
    }

    /// Learns a path from a record of the kernel side. Paths that were cut or are no UTF-8 are ignored: a part
    /// of a path names another cgroup. Returns the container whose own directory it is.
    pub(super) fn learn(&mut self, id: u64, path: &[u8]) -> Option<Container> {
        if path.len() >= PATH_CAP - 1 || !path.starts_with(b"/") {
            return None;
        }
        let place = Arc::new(self.placed(id, std::str::from_utf8(path).ok()?));
        self.known.insert(id, Arc::clone(&place));
        own_container(&place)
    }

    /// Learns from a record that a directory of a v1 hierarchy was created; `None`: its path could not be read.
    /// Returns the container whose own directory it is, if root has made it.
    pub(super) fn learn_v1(&mut self, path: Option<&[u8]>) -> Option<Container> {
        let path = path.and_then(|path| std::str::from_utf8(path).ok());
        self.v1_containers |= path.is_none_or(names_container);
        own_container(&CgroupPath::parse(path?, |_| Maker::Root))
    }

    /// Whether a process may be in a container that only v1 hierarchies show.
    fn may_be_in_v1(&mut self, now_ns: u64) -> bool {
        let recent = |last| now_ns.saturating_sub(last) < V1_WALK_EVERY_NS;
        if !self.mounts.v1.is_empty() && !self.v1_containers && !self.v1_walked_ns.is_some_and(recent) {
            self.v1_walked_ns = Some(now_ns);
            self.v1_containers = self.mounts.v1_containers();
        }
        self.v1_containers
    }

    /// What a path means that was learnt for an id. The directories above are its own as long as it is there: one that
    /// holds another cannot be removed.
    fn placed(&self, id: u64, path: &str) -> CgroupPath {
        let maker = |above: &str| {
            let Some((_, point)) = &self.mount else { return Maker::Unknown };
            let found = maker(point, above);
            let full = point.join(path.trim_start_matches('/'));
            let is_there = std::fs::symlink_metadata(full).is_ok_and(|dir| dir.ino() == id);
            if is_there { found } else { Maker::Unknown }
        };
        task::or_task(CgroupPath::parse(path, maker), path, &task::TASKS, maker)
    }

    /// Where the id places a process. Asks the kernel only for ids that are not known.
    pub(super) fn place(&mut self, id: u64, now_ns: u64) -> CgroupLookup {
        if id == 0 {
            return CgroupLookup::Unknown;
        }
        if id == self.root_id {
            return if !self.mounts.v1.is_empty() {
                CgroupLookup::OnlyInV1
            } else {
                CgroupLookup::Known(Arc::new(CgroupPath::parse("/", |_| Maker::Unknown)))
            };
        }
        let Some(found) = self.path_of(id, now_ns) else { return CgroupLookup::Unknown };
        if found.inside.is_outside_of_roots() && self.may_be_in_v1(now_ns) {
            return CgroupLookup::UnlessInV1(found);
        }
        CgroupLookup::Known(found)
    }

    fn path_of(&mut self, id: u64, now_ns: u64) -> Option<Arc<CgroupPath>> {
        if let Some(known) = self.known.get(&id) {
            return Some(Arc::clone(known));
        }
        if let Some(path) = self.by_handle(id) {
            let found = Arc::new(self.placed(id, &path));
            self.known.insert(id, Arc::clone(&found));
            return Some(found);
        }
        self.walk(now_ns);
        self.known.get(&id).map(|known| Arc::clone(known))
    }

    fn by_handle(&self, id: u64) -> Option<String> {
        /// `struct file_handle` (open_by_handle_at(2)) with room for the eight bytes of kernfs.
        #[repr(C)]
        struct Handle {
            bytes: u32,
            kind: i32,
            id: [u8; 8],
        }
        let (mount, point) = self.mount.as_ref()?;
        let mut handle = Handle { bytes: 8, kind: FILEID_KERNFS, id: id.to_ne_bytes() };
        let flags = libc::O_PATH | libc::O_CLOEXEC;
        // SAFETY: `Handle` has the layout of `struct file_handle` followed by `bytes` bytes, and lives until
        // the call returns; the descriptor is open; a result ≥ 0 is a new descriptor that nobody else owns.
        let dir = unsafe {
            let fd = libc::open_by_handle_at(mount.as_raw_fd(), (&raw mut handle).cast(), flags);
            if fd < 0 {
                return None;
            }
            OwnedFd::from_raw_fd(fd)
        };
        let path = std::fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd())).ok()?;
        let below = path.strip_prefix(point).ok()?.to_str()?;
        (!below.ends_with(" (deleted)")).then(|| format!("/{below}"))
    }

    /// Learns every directory of the hierarchy, at most once per [`WALK_EVERY_NS`].
    fn walk(&mut self, now_ns: u64) {
        let Some((_, point)) = &self.mount else { return };
        if self.walked_ns.is_some_and(|last| now_ns.saturating_sub(last) < WALK_EVERY_NS) {
            return;
        }
        self.walked_ns = Some(now_ns);
        let mut open = vec![point.clone()];
        let mut seen = 0;
        while let Some(dir) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
                seen += 1;
                if seen > WALK_CAP {
                    return;
                }
                let path = entry.path();
                if let Some(below) = path.strip_prefix(point).ok().and_then(Path::to_str) {
                    let id = entry.ino();
                    if self.known.get(&id).is_none() {
                        let placed = self.placed(id, &format!("/{below}"));
                        self.known.insert(id, Arc::new(placed));
                    }
                }
                open.push(path);
            }
        }
    }

    /// How many paths were forgotten because the cache was full.
    pub(super) const fn forgotten(&self) -> u64 {
        self.known.forgotten()
    }
}

/// Chooses, from the text of `/proc/PID/cgroup`, the hierarchy (`""` is cgroup2) and the most specific path: cgroup2's
/// unless that is the root, else the first v1 hierarchy of [`V1_ORDER`] in which the process is not at the root, else
/// `/`. `None` if the text holds no path.
pub(super) fn choose_path(text: &str) -> Option<(&'static str, &str)> {
    paths(text).find(|(_, path)| *path != "/").or_else(|| paths(text).next())
}

/// The hierarchies of the text of `/proc/PID/cgroup` and the process's path in each, cgroup2 first and then by [`V1_ORDER`].
fn paths(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let line = |wanted: &'static str| {
        text.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let is_it = controllers.split(',').any(|c| c == wanted) && path.starts_with('/');
            is_it.then_some((wanted, path))
        })
    };
    std::iter::once("").chain(V1_ORDER).filter_map(line)
}

#[cfg(test)]
mod tests;
