//! What a resolver remembers about executables and processes.

use std::sync::Arc;

use gdprport_core::cgroup_path::CgroupPath;
use gdprport_core::executed::ExecutedFile;
use gdprport_core::identity::{ExecName, OwnerRef, attribution};
use gdprport_core::model::{Attribution, Parent, Process, Withheld};
use gdprport_core::shared::Shared;

/// What an exec id stands for.
#[derive(Debug)]
pub(super) struct ExecEntry {
    pub(super) name: ExecName,
    /// Who executed it; every other process with this exec id was forked by one that had it.
    pub(super) tgid: u32,
    /// The exec id that the process had before; 0 if not known.
    pub(super) previous: u64,
    /// It was executed in a user namespace other than the initial one: the name proves nothing about the host's files.
    pub(super) in_user_ns: bool,
    /// What the kernel side read of the file that runs.
    pub(super) file: ExecutedFile,
    /// Why that does not count, if it is the process's own doing.
    pub(super) withheld: Option<Withheld>,
    pub(super) shown: Option<KnownExe>,
}

#[derive(Debug, Clone)]
pub(super) struct KnownExe {
    pub(super) exe: Arc<str>,
    pub(super) script: Option<Arc<str>>,
    /// Read by the kernel side or shown by a live process, not concluded from the name.
    pub(super) proven: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FactsKey {
    pub(super) tgid: u32,
    pub(super) exec_id: u64,
    pub(super) start_ns: u64,
}

/// What stays true of a process for as long as it runs the same executable.
#[derive(Debug, Default)]
pub(super) struct ProcessFacts {
    pub(super) started_ns: Option<u64>,
    pub(super) parent: Option<Parent>,
    /// Its cgroup by `/proc/PID/cgroup`, if its id does not show that it is in no container of v1 hierarchies.
    pub(super) v1: Option<Arc<CgroupPath>>,
    /// Its executable, if it has no exec id.
    pub(super) own: Option<KnownExe>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ProcessKey {
    pub(super) facts: FactsKey,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) euid: u32,
    pub(super) egid: u32,
    pub(super) cgroup_id: u64,
    pub(super) netns_cookie: u64,
    pub(super) comm: [u8; 16],
    pub(super) attribution: Attribution,
}

#[derive(Debug)]
pub(super) struct CachedProcess {
    pub(super) until_ns: u64,
    pub(super) process: Shared<Process>,
}

impl ExecEntry {
    pub(super) const fn shown_live(tgid: u32, exe: Arc<str>) -> Self {
        let shown = Some(KnownExe { exe, script: None, proven: true });
        Self {
            name: ExecName::Opaque,
            tgid,
            previous: 0,
            in_user_ns: false,
            file: ExecutedFile::Unread,
            withheld: None,
            shown,
        }
    }

    /// An executable about which nothing is proven.
    pub(super) const fn unknown(tgid: u32) -> Self {
        let file = ExecutedFile::Unread;
        Self {
            name: ExecName::Opaque,
            tgid,
            previous: 0,
            in_user_ns: true,
            file,
            withheld: None,
            shown: None,
        }
    }
}

impl FactsKey {
    pub(super) const fn of(owner: &OwnerRef) -> Self {
        Self { tgid: owner.tgid, exec_id: owner.exec_id, start_ns: owner.start_ns }
    }
}

impl ProcessKey {
    pub(super) const fn of(owner: &OwnerRef) -> Self {
        Self {
            facts: FactsKey::of(owner),
            uid: owner.uid,
            gid: owner.gid,
            euid: owner.euid,
            egid: owner.egid,
            cgroup_id: owner.cgroup_id,
            netns_cookie: owner.netns_cookie,
            comm: owner.comm,
            attribution: attribution(owner.role),
        }
    }
}
