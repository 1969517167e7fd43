//! What a resolver reads: the kernel side's maps and the file systems of the machine.

use std::io;
use std::path::{Path, PathBuf};

use gdprport_common::{ExecRecord, TaskIdentity};

use crate::host::cgroup::Mounts;
use crate::host::file::Root;

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
