//! Exec ids for the processes that predate the kernel side.

use std::io;
use std::sync::Arc;

use gdprport_common::{EXEC_ID_SEEDED, ExecRecord, PATH_CAP, RecordKind, TASK_HEADLESS, TaskIdentity};

use super::entries::ExecEntry;
use super::resolver::Resolver;
use crate::host::clock::boottime_ns;
use crate::host::pid::{self, ProcDir};
use gdprport_core::identity::{ExecName, NS_PER_TICK};

/// A process found at start, for the kernel side's maps. Insert it only where the kernel side has no entry yet
/// (`BPF_NOEXIST`): an entry there is newer than this reading.
#[derive(Debug, Clone)]
pub struct ExistingProcess {
    pub tgid: u32,
    /// Value of the task map: an exec id with [`EXEC_ID_SEEDED`], the start time to the tick (10 ms), and
    /// the current parent.
    pub identity: TaskIdentity,
    /// Value of the executable map under that exec id: the path of the executable, marked as shipped. A path
    /// too long for it is left out; the resolver knows it nevertheless.
    pub exec: ExecRecord,
}

impl Resolver {
    /// Reads every process that has an executable, gives it an exec id and remembers its executable, so that
    /// children it forks later inherit it. Kernel threads have none and are left out, as are processes that
    /// may not be read. Attach the hooks first: what is executed meanwhile then has the kernel side's own
    /// entry.
    ///
    /// # Errors
    /// If `proc` cannot be listed.
    pub fn existing_processes(&mut self) -> io::Result<impl Iterator<Item = ExistingProcess> + '_> {
        let pids = pid::list(&self.proc_path)?;
        Ok(pids.into_iter().filter_map(|tgid| self.existing(tgid)))
    }

    fn existing(&mut self, tgid: u32) -> Option<ExistingProcess> {
        let dir = ProcDir::open(&self.proc, tgid)?;
        let stat = dir.stat()?;
        let dir = dir.living(&stat);
        let _ = dir.exe()?;
        let exe = self.proven_exe(&dir).map(|(exe, _)| exe);
        let exec_id = EXEC_ID_SEEDED | self.seeded;
        self.seeded += 1;

        let mut exec = ExecRecord {
            kind: RecordKind::Exec as u8,
            shipped: 1,
            path_len: 0,
            in_user_ns: 0,
            tgid,
            exec_id,
            time_ns: boottime_ns(),
            previous: 0,
            path: [0; PATH_CAP],
        };
        let proven = match exe {
            Some(exe) => {
                // The last byte stays NUL: a path that fills the array would count as cut.
                if exe.len() < PATH_CAP - 1 {
                    exec.path[..exe.len()].copy_from_slice(exe.as_bytes());
                    exec.path_len = exe.len() as u8;
                }
                let name = ExecName::parse(&exec.path[..usize::from(exec.path_len)]);
                ExecEntry::shown_live(tgid, name, Arc::from(exe))
            }
            None => ExecEntry::unknown(tgid),
        };
        self.execs.insert(exec_id, proven);
        let identity = TaskIdentity {
            exec_id,
            start_ns: stat.start_ticks * NS_PER_TICK,
            parent_tgid: stat.ppid,
            threads: stat.threads | if stat.headless { TASK_HEADLESS } else { 0 },
            shipped: 0,
        };
        Some(ExistingProcess { tgid, identity, exec })
    }
}
