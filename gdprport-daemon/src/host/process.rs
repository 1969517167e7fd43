//! From the owner that a record names to the [`Process`] that events show.
//!
//! Belongs here: remembering what was found, and putting a [`Process`] together. What is looked at for a
//! process that is not known yet: `evidence`. What the evidence proves: `core::identity`.
//!
//! Caches, by need: a known owner costs one look-up and no system call. All caches are bounded by number
//! and forget what was least asked for; an entry that was forgotten is found again or, if the process is
//! gone, stays `null`: never another process's.

mod evidence;
mod holder;
mod seed;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdprport_common::{ExecRecord, SocketRole, TaskIdentity};

use crate::host::cache::Generations;
use crate::host::cgroup::{Cgroups, Mounts, Place};
use crate::host::clock::{BootClock, boottime_ns};
use crate::host::file::Root;
use crate::host::names::{Account, Name, Names};
use crate::host::pid;
use gdprport_core::identity::{ExecName, OwnerRef, attribution, comm_text};
use gdprport_core::model::{Attribution, Inside, Parent, Placement, Process};

pub use seed::Seed;

/// Owners and executables remembered: twice the processes of a large host, so that bursts of short-lived
/// ones do not push out those that stay. About 6 MB when full.
const CAP: usize = 8192;

/// How long a complete answer is kept before names are asked for again.
const COMPLETE_NS: u64 = 600_000_000_000;

/// How long an answer without an executable or a place is kept: by then another process of the same
/// executable may have shown it.
const INCOMPLETE_NS: u64 = 1_000_000_000;

/// The user and group id of an owner that is not known: the kernel's invalid id, never 0, which is root.
const INVALID_ID: u32 = u32::MAX;

/// The kernel side's maps of tasks and executables.
pub trait TaskLookup: Sync {
    /// What is known of the process that has this tgid now.
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
    /// This machine: `/proc`, init's root directory (this daemon's own if that may not be opened: its view
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

/// How owners were resolved, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResolverStats {
    /// Owners asked for.
    pub asked: u64,
    /// Of these, answered from memory.
    pub remembered: u64,
    /// Executables shown by a live process.
    pub exe_live: u64,
    /// Executables known by the name that `execve` was given only.
    pub exe_named: u64,
    /// Answers without an executable.
    pub exe_unknown: u64,
    /// Entries that were forgotten because a cache was full.
    pub forgotten: u64,
    /// Answers that went without the name of a user or a group, because the host had not told it yet.
    pub names_late: u64,
    /// Users and groups whose names are waited for now.
    pub names_awaited: u64,
}

/// Resolves owners. One per daemon; synchronous; every call is bounded, and so is what all of them together wait
/// for names of users and groups (`host::names`).
#[derive(Debug)]
pub struct Resolver {
    proc_path: PathBuf,
    proc: OwnedFd,
    mounts: Mounts,
    host_root: Option<Root>,
    clock: BootClock,
    cgroups: Cgroups,
    names: Names,
    execs: Generations<u64, Exec>,
    facts: Generations<FactsKey, Arc<Facts>>,
    processes: Generations<ProcessKey, Answer>,
    netns: Generations<u64, u64>,
    unknown: Arc<Process>,
    seeded: u64,
    stats: ResolverStats,
}

/// An exec id.
#[derive(Debug)]
struct Exec {
    name: ExecName,
    /// Who executed it; every other process with this exec id was forked by one that had it.
    tgid: u32,
    /// The exec id that the process had before; 0 if not known.
    previous: u64,
    /// It was executed in a user namespace of somebody's own: the name says nothing about the host's files.
    in_user_ns: bool,
    shown: Option<Shown>,
}

/// An executable that is known.
#[derive(Debug, Clone)]
struct Shown {
    exe: Arc<str>,
    script: Option<Arc<str>>,
    /// Shown by a live process, not concluded from the name.
    live: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FactsKey {
    tgid: u32,
    exec_id: u64,
    start_ns: u64,
}

/// What stays true of a process for as long as it runs the same executable.
#[derive(Debug, Default)]
struct Facts {
    started_ns: Option<u64>,
    parent: Option<Parent>,
    /// Its place, if it is in cgroup v1 hierarchies only.
    v1: Option<Arc<Placement>>,
    /// Its executable, if it has no exec id.
    own: Option<Shown>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ProcessKey {
    facts: FactsKey,
    uid: u32,
    gid: u32,
    cgroup_id: u64,
    netns_cookie: u64,
    comm: [u8; 16],
    attribution: Attribution,
}

#[derive(Debug)]
struct Answer {
    until_ns: u64,
    process: Arc<Process>,
}

impl Resolver {
    /// A resolver that knows nothing yet.
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
            names: Names::new(),
            execs: Generations::new(CAP),
            facts: Generations::new(CAP),
            processes: Generations::new(CAP),
            netns: Generations::new(CAP),
            unknown: Arc::new(unknown()),
            // Unlike any given by a daemon before, which the kernel side may still know: it gave fewer than
            // nanoseconds have passed since.
            seeded: boottime_ns(),
            stats: ResolverStats::default(),
        })
    }

    /// Takes a new measurement of the wall clock for start times found from now on.
    pub const fn set_clock(&mut self, clock: BootClock) {
        self.clock = clock;
    }

    /// Takes an exec record: the name that `execve` was given, and the exec id that the process had before (0
    /// if not known). What a live process has shown stays.
    pub fn learn_exec(&mut self, exec_id: u64, tgid: u32, previous: u64, path: &[u8]) {
        if self.execs.get(&exec_id).is_none() {
            let name = ExecName::parse(path);
            self.execs.insert(exec_id, Exec { name, tgid, previous, in_user_ns: false, shown: None });
        }
    }

    /// Takes that an exec id was given in a user namespace that is not the initial one.
    pub fn doubt_exec(&mut self, exec_id: u64) {
        if let Some(exec) = self.execs.get(&exec_id) {
            exec.in_user_ns = true;
        }
    }

    /// Takes a cgroup record: the path of a cgroup2 directory below the root of its hierarchy.
    pub fn learn_cgroup(&mut self, id: u64, path: &[u8]) {
        self.cgroups.learn(id, path);
    }

    /// Takes the inode number of the network namespace that a cookie stands for.
    pub fn learn_netns(&mut self, cookie: u64, inode: u64) {
        self.netns.insert(cookie, inode);
    }

    /// The process that an owner stands for, with the attribution that its role earns.
    ///
    /// What is not proven is `null`. An owner of role `None` or without a tgid is the unknown process: pid
    /// 0, user and group 4294967295 (the kernel's invalid id), attribution `unknown`.
    ///
    /// A process that has no exec id and no known fork time is read again each time: nothing would tell it
    /// from a later one with the same number.
    pub fn resolve(&mut self, owner: &OwnerRef, tasks: &dyn TaskLookup) -> Arc<Process> {
        self.stats.asked += 1;
        if owner.tgid == 0 || owner.role == SocketRole::None {
            return Arc::clone(&self.unknown);
        }
        let key = ProcessKey::of(owner);
        if let Some(answer) = self.processes.get(&key).filter(|a| owner.time_ns < a.until_ns) {
            self.stats.remembered += 1;
            return Arc::clone(&answer.process);
        }
        let facts = match self.facts.get(&FactsKey::of(owner)) {
            Some(facts) => Arc::clone(facts),
            None => {
                let facts = Arc::new(self.gather(owner, tasks));
                if owner.start_ns != 0 {
                    self.facts.insert(FactsKey::of(owner), Arc::clone(&facts));
                }
                facts
            }
        };
        let process = Arc::new(self.put_together(owner, &facts));
        self.stats.exe_unknown += u64::from(process.exe.is_none());
        if owner.start_ns != 0 {
            let complete = process.exe.is_some() && process.cgroup.is_some() && !process.names_pending;
            let life_ns = if complete { COMPLETE_NS } else { INCOMPLETE_NS };
            let until_ns = owner.time_ns.saturating_add(life_ns);
            self.processes.insert(key, Answer { until_ns, process: Arc::clone(&process) });
        }
        process
    }

    /// How owners were resolved so far.
    #[must_use]
    pub fn stats(&self) -> ResolverStats {
        ResolverStats {
            forgotten: self.execs.forgotten()
                + self.facts.forgotten()
                + self.processes.forgotten()
                + self.cgroups.forgotten(),
            names_awaited: self.names.late() as u64,
            ..self.stats
        }
    }

    /// True if names have come, since this was last asked, that an answer had to go without.
    pub fn names_have_come(&mut self) -> bool {
        self.names.late_ones_came(boottime_ns())
    }

    /// The process with the names that it had to go without; `None` while one of them is not known.
    #[must_use]
    pub fn named(&mut self, process: &Process) -> Option<Arc<Process>> {
        let now_ns = boottime_ns();
        let user = self.names.name(Account::User(process.uid), now_ns);
        let group = self.names.name(Account::Group(process.gid), now_ns);
        let known = user != Name::Late && group != Name::Late;
        known.then(|| {
            let (user, group) = (user.known(), group.known());
            Arc::new(Process { user, group, names_pending: false, ..process.clone() })
        })
    }

    fn put_together(&mut self, owner: &OwnerRef, facts: &Facts) -> Process {
        let shown = match self.execs.get(&owner.exec_id) {
            Some(exec) => exec.shown.clone(),
            None => facts.own.clone(),
        };
        let place = match self.cgroups.place(owner.cgroup_id, owner.time_ns) {
            Place::Known(place) => Some(place),
            Place::OnlyInV1 => facts.v1.clone(),
            Place::Unknown => None,
        };
        let place = place.as_deref();
        let user = self.names.name(Account::User(owner.uid), owner.time_ns);
        let group = self.names.name(Account::Group(owner.gid), owner.time_ns);
        let names_pending = user == Name::Late || group == Name::Late;
        self.stats.names_late += u64::from(names_pending);
        Process {
            pid: owner.tgid,
            started: facts.started_ns.map(|ns| self.clock.timestamp(ns)),
            exe: shown.as_ref().map(|shown| Arc::clone(&shown.exe)),
            script: shown.and_then(|shown| shown.script),
            comm: comm_text(&owner.comm).map(Arc::from),
            uid: owner.uid,
            user: user.known(),
            gid: owner.gid,
            group: group.known(),
            names_pending,
            unit: place.and_then(|place| place.unit.clone()),
            slice: place.and_then(|place| place.slice.clone()),
            container: match place.map(|place| &place.inside) {
                Some(Inside::Container(container)) => Some(container.clone()),
                Some(Inside::Host | Inside::Unproven) | None => None,
            },
            container_unproven: place.is_some_and(|place| place.inside == Inside::Unproven),
            cgroup: place.and_then(|place| place.cgroup.clone()),
            netns: self.netns.get(&owner.netns_cookie).copied(),
            parent: facts.parent.clone(),
            attribution: attribution(owner.role),
        }
    }
}

impl FactsKey {
    const fn of(owner: &OwnerRef) -> Self {
        Self { tgid: owner.tgid, exec_id: owner.exec_id, start_ns: owner.start_ns }
    }
}

impl ProcessKey {
    const fn of(owner: &OwnerRef) -> Self {
        Self {
            facts: FactsKey::of(owner),
            uid: owner.uid,
            gid: owner.gid,
            cgroup_id: owner.cgroup_id,
            netns_cookie: owner.netns_cookie,
            comm: owner.comm,
            attribution: attribution(owner.role),
        }
    }
}

fn unknown() -> Process {
    Process {
        pid: 0,
        started: None,
        exe: None,
        script: None,
        comm: None,
        uid: INVALID_ID,
        user: None,
        gid: INVALID_ID,
        group: None,
        names_pending: false,
        container_unproven: false,
        unit: None,
        slice: None,
        container: None,
        cgroup: None,
        netns: None,
        parent: None,
        attribution: Attribution::Unknown,
    }
}

#[cfg(test)]
mod tests;
