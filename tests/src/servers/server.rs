//! What every server has.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cgroup::Cgroup;
use crate::child::Child;
use crate::ports::Port;
use crate::temp::TempDir;
use crate::user::User;
use crate::wait::TIMEOUT;

/// A running server.
#[derive(Debug)]
pub struct Server {
    // Order matters: the process ends first, then the rest of its cgroup, then its files.
    pub(super) child: Child,
    /// Where it and its children run; events show it as a unit.
    pub cgroup: Cgroup,
    /// Where it listens, on `127.0.0.1` and `::1`.
    pub port: Port,
    /// Its executable, free of symbolic links.
    pub exe: PathBuf,
    /// The user of its process, or of its workers if it has some.
    pub user: User,
    pub(super) dir: TempDir,
    pub(super) end_signal: i32,
}

impl Server {
    /// The process that was started: the only one, or the master of the others.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The keys by which a rule demands its processes, all of them true except the key `wrong`, if it is one of them.
    #[must_use]
    pub fn demanded(&self, wrong: &str) -> String {
        let right = [
            ("exe", self.exe.display().to_string()),
            ("user", self.user.name.clone()),
            ("unit", self.cgroup.unit().to_owned()),
        ];
        let keys = right.map(|(key, value)| {
            let value = if key == wrong { "/somebody/elses".to_owned() } else { value };
            format!("{key} = \"{value}\"")
        });
        keys.join(", ")
    }

    #[track_caller]
    pub(super) fn wait_until(&mut self, ready: impl Fn(&Self) -> bool) {
        let start = std::time::Instant::now();
        while !ready(self) {
            if let Some(status) = self.child.ended() {
                panic!("{} ended ({status}); its output:\n{}", self.exe.display(), self.output());
            }
            assert!(
                start.elapsed() < TIMEOUT,
                "{} was not ready; its output:\n{}",
                self.exe.display(),
                self.output()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    pub(super) fn output(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.end(self.end_signal);
    }
}

/// Sends standard output and error of `command` into `log` of the directory.
pub(super) fn into_log(command: &mut Command, dir: &TempDir) {
    let log = std::fs::File::create(dir.join("log")).expect("a fresh file");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor can be duplicated")).stderr(log);
}
