//! What is read for a process that is not known yet.
//!
//! Order: the record and the caches, then `/proc/PID` if something is missing, then the name that `execve` was
//! given. Nothing read from a live process counts before it is proven to be the one of the record
//! (`core::identity::is_owner`), nor its executable unless the task map shows, before and after reading, that it
//! still runs the record's.

use std::sync::Arc;

use gdprport_common::{SocketRole, TaskIdentity};

use super::entries::{KnownExe, ProcessFacts};
use super::resolver::{Resolver, TaskLookup};
use crate::host::cgroup::CgroupLookup;
use crate::host::file::Root;
use crate::host::netns::{self, OpenNs};
use crate::host::pid::{ProcDir, Stat};
use gdprport_core::cgroup_path::{CgroupPath, Inside};
use gdprport_core::identity::{
    Exe, ExecName, FileId, LiveExe, NS_PER_TICK, NamedFile, OwnerRef, gone_exe, is_owner, is_parent,
    is_same_task, live_exe,
};
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
        if self
            .execs
            .get(&owner.exec_id)
            .is_none_or(|exec| exec.shown.as_ref().is_none_or(|shown| !shown.live))
        {
            let found = dir.and_then(|dir| self.live_exe(owner, dir, tasks)).or_else(|| {
                let named = self.execs.get(&owner.exec_id).filter(|exec| exec.shown.is_none())?.name.clone();
                self.gone_exe(owner, &named, place.as_deref(), tasks)
            });
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
            || !exe.is_some_and(|shown| shown.live)
    }

    /// The owner's process, if it is alive and proven to be the owner's.
    fn live(&self, owner: &OwnerRef) -> Option<(ProcDir, Stat)> {
        let dir = ProcDir::open(&self.proc, owner.tgid)?;
        let stat = dir.stat()?;
        is_owner(owner, stat.start_ticks).then(|| (dir.living(&stat), stat))
    }

    /// Looks up in the kernel side an exec id whose record was forgotten or has not come.
    fn load_exec(&mut self, exec_id: u64, tasks: &dyn TaskLookup) {
        if exec_id == 0 || self.execs.get(&exec_id).is_some() {
            return;
        }
        if let Some(value) = tasks.exec(exec_id) {
            let len = usize::from(value.path_len).min(value.path.len());
            self.learn_exec(exec_id, value.tgid, value.previous, &value.path[..len]);
            if value.in_user_ns != 0 {
                self.mark_exec_in_user_ns(exec_id);
            }
        }
    }

    fn live_exe(&mut self, owner: &OwnerRef, dir: &ProcDir, tasks: &dyn TaskLookup) -> Option<KnownExe> {
        let still = || tasks.identity(owner.tgid).is_some_and(|now| is_same_task(owner, &now));
        if !still() {
            return None;
        }
        let (path, id) = self.proven_exe(dir)?;
        let live = LiveExe { path, id, comm: dir.comm()? };
        if !still() {
            return None;
        }
        let unnamed = ExecName::Opaque;
        let name = self.execs.get(&owner.exec_id).map_or(&unnamed, |exec| &exec.name);
        let named = find_named(name, dir);
        let comm_len = owner.comm.iter().position(|b| *b == 0).unwrap_or(owner.comm.len());
        let mut exe = live_exe(&live, name, named.as_ref(), &owner.comm[..comm_len]);
        if exe.script.is_none() {
            exe.script = dir.root().and_then(|root| self.script_before(owner.exec_id, &root, tasks));
        }
        let shown = shown(exe, true)?;
        self.counters.exe_live += 1;
        Some(shown)
    }

    /// The path and the file that a live process runs, if the path names that file outside its mounts too.
    ///
    /// A process with its own user namespace can mount any file at any path. Its path counts if it leads to the same
    /// file on the host, or if root made the container in which it is a path.
    pub(super) fn proven_exe(&self, dir: &ProcDir) -> Option<(String, Option<FileId>)> {
        let (path, id) = dir.exe()?;
        let proven = dir.in_our_user_ns()
            || self
                .host_root
                .as_ref()
                .and_then(|root| root.lookup(&path))
                .is_some_and(|file| Some(file.id) == id)
            || self.own_place(dir).is_some_and(|place| is_container(&place));
        proven.then_some((path, id))
    }

    /// The executable of a process that is gone, by the name that `execve` was given.
    ///
    /// Links and `#!` are followed in the host's root if the process was in no container. If it was in one,
    /// or its cgroup is not known, they are followed in the root of its parent, if that is alive in the same
    /// container; else the name stays as it was given. It also stays if users other than root can change what it
    /// leads to, because they may have done so since.
    fn gone_exe(
        &mut self,
        owner: &OwnerRef,
        name: &ExecName,
        place: Option<&CgroupPath>,
        tasks: &dyn TaskLookup,
    ) -> Option<KnownExe> {
        let ExecName::Absolute(text) = name else { return None };
        let exec = self.execs.get(&owner.exec_id);
        let (before, in_user_ns) = exec.map_or((0, false), |exec| (exec.previous, exec.in_user_ns));
        if in_user_ns && !place.is_some_and(is_container) {
            return None;
        }
        let of_parent;
        let root = match place {
            Some(CgroupPath { inside: Inside::Host, .. }) => self.host_root.as_ref(),
            Some(CgroupPath { inside: Inside::Container(inside), .. }) => {
                of_parent = self.parent_root(owner, Some(inside), tasks);
                of_parent.as_ref()
            }
            Some(CgroupPath { inside: Inside::Unproven, .. }) => None,
            None => {
                of_parent = self.parent_root(owner, None, tasks);
                of_parent.as_ref()
            }
        };
        let mut exe = gone_exe(name, root.and_then(|root| root.lookup_settled(text)).as_ref());
        if exe.script.is_none() {
            exe.script = root.and_then(|root| script_named(before, root, tasks));
        }
        let shown = shown(exe, false)?;
        self.counters.exe_named += 1;
        Some(shown)
    }

    /// The script that led to an exec id in two steps, through `#!/usr/bin/env`.
    fn script_before(&mut self, exec_id: u64, root: &Root, tasks: &dyn TaskLookup) -> Option<String> {
        script_named(self.execs.get(&exec_id)?.previous, root, tasks)
    }

    /// The current cgroup of a live process.
    fn own_place(&self, dir: &ProcDir) -> Option<Arc<CgroupPath>> {
        let text = dir.cgroup()?;
        let place = self.mounts.place(&text)?;
        let still = place.inside == Inside::Host || dir.cgroup()? == text;
        still.then(|| Arc::new(place))
    }

    /// The root directory of the parent at fork, if it is alive and in the wanted container.
    fn parent_root(
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

fn shown(exe: Exe, live: bool) -> Option<KnownExe> {
    Some(KnownExe { exe: Arc::from(exe.exe?), script: exe.script.map(Arc::from), live })
}

/// The name of the exec id if it is a script that `env` interprets: such a process executes just once more,
/// the program that the script names to `env`.
fn script_named(exec_id: u64, root: &Root, tasks: &dyn TaskLookup) -> Option<String> {
    let value = tasks.exec(exec_id).filter(|_| exec_id != 0)?;
    let len = usize::from(value.path_len).min(value.path.len());
    let ExecName::Absolute(text) = ExecName::parse(&value.path[..len]) else { return None };
    root.lookup(&text)?.interpreter?.program().path.ends_with("/env").then_some(text)
}

/// In a container that root made, root directory and mounts were made by root or by a manager that root runs.
const fn is_container(place: &CgroupPath) -> bool {
    matches!(place.inside, Inside::Container(_))
}

/// The file that an exec name leads to for a live process. A relative name is looked up where the process
/// is now; it may have moved, so the caller must check that the file is the one that runs.
fn find_named(name: &ExecName, dir: &ProcDir) -> Option<NamedFile> {
    match name {
        ExecName::Absolute(text) => dir.root()?.lookup(text),
        ExecName::Relative(text) => dir.root()?.lookup(&format!("{}/{text}", dir.cwd()?)),
        ExecName::Opaque => None,
    }
}

/// A process of the task map as an owner to be proven.
fn as_owner(tgid: u32, identity: &TaskIdentity) -> OwnerRef {
    OwnerRef {
        tgid,
        parent_tgid: identity.parent_tgid,
        uid: 0,
        gid: 0,
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
