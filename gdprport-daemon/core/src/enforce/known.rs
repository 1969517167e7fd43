//! What the daemon knows of the host when it makes the tables.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Container, Process};

/// What is known of the values that identities may have. What is not listed is not known, and its rules say *unknown* of it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Paths of executables that patterns with wildcards are compared with in advance. Those that the policy names as they
    /// are need not be listed.
    pub executables: Vec<Arc<str>>,
    /// Users by id; `None`: the id is known to have no name.
    pub users: Vec<(u32, Option<Arc<str>>)>,
    /// Groups likewise.
    pub groups: Vec<(u32, Option<Arc<str>>)>,
    /// The cgroups that there are.
    pub cgroups: Vec<Cgroup>,
    /// Whether this host may translate the peer's address of a connection.
    pub translates: bool,
}

/// A cgroup, and what is known of the processes in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cgroup {
    /// Its id: the inode of its directory.
    pub id: u64,
    /// Its path below the cgroup root; `None`: not known.
    pub path: Option<Arc<str>>,
    /// The systemd unit.
    pub unit: Option<Arc<str>>,
    /// The container.
    pub container: Option<Container>,
    /// [`Process::container_unproven`].
    pub container_unproven: bool,
}

impl Cgroup {
    /// A process of which only the cgroup is known.
    pub(super) fn member(&self) -> Process {
        Process {
            cgroup: self.path.clone(),
            unit: self.unit.clone(),
            container: self.container.clone(),
            container_unproven: self.container_unproven,
            names_pending: true,
            ..Process::UNKNOWN
        }
    }
}

/// The same moment by two clocks: rules end by the time of day, the kernel side counts from the boot.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// By the time of day.
    pub now: Timestamp,
    /// By `CLOCK_BOOTTIME`, in nanoseconds.
    pub boot_ns: u64,
}

impl Clock {
    /// A time of day by `CLOCK_BOOTTIME`; 0 if that is before the boot.
    pub(super) fn boot_ns(self, at: Timestamp) -> u64 {
        let ahead = at.as_nanosecond() - self.now.as_nanosecond();
        let at = i128::from(self.boot_ns) + ahead;
        // A moment that far is never reached, and is not the reserved one.
        u64::try_from(at.max(0)).unwrap_or(u64::MAX).min(u64::MAX - 1)
    }
}

/// A process of which only the executable is known.
pub(super) fn executable(path: Arc<str>) -> Process {
    Process { exe: Some(path), ..Process::UNKNOWN }
}

/// A process of which only the user is known; whose name may not be known yet.
pub(super) fn user(uid: u32, name: Option<Option<Arc<str>>>) -> Process {
    Process { uid, names_pending: name.is_none(), user: name.flatten(), ..Process::UNKNOWN }
}

/// The same of a group.
pub(super) fn group(gid: u32, name: Option<Option<Arc<str>>>) -> Process {
    Process { gid, names_pending: name.is_none(), group: name.flatten(), ..Process::UNKNOWN }
}
