//! Real servers, each with its own port, data directory, user and cgroup; stopped with their guard.
//!
//! Belongs here: starting one and knowing when it is ready without connecting to it (a probing connection
//! would be a flow that the daemon has to report). Does not belong here: what is promised about them.

mod database;
mod directory;
mod mail;
mod secure;
mod web;

use std::path::PathBuf;
use std::process::{Command, Stdio};

pub use database::{MariaDb, Postgres, Redis};
pub use directory::OpenLdap;
pub use mail::{Dovecot, Postfix};
pub use secure::OpenSsl;
pub use web::{Nginx, Node, Python, client_script, python};

use crate::cgroup::Cgroup;
use crate::child::{Child, Place, User};
use crate::ports::Port;
use crate::temp::TempDir;
use crate::wait::{self, PATIENCE};

/// What every server has.
#[derive(Debug)]
pub struct Server {
    // Order matters: the process ends first, then the rest of its cgroup, then its files.
    child: Child,
    /// Where it and its children run; events show it as a unit.
    pub cgroup: Cgroup,
    /// Where it listens, on `127.0.0.1` and `::1`.
    pub port: Port,
    /// Its executable, free of symbolic links.
    pub exe: PathBuf,
    /// Whom it runs as (its workers, where it has some).
    pub user: User,
    dir: TempDir,
    end_signal: i32,
}

impl Server {
    /// The process that was started: the only one, or the master of the others.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What a rule demands of its processes, all of it true but for the key `wrong`, if that is one.
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
    fn wait_until(&mut self, ready: impl Fn(&Self) -> bool) {
        let start = std::time::Instant::now();
        while !ready(self) {
            if let Some(status) = self.child.ended() {
                panic!("{} ended ({status}); it said:\n{}", self.exe.display(), self.said());
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{} was not ready; it said:\n{}",
                self.exe.display(),
                self.said()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.end(self.end_signal);
    }
}

/// Sends standard output and error of `command` into `log` of the directory.
fn into_log(command: &mut Command, dir: &TempDir) {
    let log = std::fs::File::create(dir.join("log")).expect("a fresh file");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor can be duplicated")).stderr(log);
}

/// A client program that was run to its end.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its process id.
    pub pid: u32,
    /// What it wrote to standard output, trimmed.
    pub said: String,
}

/// Runs `command` at `place` to its end.
///
/// # Panics
/// When it fails; with what it said.
#[track_caller]
pub fn run(mut command: Command, place: Place<'_>) -> Ran {
    use std::io::Read as _;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{command:?}");
    let mut child = Child::start(command, place);
    let pipes = child.pipes();
    let (mut said, mut complaint) = (String::new(), String::new());
    // Clients of the tests write a few lines, less than a pipe holds, so one after the other is right.
    pipes.stdout.take().expect("stdout is piped").read_to_string(&mut said).expect("clients write UTF-8");
    pipes
        .stderr
        .take()
        .expect("stderr is piped")
        .read_to_string(&mut complaint)
        .expect("clients write UTF-8");
    let status = wait::within(PATIENCE, &what, || child.ended());
    assert!(status.success(), "{what}: {status}\n{said}\n{complaint}");
    Ran { pid: child.pid(), said: said.trim().to_owned() }
}
