//! Resolving an owner: from memory, or from new evidence.

use std::sync::Arc;

use gdprport_common::SocketRole;

use super::appeared::New;
use super::entries::{CachedProcess, FactsKey, ProcessFacts, ProcessKey};
use super::resolver::{Resolver, TaskLookup};
use crate::host::accounts::{Account, AccountName};
use crate::host::clock::boottime_ns;
use gdprport_core::cgroup_path::Inside;
use gdprport_core::identity::{OwnerRef, attribution, comm_text};
use gdprport_core::model::{Container, Naming, Parent, Process, UserlandProxy};
use gdprport_core::shared::Shared;

/// How long a complete result is kept before names are looked up again.
const COMPLETE_NS: u64 = 600_000_000_000;

/// How long a result without an executable or a cgroup is kept: by then another process of the same executable may
/// have shown it.
pub(super) const INCOMPLETE_NS: u64 = 1_000_000_000;

impl Resolver {
    /// The process that an owner stands for, with the attribution that its role earns.
    ///
    /// What is not proven is `null`. An owner of role `None` or without a tgid is the unknown process: pid
    /// 0, user and group 4294967295 (the kernel's invalid id), attribution `unknown`.
    ///
    /// A process that has no exec id and no known fork time is read again each time: nothing distinguishes
    /// it from a later one with the same number.
    pub fn resolve(&mut self, owner: &OwnerRef, tasks: &dyn TaskLookup) -> Shared<Process> {
        self.counters.asked += 1;
        if owner.tgid == 0 || owner.role == SocketRole::None {
            return Shared::clone(&self.unknown);
        }
        let key = ProcessKey::of(owner);
        match self.remembered(&key, owner.time_ns) {
            Some(process) => process,
            None => self.find_out(key, owner, tasks),
        }
    }

    /// A process that was resolved before, if that still holds at this time.
    #[inline]
    fn remembered(&mut self, key: &ProcessKey, time_ns: u64) -> Option<Shared<Process>> {
        let cached = self.processes.get(key).filter(|cached| time_ns < cached.until_ns)?;
        self.counters.remembered += 1;
        Some(Shared::clone(&cached.process))
    }

    /// Resolves from new evidence, and remembers it.
    #[inline(never)]
    fn find_out(&mut self, key: ProcessKey, owner: &OwnerRef, tasks: &dyn TaskLookup) -> Shared<Process> {
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
        let process = Shared::new(self.assemble(owner, &facts));
        self.counters.exe_unknown += u64::from(process.exe.is_none());
        if owner.start_ns != 0 {
            self.processes.insert(key, CachedProcess::of(&process, owner.time_ns));
        }
        process
    }

    /// What an owner of many connections proves of each process among them, whichever it was: what its exec id, its cgroup id
    /// and its user and group stand for. Without a process id, and `None` if there is no owner.
    pub fn resolve_common(&mut self, owner: &OwnerRef, tasks: &dyn TaskLookup) -> Option<Shared<Process>> {
        if owner.role == SocketRole::None {
            return None;
        }
        debug_assert_eq!(owner.tgid, 0, "nobody in particular");
        self.counters.asked += 1;
        let key = ProcessKey::of(owner);
        if let Some(process) = self.remembered(&key, owner.time_ns) {
            return Some(process);
        }
        self.load_exec(owner.exec_id, tasks);
        let process = Shared::new(self.assemble(owner, &ProcessFacts::default()));
        self.counters.exe_unknown += u64::from(process.exe.is_none());
        self.processes.insert(key, CachedProcess::of(&process, owner.time_ns));
        Some(process)
    }

    /// True if names have arrived, since the last call, that a result had to go without: of users, groups or containers.
    pub fn late_names_arrived(&mut self) -> bool {
        let now_ns = boottime_ns();
        let accounts = self.names.late_names_arrived(now_ns);
        self.containers.late_names_arrived(now_ns) || accounts
    }

    /// What is done about once a second: names of containers that were unknown are looked up again.
    pub fn tick(&mut self) {
        self.containers.tick(boottime_ns());
    }

    /// The process with the names that it had to go without; `None` while one of them is pending, and if there are none.
    #[must_use]
    pub fn with_names(&mut self, process: &Process) -> Option<Shared<Process>> {
        let now_ns = boottime_ns();
        let container = self.named(process.container.clone(), now_ns);
        let nothing_new = !process.names_pending && container.is_some() && container == process.container;
        if is_pending(container.as_ref()) || nothing_new {
            return None;
        }
        let user = self.names.name(Account::User(process.uid), now_ns);
        let group = self.names.name(Account::Group(process.gid), now_ns);
        let known = user != AccountName::Pending && group != AccountName::Pending;
        known.then(|| {
            let (user, group) = (user.into_name(), group.into_name());
            Shared::new(Process { user, group, container, names_pending: false, ..process.clone() })
        })
    }

    /// A container with its names as they are known now; those that it has stay.
    pub(super) fn named(&mut self, container: Option<Container>, now_ns: u64) -> Option<Container> {
        container.map(|container| match container.naming {
            Naming::Known(_) => container,
            Naming::Pending | Naming::Unknown => {
                Container { naming: self.containers.naming(&container, now_ns), ..container }
            }
        })
    }

    fn assemble(&mut self, owner: &OwnerRef, facts: &ProcessFacts) -> Process {
        let (shown, withheld) = match self.execs.get(&owner.exec_id) {
            Some(exec) => (exec.shown.clone(), exec.withheld.filter(|_| exec.shown.is_none())),
            None => (facts.own.clone(), None),
        };
        let seen = !self.execs_unseen;
        let shown = shown.filter(|_| seen);
        let of_parent =
            |parent: &Parent| Parent { exe: parent.exe.clone().filter(|_| seen), ..parent.clone() };
        let place = self.cgroups.place(owner.cgroup_id, owner.time_ns).given(facts.v1.as_ref());
        let place = place.as_deref();
        self.appeared.push(|| New::Owner(owner.uid, owner.gid));
        let user = self.names.name(Account::User(owner.uid), owner.time_ns);
        let group = self.names.name(Account::Group(owner.gid), owner.time_ns);
        let late = user == AccountName::Pending || group == AccountName::Pending;
        self.counters.names_late += u64::from(late);
        let container = match place.map(|place| &place.inside) {
            Some(Inside::Container(container)) => self.named(Some(container.clone()), owner.time_ns),
            Some(Inside::Host | Inside::Unproven) | None => None,
        };
        let names_pending = late || is_pending(container.as_ref());
        let container_unproven = place.is_some_and(|place| place.inside == Inside::Unproven);
        // The author of an image calls the programs in it as they like.
        let on_host = place.is_some() && container.is_none() && !container_unproven;
        let host_exe = shown.as_ref().filter(|_| on_host).map(|shown| &*shown.exe);
        Process {
            pid: owner.tgid,
            proxy: host_exe.and_then(UserlandProxy::of_exe),
            started: facts.started_ns.map(|ns| self.clock.timestamp(ns)),
            exe: shown.as_ref().map(|shown| Arc::clone(&shown.exe)),
            script: shown.and_then(|shown| shown.script),
            comm: comm_text(&owner.comm).map(Arc::from),
            uid: owner.uid,
            euid: (owner.euid != owner.uid).then_some(owner.euid),
            egid: (owner.egid != owner.gid).then_some(owner.egid),
            user: user.into_name(),
            gid: owner.gid,
            group: group.into_name(),
            names_pending,
            unit: place.and_then(|place| place.unit.clone()),
            slice: place.and_then(|place| place.slice.clone()),
            container,
            container_unproven,
            exe_withheld: withheld,
            cgroup: place.and_then(|place| place.cgroup.clone()),
            netns: self.netns.get(&owner.netns_cookie).copied(),
            parent: facts.parent.as_ref().map(of_parent),
            attribution: attribution(owner.role),
        }
    }
}

impl CachedProcess {
    /// A result of this time, for as long as it is kept.
    fn of(process: &Shared<Process>, time_ns: u64) -> Self {
        let complete = process.exe.is_some() && process.cgroup.is_some() && !process.names_pending;
        let life_ns = if complete { COMPLETE_NS } else { INCOMPLETE_NS };
        Self { until_ns: time_ns.saturating_add(life_ns), process: Shared::clone(process) }
    }
}

fn is_pending(container: Option<&Container>) -> bool {
    container.is_some_and(|container| container.naming == Naming::Pending)
}
