//! Tasks as `/proc` shows them, for a look at the host without kernel programs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use gdprport_common::{EnforceExe, ExecRecord, TASK_HEADLESS, TaskIdentity};

use super::resolver::TaskLookup;
use crate::host::pid::{self, ProcDir};
use gdprport_core::identity::NS_PER_TICK;

/// The processes of a `/proc`. None has an exec id: that a process has executed something else meanwhile shows by its command
/// name only.
#[derive(Debug)]
pub(crate) struct ProcTasks(OwnedFd);

impl ProcTasks {
    /// Those of this `/proc`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open(proc: &Path) -> io::Result<Self> {
        pid::open_proc(proc).map(Self)
    }
}

impl TaskLookup for ProcTasks {
    fn identity(&self, tgid: u32) -> Option<TaskIdentity> {
        let stat = ProcDir::open(&self.0, tgid)?.stat()?;
        Some(TaskIdentity {
            exec_id: 0,
            start_ns: stat.start_ticks * NS_PER_TICK,
            parent_tgid: stat.ppid,
            threads: stat.threads | if stat.headless { TASK_HEADLESS } else { 0 },
            shipped: 0,
            exe: EnforceExe::default(),
        })
    }

    fn exec(&self, _exec_id: u64) -> Option<ExecRecord> {
        None
    }
}
