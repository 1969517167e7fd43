//! Which executable a process runs.
//!
//! Order: what the kernel side read when the program was executed, then `/proc/PID/exe`, then the name that `execve` was
//! given. What is read of a live process counts only if the task map shows, before and after reading, that it still runs
//! the record's. What all this proves is decided in `core::executed` and `core::identity`.

use std::sync::Arc;

use super::entries::KnownExe;
use super::resolver::{Resolver, TaskLookup};
use crate::host::file::Root;
use crate::host::pid::ProcDir;
use gdprport_core::cgroup_path::CgroupPath;
use gdprport_core::decode::{IdentityRecord, Record, decode};
use gdprport_core::executed::ExecutedFile;
use gdprport_core::identity::{
    Exe, ExecName, FileId, LiveExe, NamedFile, OwnerRef, gone_exe, is_same_task, live_exe,
};
use gdprport_core::model::Withheld;
use gdprport_core::text::path_text;
use zerocopy::IntoBytes as _;

impl Resolver {
    /// Looks up in the kernel side an exec id whose record was forgotten or has not come.
    pub(super) fn load_exec(&mut self, exec_id: u64, tasks: &dyn TaskLookup) {
        if exec_id == 0 || self.execs.get(&exec_id).is_some() {
            return;
        }
        if let Some(value) = tasks.exec(exec_id)
            && let Ok(Record::Identity(IdentityRecord::Exec(exec))) = decode(value.as_bytes())
        {
            self.learn_exec(&exec);
        }
    }

    /// The executable of an owner, as far as it is proven. `dir` is its process, if it is alive; `place` its cgroup.
    pub(super) fn find_exe(
        &mut self,
        owner: &OwnerRef,
        dir: Option<&ProcDir>,
        place: Option<&CgroupPath>,
        tasks: &dyn TaskLookup,
    ) -> Option<KnownExe> {
        if let Some(exe) = self.executed(owner.exec_id, place) {
            self.counters.exe_executed += 1;
            let script = self.script_of(owner, &exe, dir, place, tasks).map(Arc::from);
            return Some(KnownExe { exe, script, proven: true });
        }
        if let Some(found) = dir.and_then(|dir| self.live_exe(owner, dir, tasks)) {
            return Some(found);
        }
        let withheld = self.withheld(owner.exec_id, place);
        let entry = self.execs.get(&owner.exec_id).filter(|exec| exec.shown.is_none())?;
        entry.withheld = withheld;
        // Where the kernel side could read the file and its path does not count, neither does a name.
        let name = (entry.file == ExecutedFile::Unread).then(|| entry.name.clone())?;
        self.gone_exe(owner, &name, place, tasks)
    }

    /// The path that the kernel side read, if it counts.
    pub(super) fn executed(&mut self, exec_id: u64, place: Option<&CgroupPath>) -> Option<Arc<str>> {
        match &self.execs.get(&exec_id)?.file {
            ExecutedFile::Proven(path) => Some(Arc::clone(path)),
            ExecutedFile::Claimed { path, id, in_namespace } => {
                let on_host = || self.host_root.as_ref()?.lookup(path).map(|file| file.id);
                let counts = (*in_namespace && place.is_some_and(is_container)) || on_host() == Some(*id);
                counts.then(|| Arc::clone(path))
            }
            ExecutedFile::Unread | ExecutedFile::Pathless { .. } => None,
        }
    }

    /// Why an executable that the kernel side has read is not known, if nothing but the process's own doing explains it.
    fn withheld(&mut self, exec_id: u64, place: Option<&CgroupPath>) -> Option<Withheld> {
        match &self.execs.get(&exec_id)?.file {
            ExecutedFile::Pathless { why, .. } => Some(*why),
            // In what may be a container of root's, and where `stat` shows other numbers, nothing is proven.
            ExecutedFile::Claimed { path, .. } => {
                let comparable = self.host_root.as_ref().is_some_and(|root| root.shows_kernel_numbers(path));
                (is_on_host(place) && comparable).then_some(Withheld::OtherMounts)
            }
            ExecutedFile::Unread | ExecutedFile::Proven(_) => None,
        }
    }

    /// The script through which a proven executable came to run: what `execve` was given, if that is a script which
    /// leads to it.
    fn script_of(
        &mut self,
        owner: &OwnerRef,
        exe: &str,
        dir: Option<&ProcDir>,
        place: Option<&CgroupPath>,
        tasks: &dyn TaskLookup,
    ) -> Option<String> {
        let entry = self.execs.get(&owner.exec_id)?;
        let (name, previous) = (entry.name.clone(), entry.previous);
        if matches!(&name, ExecName::Absolute(text) if text == exe) && previous == 0 {
            return None;
        }
        let of_process = dir.and_then(ProcDir::root);
        let of_parent;
        let root = match &of_process {
            Some(root) => Some(root),
            None => {
                of_parent = self.root_of(owner, place, tasks);
                of_parent.as_ref().or(self.host_root.as_ref().filter(|_| is_on_host(place)))
            }
        };
        let named = match (&name, dir) {
            (ExecName::Absolute(text), _) => root.and_then(|root| root.lookup(text)),
            (ExecName::Relative(_), Some(dir)) => find_named(&name, dir),
            (ExecName::Relative(_) | ExecName::Opaque, _) => None,
        };
        let script = named.filter(|named| named.interpreter.is_some() && named.program().path == *exe);
        match (script, &name) {
            (Some(_), ExecName::Absolute(text)) => Some(text.clone()),
            (Some(named), _) => Some(named.path),
            (None, _) => root.and_then(|root| script_named(previous, root, tasks)),
        }
    }

    /// What `/proc` shows of a live process, if it is proven to be what the record is about.
    pub(super) fn live_exe(
        &mut self,
        owner: &OwnerRef,
        dir: &ProcDir,
        tasks: &dyn TaskLookup,
    ) -> Option<KnownExe> {
        let still = || tasks.identity(owner.tgid).is_some_and(|now| is_same_task(owner, &now));
        if !still() {
            return None;
        }
        let unread = ExecutedFile::Unread;
        let mounts_of_root = match self.execs.get(&owner.exec_id).map_or(&unread, |exec| &exec.file) {
            ExecutedFile::Unread => None,
            ExecutedFile::Pathless { mounts_of_root, .. } => Some(*mounts_of_root),
            // The kernel side's own reading decides.
            ExecutedFile::Proven(_) | ExecutedFile::Claimed { .. } => return None,
        };
        let (path, id) = self.proven_exe(dir, mounts_of_root)?;
        let live = LiveExe { path: path_text(&path), id, comm: dir.comm()? };
        if !still() {
            return None;
        }
        let unnamed = ExecName::Opaque;
        let name = self.execs.get(&owner.exec_id).map_or(&unnamed, |exec| &exec.name);
        let named = find_named(name, dir);
        let comm_len = owner.comm.iter().position(|b| *b == 0).unwrap_or(owner.comm.len());
        let mut exe = live_exe(&live, name, named.as_ref(), &owner.comm[..comm_len]);
        if exe.script.is_none() {
            let previous = self.execs.get(&owner.exec_id).map_or(0, |exec| exec.previous);
            exe.script = dir.root().and_then(|root| script_named(previous, &root, tasks));
        }
        let shown = shown(exe, true)?;
        self.counters.exe_live += 1;
        Some(shown)
    }

    /// The path and the file that a live process runs, if the path names that file outside its mounts too.
    ///
    /// A process with its own user namespace can mount any file at any path. Unless it is known that root made the mounts,
    /// its path counts if it leads to the same file on the host, or if root made the container in which it is a path.
    pub(super) fn proven_exe(
        &self,
        dir: &ProcDir,
        mounts_of_root: Option<bool>,
    ) -> Option<(Vec<u8>, Option<FileId>)> {
        let (path, id) = dir.exe()?;
        let on_host = |root: &Root| root.lookup(std::str::from_utf8(&path).ok()?).map(|file| file.id);
        let proven = mounts_of_root.unwrap_or_else(|| dir.in_our_user_ns())
            || self.host_root.as_ref().and_then(on_host).is_some_and(|file| Some(file) == id)
            || self.own_place(dir).is_some_and(|place| is_container(&place));
        proven.then_some((path, id))
    }

    /// The executable of a process that is gone, by the name that `execve` was given.
    ///
    /// Links and `#!` are followed in the host's root if the process was in no container. If it was in one,
    /// or its cgroup is not known, they are followed in the root of its parent, if that is alive in the same
    /// container. If users other than root can change what the name leads to, it proves nothing: they may have done so
    /// since.
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
        let root = if is_on_host(place) {
            self.host_root.as_ref()
        } else {
            of_parent = self.root_of(owner, place, tasks);
            of_parent.as_ref()
        }?;
        let mut exe = gone_exe(name, root.lookup_settled(text).as_ref());
        if exe.script.is_none() {
            exe.script = script_named(before, root, tasks);
        }
        let shown = shown(exe, false)?;
        self.counters.exe_named += 1;
        Some(shown)
    }

    /// The root directory that a process had which is gone: its parent's, if that is alive in the same container.
    fn root_of(&self, owner: &OwnerRef, place: Option<&CgroupPath>, tasks: &dyn TaskLookup) -> Option<Root> {
        match place.map(|place| &place.inside) {
            Some(inside) => self.parent_root(owner, Some(inside.of_root()?), tasks),
            None => self.parent_root(owner, None, tasks),
        }
    }
}

fn shown(exe: Exe, proven: bool) -> Option<KnownExe> {
    Some(KnownExe { exe: Arc::from(exe.exe?), script: exe.script.map(Arc::from), proven })
}

/// The name of the exec id if it is a script that `env` interprets: such a process executes just once more,
/// the program that the script names to `env`.
fn script_named(exec_id: u64, root: &Root, tasks: &dyn TaskLookup) -> Option<String> {
    let value = tasks.exec(exec_id).filter(|_| exec_id != 0)?;
    let Ok(Record::Identity(IdentityRecord::Exec(exec))) = decode(value.as_bytes()) else { return None };
    let ExecName::Absolute(text) = ExecName::parse(exec.name?) else { return None };
    root.lookup(&text)?.interpreter?.program().path.ends_with("/env").then_some(text)
}

/// In a container that root made, root directory and mounts were made by root or by a manager that root runs.
const fn is_container(place: &CgroupPath) -> bool {
    place.inside.of_root().is_some()
}

/// Known to be in no container that root made. What a user calls one proves nothing about mounts.
fn is_on_host(place: Option<&CgroupPath>) -> bool {
    place.is_some_and(|place| place.inside.is_outside_of_roots())
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
