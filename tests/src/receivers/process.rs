//! A receiver's process, which is killed and started again.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::child::{Child, Place};
use crate::wait;

/// A process and how it is started.
pub(super) struct Process {
    start: Box<dyn Fn() -> Command + Send>,
    ready: Box<dyn Fn() -> bool + Send>,
    child: Option<Child>,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts it and waits until it is ready; what it prints goes to `log` of the directory.
    pub(super) fn new(
        dir: &Path,
        start: impl Fn() -> Command + Send + 'static,
        ready: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        let mut new =
            Self { start: Box::new(start), ready: Box::new(ready), child: None, log: dir.join("log") };
        new.restart();
        new
    }

    /// Starts it again, if it does not run.
    pub(super) fn restart(&mut self) {
        if self.child.is_some() {
            return;
        }
        let mut command = (self.start)();
        let log = std::fs::OpenOptions::new().append(true).create(true).open(&self.log).expect("a log");
        let errors = log.try_clone().expect("a descriptor can be duplicated");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut child = Child::start(command, Place::default());
        wait::until("a receiver is ready", || {
            if let Some(status) = child.ended() {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("a receiver ended with {status}:\n{log}");
            }
            (self.ready)()
        });
        self.child = Some(child);
    }

    /// SIGTERM, as its service manager ends it: what it has read is its own to write before.
    pub(super) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.signal(libc::SIGTERM);
            child.wait(wait::TIMEOUT);
        }
    }

    /// SIGKILL: what it had in memory is gone.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.signal(libc::SIGKILL);
            child.wait(wait::TIMEOUT);
        }
    }

    /// Its sockets live on, and nobody reads them (SIGSTOP), until it goes on (SIGCONT).
    pub(super) fn pause(&self, paused: bool) {
        let Some(child) = &self.child else { return };
        child.signal(if paused { libc::SIGSTOP } else { libc::SIGCONT });
        // On a busy machine its threads go on for a while.
        wait::until("a receiver's threads stand still, or go on", || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", child.pid())).expect("it runs");
            tasks.flatten().all(|task| {
                let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                // proc_pid_stat(5): the state stands behind the name in parentheses.
                let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('T'));
                state.is_none_or(|stopped| stopped == paused)
            })
        });
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("child", &self.child).finish_non_exhaustive()
    }
}
