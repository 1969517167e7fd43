//! The resolver's state: what it reads, and what was reported and found, in bounded caches.
//!
//! A known owner costs one look-up and no system call. Every cache forgets what was least recently used; a forgotten
//! entry is found again or, if the process is gone, stays `null`: it is never another process's.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdprport_common::{ExecRecord, TaskIdentity};

use super::appeared::{Appeared, New};
use super::entries::{CachedProcess, ExecEntry, FactsKey, ProcessFacts, ProcessKey};
use crate::host::accounts::AccountNames;
use crate::host::cache::Generations;
use crate::host::cgroup::{Cgroups, Mounts};
use crate::host::clock::{BootClock, boottime_ns};
use crate::host::containers::{ContainerNames, Directory, Places};
use crate::host::file::Root;
use crate::host::pid;
use gdprport_core::container::ShownLabels;
use gdprport_core::counters::{ContainerCounters, OwnerCounters};
use gdprport_core::executed::{Executable, ExecutedFile};
use gdprport_core::identity::ExecName;
use gdprport_core::model::Process;
use gdprport_core::shared::Shared;
use tokio::sync::Notify;

/// Owners and executables remembered: twice the processes of a large host, so that bursts of short-lived
/// ones do not push out those that stay. About 6 MB when full.
const CAP: usize = 8192;

/// The kernel side's maps of tasks and executables.
pub trait TaskLookup: Sync {
    /// The process that has this tgid now.
    fn identity(&self, tgid: u32) -> Option<TaskIdentity>;
    /// What an exec id stands for.
    fn exec(&self, exec_id: u64) -> Option<ExecRecord>;
    /// The cookie of the network namespace that the calling thread is in, where only kernel programs learn it.
    fn netns_cookie(&self) -> Option<u64> {
        None
    }
}

/// Where the machine is read.
#[derive(Debug, Clone)]
pub struct Roots {
    /// The `proc` file system.
    pub proc: PathBuf,
    /// The root directory of processes that run in no container.
    pub host_root: PathBuf,
    /// The cgroup hierarchies.
    pub cgroups: Mounts,
}

impl Roots {
    /// This machine: `/proc`, init's root directory (this daemon's own if that may not be opened, which
    /// may lack directories), and the cgroups of `/proc/self/mountinfo`.
    ///
    /// # Errors
    /// If `/proc` is not mounted.
    pub fn discover() -> io::Result<Self> {
        let init_root = Path::new("/proc/1/root");
        let host_root = if Root::open(init_root).is_some() { init_root } else { Path::new("/") };
        Ok(Self { proc: "/proc".into(), host_root: host_root.into(), cgroups: Mounts::read()? })
    }
}

/// Resolves owners. One per daemon. Synchronous, but every call is bounded, and so is the time that all calls together
/// wait for names of users and groups (`host::accounts`).
#[derive(Debug)]
pub struct Resolver {
    pub(super) proc_path: PathBuf,
    pub(super) proc: OwnedFd,
    pub(super) mounts: Mounts,
    pub(super) host_root: Option<Root>,
    pub(super) clock: BootClock,
    pub(super) cgroups: Cgroups,
    pub(super) names: AccountNames,
    pub(super) containers: ContainerNames,
    pub(super) execs: Generations<u64, ExecEntry>,
    pub(super) facts: Generations<FactsKey, Arc<ProcessFacts>>,
    pub(super) processes: Generations<ProcessKey, CachedProcess>,
    pub(super) netns: Generations<u64, u64>,
    pub(super) unknown: Shared<Process>,
    pub(super) seeded: u64,
    /// Nobody sees what is executed: see [`Self::set_execs_unseen`].
    pub(super) execs_unseen: bool,
    pub(super) counters: OwnerCounters,
    pub(super) appeared: Appeared,
}

impl Resolver {
    /// A resolver with empty caches.
    ///
    /// # Errors
    /// If `proc` cannot be opened.
    pub fn new(roots: &Roots, clock: BootClock) -> io::Result<Self> {
        Ok(Self {
            proc_path: roots.proc.clone(),
            proc: pid::open_proc(&roots.proc)?,
            mounts: roots.cgroups.clone(),
            host_root: Root::open(&roots.host_root),
            clock,
            cgroups: Cgroups::new(&roots.cgroups),
            names: AccountNames::new(),
            containers: ContainerNames::none(),
            execs: Generations::new(CAP),
            facts: Generations::new(CAP),
            processes: Generations::new(CAP),
            netns: Generations::new(CAP),
            unknown: Shared::new(Process::UNKNOWN),
            // Differs from any id that a previous daemon gave, which the kernel side may still know: it gave fewer
            // ids than nanoseconds have passed since.
            seeded: boottime_ns(),
            execs_unseen: false,
            counters: OwnerCounters::default(),
            appeared: Appeared::default(),
        })
    }

    /// Takes a new measurement of the wall clock for start times found from now on.
    pub const fn set_clock(&mut self, clock: BootClock) {
        self.clock = clock;
    }

    /// From now on no executable is reported: without the hook for `execve` the exec ids of the kernel side are those of the
    /// processes that forked, and would name somebody else's program.
    pub const fn set_execs_unseen(&mut self) {
        self.execs_unseen = true;
    }

    /// Learns an exec record. What was found since stays.
    pub fn learn_exec(&mut self, exec: &Executable<'_>) {
        if self.execs.get(&exec.exec_id).is_none() {
            let entry = ExecEntry {
                name: ExecName::parse(exec.name.unwrap_or_default()),
                tgid: exec.tgid,
                previous: exec.previous,
                in_user_ns: exec.in_user_ns,
                file: exec.file.proves(),
                withheld: None,
                shown: None,
            };
            if let ExecutedFile::Proven(path) = &entry.file {
                self.appeared.push(|| New::Executable(Arc::clone(path)));
            }
            self.execs.insert(exec.exec_id, entry);
        }
    }

    /// From now on looks up how containers are called, of whose labels these are shown. Until then their names are unknown.
    pub fn look_up_containers(&mut self, places: &Places, shown: &ShownLabels) {
        self.containers = ContainerNames::new(places, shown);
    }

    /// Is notified when names of containers have come.
    #[must_use]
    pub fn container_names_come(&self) -> Arc<Notify> {
        self.containers.wake()
    }

    /// Learns a cgroup record: the path of a cgroup2 directory below the root of its hierarchy. If that is a container's, it
    /// is looked up.
    pub fn learn_cgroup(&mut self, id: u64, path: &[u8]) {
        self.appeared.push(|| New::Cgroup(id));
        if let Some(container) = self.cgroups.learn(id, path) {
            self.containers.created(&container, Directory { hierarchy: 0, id }, boottime_ns());
        }
    }

    /// Learns that a directory of a cgroup v1 hierarchy was created; `None`: its path could not be read.
    pub fn learn_v1_cgroup(&mut self, hierarchy: u32, id: u64, path: Option<&[u8]>) {
        if let Some(container) = self.cgroups.learn_v1(path) {
            self.containers.created(&container, Directory { hierarchy, id }, boottime_ns());
        }
    }

    /// Learns the inode number of the network namespace that a cookie stands for.
    pub fn learn_netns(&mut self, cookie: u64, inode: u64) {
        self.netns.insert(cookie, inode);
    }

    /// How owners were resolved so far.
    #[must_use]
    pub fn counters(&self) -> OwnerCounters {
        OwnerCounters {
            forgotten: self.execs.forgotten()
                + self.facts.forgotten()
                + self.processes.forgotten()
                + self.cgroups.forgotten(),
            names_awaited: self.names.pending() as u64,
            ..self.counters
        }
    }

    /// How the names of containers were looked up so far.
    #[must_use]
    pub fn container_counters(&self) -> ContainerCounters {
        self.containers.counters(boottime_ns())
    }
}
