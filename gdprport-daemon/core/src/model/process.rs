//! Processes and how they are known.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::{Container, Naming};
use super::proxy::UserlandProxy;

/// How the owner of a flow is known. Ordered from weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attribution {
    /// Nothing is known.
    Unknown,
    /// Found by scanning `/proc` for the socket's inode.
    Snapshot,
    /// The process that called `listen`, or bound the socket before; accepted connections inherit it.
    Listener,
    /// Seen in the context of the process that called connect or accept.
    Exact,
}

impl Attribution {
    /// The identifier used in events and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Snapshot => "snapshot",
            Self::Listener => "listener",
            Self::Exact => "exact",
        }
    }
}

impl fmt::Display for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The process that started another one, as far as it is still known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Parent {
    /// Its process id (tgid) in the initial pid namespace.
    pub pid: u32,
    /// Its executable, `null` if it could not be read.
    pub exe: Option<Arc<str>>,
}

/// How a process itself kept evidence from being known. Only what can be nothing but its own doing: what memory pressure,
/// a late start or a loss may explain is missing evidence instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// It filled the option memory of its socket, so that the kernel could not keep with it who called, nor capture its
    /// first bytes.
    OptionMemory,
    /// It had a kernel thread of io_uring connect, which on kernels before 5.12 belongs to no process.
    KernelThread,
    /// Its executable lies deeper, or under a longer name, than the kernel side reads.
    LongPath,
    /// Its executable was moved out of the mounts through which it was reached.
    Unreachable,
    /// Its executable was reached through mounts that somebody else than root made, and is not the host's file of that path.
    OtherMounts,
}

impl Withheld {
    /// What it did, as text.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::OptionMemory => {
                "it filled the option memory of its socket, where the kernel keeps the owner"
            }
            Self::KernelThread => {
                "it had a kernel thread of io_uring connect, which on this kernel shows no process"
            }
            Self::LongPath => {
                "its executable has a path of more than 511 bytes, or 127 directories and mounts, and it ended before it could be looked at"
            }
            Self::Unreachable => "its executable was moved out of the mounts through which it was reached",
            Self::OtherMounts => {
                "its executable was reached through mounts that root did not make, and is not this host's file of that path"
            }
        }
    }
}

/// The process at the local end of a flow.
///
/// Command-line arguments and environment are never part of it: they carry secrets and personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id (tgid) in the initial pid namespace.
    pub pid: u32,
    /// When the process was started (by fork), `null` if not known.
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// Absolute path of the executable file; for a script, the interpreter. One that is no UTF-8 is quoted as a shell reads
    /// it: `$'/tmp/sh\xff'`. `null` if not known.
    pub exe: Option<Arc<str>>,
    /// Absolute path of the script, when the executable is an interpreter started through `#!`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Arc<str>>,
    /// The container runtime's proxy that it is: who is behind it is another process. Absent if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<UserlandProxy>,
    /// The thread's command name at the time of the call (at most 15 bytes; a process may change it).
    pub comm: Option<Arc<str>>,
    /// Real user id at the time of the call, in the initial user namespace.
    pub uid: u32,
    /// The user's name, `null` if the id has none on this host, or if the name service did not reply in time.
    pub user: Option<Arc<str>>,
    /// Real group id at the time of the call, in the initial user namespace.
    pub gid: u32,
    /// The group's name, `null` if the id has none on this host, or if the name service did not reply in time.
    #[serde(default)]
    pub group: Option<Arc<str>>,
    /// Effective user id at the time of the call, where it differs from the real one: of a set-uid program or of a server
    /// that acts for a user. Absent also where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub euid: Option<u32>,
    /// Effective group id at the time of the call, where it differs from the real one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egid: Option<u32>,
    /// True while it is not known whether `user` or `group` has a name, or how the container is called: then a missing one
    /// proves nothing.
    #[serde(skip)]
    pub names_pending: bool,
    /// True if the cgroup is named like a container's and it can no longer be known whether root named it so: then a
    /// missing `container` proves nothing.
    #[serde(skip)]
    pub container_unproven: bool,
    /// How the process itself withheld its executable, if it did: then a missing one is no gap in the evidence.
    #[serde(skip)]
    pub exe_withheld: Option<Withheld>,
    /// systemd unit.
    pub unit: Option<Arc<str>>,
    /// systemd slice.
    pub slice: Option<Arc<str>>,
    /// Container, `null` outside of one.
    pub container: Option<Container>,
    /// Path below the cgroup root.
    pub cgroup: Option<Arc<str>>,
    /// Inode number of the network namespace of the socket, `null` if not known.
    #[serde(default)]
    pub netns: Option<u64>,
    /// The parent process.
    pub parent: Option<Parent>,
    /// How the process is known to be the owner.
    pub attribution: Attribution,
}

impl Process {
    /// The name that it goes by where its executable's does not begin with it: one executable for many programs, or a named
    /// thread. `None` of a script too, which has a name of its own.
    #[must_use]
    pub fn goes_by(&self) -> Option<&str> {
        let file = self.exe.as_deref().and_then(|exe| exe.rsplit('/').find(|part| !part.is_empty()))?;
        self.comm.as_deref().filter(|comm| self.script.is_none() && !file.starts_with(comm))
    }

    /// A process of which nothing is known, and the base for one of which something is. User and group are
    /// the kernel's invalid id, never 0, which is root.
    pub const UNKNOWN: Self = Self {
        pid: 0,
        started: None,
        exe: None,
        script: None,
        proxy: None,
        comm: None,
        uid: u32::MAX,
        user: None,
        gid: u32::MAX,
        group: None,
        euid: None,
        egid: None,
        names_pending: false,
        container_unproven: false,
        exe_withheld: None,
        unit: None,
        slice: None,
        container: None,
        cgroup: None,
        netns: None,
        parent: None,
        attribution: Attribution::Unknown,
    };

    /// What holding it costs at most, bytes. Its texts may be shared with others that are held too.
    #[must_use]
    pub fn weight(&self) -> usize {
        let Self { exe, script, comm, user, group, unit, slice, cgroup, .. } = self;
        let parent = self.parent.as_ref().and_then(|parent| parent.exe.as_ref());
        let texts = [exe, script, comm, user, group, unit, slice, cgroup].into_iter().flatten().chain(parent);
        // A container's names and labels are bounded where they are read.
        let container = if self.container.is_some() { 2_048 } else { 0 };
        size_of::<Self>() + texts.map(|text| text.len()).sum::<usize>() + container
    }

    /// True if names that it has not may come yet: those that are pending, and a container's that were unknown.
    #[must_use]
    pub fn lacks_names(&self) -> bool {
        let unknown = |container: &Container| !matches!(container.naming, Naming::Known(_));
        self.names_pending || self.container.as_ref().is_some_and(unknown)
    }
}
