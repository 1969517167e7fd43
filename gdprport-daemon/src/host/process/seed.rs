//! Exec ids for the processes that ran before the kernel side watched.

use std::io;
use std::sync::Arc;

use gdprport_common::{EXEC_ID_SEEDED, ExecRecord, PATH_CAP, RecordKind, TASK_HEADLESS, TaskIdentity};

use super::{Exec, Resolver};
use crate::host::clock::boottime_ns;
use crate::host::pid::{self, ProcDir};
use gdprport_core::identity::{ExecName, NS_PER_TICK};

/// A process found at start, for the kernel side's maps. To be inserted only where the kernel side has no
/// entry yet (`BPF_NOEXIST`): an entry there is newer than this reading.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Process id (tgid).
    pub tgid: u32,
    /// Value of the task map: an exec id with [`EXEC_ID_SEEDED`], the start time to the tick (10 ms), and
    /// the current parent.
    pub identity: TaskIdentity,
    /// Value of the executable map under that exec id: the path of the executable, marked as shipped. A path
    /// too long for it is left out; the resolver knows it nevertheless.
    pub exec: ExecRecord,
}

impl Resolver {
    /// Reads every process that has an executable, gives it an exec id and remembers what it runs, so that
    /// children it forks later inherit it. Kernel threads have none and are left out, as are processes that
    /// may not be read. The hooks must be attached before: what is executed meanwhile then has an entry of
    /// the kernel side's own.
    ///
    /// # Errors
    /// If `proc` cannot be listed.
    pub fn seed_all(&mut self) -> io::Result<impl Iterator<Item = Seed> + '_> {
        let pids = pid::list(&self.proc_path)?;
        Ok(pids.filter_map(|tgid| self.seed(tgid)))
    }

    fn seed(&mut self, tgid: u32) -> Option<Seed> {
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
                // The last byte stays NUL: a path that fills the array would read as one that was cut.
                if exe.len() < PATH_CAP - 1 {
                    exec.path[..exe.len()].copy_from_slice(exe.as_bytes());
                    exec.path_len = exe.len() as u8;
                }
                let name = ExecName::parse(&exec.path[..usize::from(exec.path_len)]);
                Exec::shown_live(tgid, name, Arc::from(exe))
            }
            None => Exec::unknown(tgid),
        };
        self.execs.insert(exec_id, proven);
        let identity = TaskIdentity {
            exec_id,
            start_ns: stat.start_ticks * NS_PER_TICK,
            parent_tgid: stat.ppid,
            threads: stat.threads | if stat.headless { TASK_HEADLESS } else { 0 },
            shipped: 0,
        };
        Some(Seed { tgid, identity, exec })
    }
}
