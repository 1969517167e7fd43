//! Exec ids for the processes that predate the kernel side.

use std::io;

use gdprport_common::{
    EXEC_ID_SEEDED, EnforceExe, ExecHeader, ExecRecord, FILE_CAP, FileState, MountOwner, TASK_HEADLESS,
    TaskIdentity,
};

use super::entries::ExecEntry;
use super::resolver::Resolver;
use crate::host::clock::boottime_ns;
use crate::host::pid::{self, ProcDir};
use gdprport_core::executed::components;
use gdprport_core::identity::NS_PER_TICK;
use gdprport_core::text::path_text;

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
        let path = self.proven_exe(&dir, None).map(|(path, _)| path);
        let exec_id = EXEC_ID_SEEDED | self.seeded;
        self.seeded += 1;

        let header = ExecHeader { shipped: 1, tgid, exec_id, time_ns: boottime_ns(), ..ExecHeader::UNKNOWN };
        let mut exec = ExecRecord { header, file: [0; FILE_CAP] };
        let known = match path {
            Some(path) => {
                exec.header.file_mounts = MountOwner::Root as u8;
                let file = components(&path);
                if file.len() < FILE_CAP {
                    exec.file[..file.len()].copy_from_slice(&file);
                    exec.header.file_len = file.len() as u16;
                    exec.header.file_state = FileState::Complete as u8;
                } else {
                    exec.header.file_state = FileState::TooLong as u8;
                }
                ExecEntry::shown_live(tgid, path_text(&path).into())
            }
            None => ExecEntry::unknown(tgid),
        };
        self.execs.insert(exec_id, known);
        let identity = TaskIdentity {
            exec_id,
            start_ns: stat.start_ticks * NS_PER_TICK,
            parent_tgid: stat.ppid,
            threads: stat.threads | if stat.headless { TASK_HEADLESS } else { 0 },
            shipped: 0,
            exe: EnforceExe::default(),
        };
        Some(ExistingProcess { tgid, identity, exec })
    }
}
