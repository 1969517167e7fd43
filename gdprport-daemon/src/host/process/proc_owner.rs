//! A process that was found in `/proc` as the holder of a socket, as an owner like those in records.

use rustix::fs::AtFlags;
use rustix::fs::{CWD, statat};

use gdprport_common::SocketRole;

use super::resolver::{Resolver, TaskLookup};
use crate::host::clock::boottime_ns;
use crate::host::pid::{Ids, ProcDir};
use gdprport_core::identity::{NS_PER_TICK, OwnerRef};

impl Resolver {
    /// The owner that a live process with a socket is; `None` if it is gone. It has role `Seeded`, so that its
    /// attribution is `snapshot`: the holder of a socket need not be the one that opened it.
    #[must_use]
    pub fn owner_of_process(&self, tgid: u32, netns_cookie: u64, tasks: &dyn TaskLookup) -> Option<OwnerRef> {
        let dir = ProcDir::open(&self.proc, tgid)?;
        let stat = dir.stat()?;
        let dir = dir.living(&stat);
        let Ids { uid, gid, euid, egid } = dir.ids()?;
        let identity = tasks.identity(tgid).unwrap_or_default();
        let mut comm = [0; 16];
        let name = dir.comm().unwrap_or_default();
        let len = name.len().min(comm.len() - 1);
        comm[..len].copy_from_slice(&name[..len]);
        Some(OwnerRef {
            tgid,
            parent_tgid: if identity.parent_tgid == 0 { stat.ppid } else { identity.parent_tgid },
            uid,
            gid,
            euid,
            egid,
            exec_id: identity.exec_id,
            cgroup_id: self.cgroup_id(&dir).unwrap_or(0),
            netns_cookie,
            start_ns: if identity.start_ns == 0 { stat.start_ticks * NS_PER_TICK } else { identity.start_ns },
            time_ns: boottime_ns(),
            comm,
            role: SocketRole::Seeded,
            withheld: None,
        })
    }

    /// The id of a process's cgroup2 directory: its inode number.
    fn cgroup_id(&self, dir: &ProcDir) -> Option<u64> {
        let text = dir.cgroup()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let place = self.mounts.cgroup2.as_ref()?.join(path);
        Some(statat(CWD, &place, AtFlags::empty()).ok()?.st_ino)
    }
}
