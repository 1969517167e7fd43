//! What is read for a process that is not known yet.
//!
//! Order: the record and the caches, then `/proc/PID` if something is missing. Nothing read from a live process counts
//! before it is proven to be the one of the record (`core::identity::is_owner`). Its executable is `executable`'s.

use std::sync::Arc;

use gdprport_common::{SocketRole, TaskIdentity};

use super::entries::{KnownExe, ProcessFacts};
use super::resolver::{Resolver, TaskLookup};
use crate::host::cgroup::CgroupLookup;
use crate::host::file::Root;
use crate::host::netns::{self, OpenNs};
use crate::host::pid::{ProcDir, Stat};
use gdprport_core::cgroup_path::{CgroupPath, Inside};
use gdprport_core::identity::{NS_PER_TICK, OwnerRef, is_owner, is_parent};
use gdprport_core::model::{Container, Parent};

impl Resolver {
    pub(super) fn gather(&mut self, owner: &OwnerRef, tasks: &dyn TaskLookup) -> ProcessFacts {
        self.load_exec(owner.exec_id, tasks);
        let place = self.cgroups.place(owner.cgroup_id, owner.time_ns);
        let live = if self.needs_proc(owner, &place) { self.live(owner) } else { None };
        let dir = live.as_ref().map(|(dir, _)| dir);

        let only_proc = matches!(place, CgroupLookup::OnlyInV1 | CgroupLookup::UnlessInV1(_));
        let v1 = only_proc.then(|| dir.and_then(|dir| self.own_place(dir))).flatten();
        let place = place.given(v1.as_ref());
        if let Some(dir) = dir {
            self.learn_netns_of(owner.netns_cookie, dir, tasks);
        }

        let mut own = None;
        let known = self.execs.get(&owner.exec_id).and_then(|exec| exec.shown.as_ref());
        if known.is_none_or(|shown| !shown.proven) {
            let found = self.find_exe(owner, dir, place.as_deref(), tasks);
            own = self.remember(owner.exec_id, found);
        }

        let started_ns = match (owner.start_ns, &live) {
            (0, None) => None,
            (0, Some((_, stat))) => Some(stat.start_ticks * NS_PER_TICK),
            (start_ns, _) => Some(start_ns),
        };
        let ppid = live.as_ref().map(|(_, stat)| stat.ppid);
        let parent = self.parent(owner, ppid, started_ns, tasks);
        ProcessFacts { started_ns, parent, v1, own }
    }

    fn needs_proc(&mut self, owner: &OwnerRef, place: &CgroupLookup) -> bool {
        let exe = self.execs.get(&owner.exec_id).and_then(|exec| exec.shown.as_ref());
        let netns = owner.netns_cookie == 0 || self.netns.get(&owner.netns_cookie).is_some();
        owner.start_ns == 0
            || owner.parent_tgid == 0
            || matches!(place, CgroupLookup::OnlyInV1 | CgroupLookup::UnlessInV1(_))
            || !netns
            || !exe.is_some_and(|shown| shown.proven)
    }

    /// The owner's process, if it is alive and proven to be the owner's.
    fn live(&self, owner: &OwnerRef) -> Option<(ProcDir, Stat)> {
        let dir = ProcDir::open(&self.proc, owner.tgid)?;
        let stat = dir.stat()?;
        is_owner(owner, stat.start_ticks).then(|| (dir.living(&stat), stat))
    }

    /// The current cgroup of a live process.
    pub(super) fn own_place(&self, dir: &ProcDir) -> Option<Arc<CgroupPath>> {
        let text = dir.cgroup()?;
        let place = self.mounts.place(&text)?;
        let still = place.inside == Inside::Host || dir.cgroup()? == text;
        still.then(|| Arc::new(place))
    }

    /// The root directory of the parent at fork, if it is alive and in the wanted container.
    pub(super) fn parent_root(
        &self,
        owner: &OwnerRef,
        inside: Option<&Container>,
        tasks: &dyn TaskLookup,
    ) -> Option<Root> {
        let (dir, _) = self.live_parent(owner.parent_tgid, owner.start_ns, tasks)?;
        if let Some(inside) = inside
            && self.own_place(&dir)?.inside != Inside::Container(inside.clone())
        {
            return None;
        }
        dir.root()
    }

    /// The live parent, if it is proven to have forked a child at that time.
    fn live_parent(
        &self,
        tgid: u32,
        child_ns: u64,
        tasks: &dyn TaskLookup,
    ) -> Option<(ProcDir, TaskIdentity)> {
        let identity = tasks.identity(tgid).filter(|now| is_parent(now.start_ns, child_ns))?;
        let dir = ProcDir::open(&self.proc, tgid)?;
        let stat = dir.stat()?;
        is_owner(&as_owner(tgid, &identity), stat.start_ticks).then(|| (dir.living(&stat), identity))
    }

    fn parent(
        &mut self,
        owner: &OwnerRef,
        ppid: Option<u32>,
        started_ns: Option<u64>,
        tasks: &dyn TaskLookup,
    ) -> Option<Parent> {
        let pid = if owner.parent_tgid != 0 { owner.parent_tgid } else { ppid.filter(|ppid| *ppid != 0)? };
        // A process that did not execute its program itself was forked by a process that ran it.
        if owner.parent_tgid != 0
            && let Some(exec) = self.execs.get(&owner.exec_id).filter(|exec| exec.tgid != owner.tgid)
        {
            return Some(Parent { pid, exe: exec.shown.as_ref().map(|shown| Arc::clone(&shown.exe)) });
        }
        let exe = started_ns.and_then(|child_ns| self.parent_exe(pid, child_ns, tasks));
        Some(Parent { pid, exe })
    }

    fn parent_exe(&mut self, tgid: u32, child_ns: u64, tasks: &dyn TaskLookup) -> Option<Arc<str>> {
        let identity = tasks.identity(tgid).filter(|now| is_parent(now.start_ns, child_ns))?;
        self.load_exec(identity.exec_id, tasks);
        if let Some(shown) = self.execs.get(&identity.exec_id).and_then(|exec| exec.shown.as_ref()) {
            return Some(Arc::clone(&shown.exe));
        }
        if let Some(exe) = self.executed(identity.exec_id, None) {
            return Some(exe);
        }
        let (dir, identity) = self.live_parent(tgid, child_ns, tasks)?;
        let found = self.live_exe(&as_owner(tgid, &identity), &dir, tasks)?;
        let exe = Arc::clone(&found.exe);
        self.remember(identity.exec_id, Some(found));
        Some(exe)
    }

    /// Stores what was found under its exec id, for every process forked with it; returns it if there is no exec id.
    fn remember(&mut self, exec_id: u64, found: Option<KnownExe>) -> Option<KnownExe> {
        match self.execs.get(&exec_id) {
            Some(exec) => {
                if found.is_some() {
                    exec.shown = found;
                }
                None
            }
            None => found,
        }
    }

    /// Learns the inode number of the namespace that a live process is in. Its socket may have been created in
    /// another one: the cookie read inside the namespace decides.
    fn learn_netns_of(&mut self, cookie: u64, dir: &ProcDir, tasks: &dyn TaskLookup) {
        if cookie == 0 || self.netns.get(&cookie).is_some() {
            return;
        }
        let Some(ns) = dir.netns().and_then(OpenNs::from_fd) else { return };
        if let Ok(Some(inside)) = ns.run(|| netns::current_cookie().or_else(|| tasks.netns_cookie())) {
            self.netns.insert(inside, ns.inode());
        }
    }
}

/// A process of the task map as an owner to be proven.
fn as_owner(tgid: u32, identity: &TaskIdentity) -> OwnerRef {
    OwnerRef {
        tgid,
        parent_tgid: identity.parent_tgid,
        uid: 0,
        gid: 0,
        euid: 0,
        egid: 0,
        exec_id: identity.exec_id,
        cgroup_id: 0,
        netns_cookie: 0,
        start_ns: identity.start_ns,
        time_ns: 0,
        comm: [0; 16],
        role: SocketRole::None,
        withheld: None,
    }
}
