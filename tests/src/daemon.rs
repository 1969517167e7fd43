//! The daemon under test, with a policy, a socket and an event file of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use crate::child::{Child, Place};
use crate::event::Event;
use crate::launch;
use crate::log::EventLog;
use crate::puppet::built;
use crate::schema;
use crate::temp::TempDir;
use crate::user::User;
pub use crate::user::is_root;
use crate::wait::{self, TIMEOUT};

/// The program under test: `GDPRPORT_BIN`, or the one that cargo built beside the tests.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn program() -> PathBuf {
    std::env::var_os("GDPRPORT_BIN").map_or_else(|| built("gdprport"), PathBuf::from)
}

/// Where a daemon writes its events.
#[derive(Debug, Clone)]
enum EventsFile {
    Own,
    At(PathBuf),
}

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Start {
    policy: Option<String>,
    events: EventsFile,
    config: Option<String>,
    prepare: Option<String>,
    pins: Option<PathBuf>,
    ledger: Option<PathBuf>,
    spool: bool,
    user: Option<User>,
}

impl Start {
    /// With this policy.
    #[must_use]
    pub fn with(policy: impl Into<String>) -> Self {
        Self { policy: Some(policy.into()), ..Self::without_policy() }
    }

    /// Without a policy: the built-in catalog applies.
    #[must_use]
    pub const fn without_policy() -> Self {
        let events = EventsFile::Own;
        Self {
            policy: None,
            events,
            config: None,
            prepare: None,
            pins: None,
            ledger: None,
            spool: false,
            user: None,
        }
    }

    /// Keeps its ledger there instead of in a file of its own.
    #[must_use]
    pub fn ledger(mut self, path: &Path) -> Self {
        self.ledger = Some(path.to_owned());
        self
    }

    /// Writes the events there instead of into a file of its own.
    #[must_use]
    pub fn events_to(mut self, path: &Path) -> Self {
        self.events = EventsFile::At(path.to_owned());
        self
    }

    /// With a `gdprport.toml` of this text instead of the host's.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// In a mount namespace of its own, after these lines of shell in it: mounts, limits, a cgroup.
    #[must_use]
    pub fn prepare(mut self, script: &str) -> Self {
        self.prepare = Some(script.to_owned());
        self
    }

    /// Pins what it attaches in this directory.
    #[must_use]
    pub fn pins(mut self, directory: &Path) -> Self {
        self.pins = Some(directory.to_owned());
        self
    }

    /// With a spool of its own.
    #[must_use]
    pub const fn spool(mut self) -> Self {
        self.spool = true;
        self
    }

    /// As this user, with the capabilities that the service has and no other.
    #[must_use]
    pub fn user(mut self, user: &User) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// Starts it and waits until it watches.
    ///
    /// # Panics
    /// When it ends instead, or is not ready in time; with its log.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Daemon {
        assert!(is_root(), "the end-to-end promises need root; run `cargo xtask test`, which asks sudo");
        let dir = TempDir::new();
        let (socket, stderr) = (dir.join("control.sock"), dir.join("stderr"));
        let (events, owns_events) = match self.events {
            EventsFile::Own => (dir.join("events.ndjson"), true),
            EventsFile::At(path) => (path, false),
        };
        let mut command = launch::prepared(self.prepare.as_deref(), self.user.as_ref());
        if let Some(user) = &self.user {
            std::os::unix::fs::chown(dir.path(), Some(user.uid), Some(user.gid)).expect("root may");
        }
        command.args(["daemon", "run"]).arg("--events").arg(&events).arg("--socket").arg(&socket);
        match &self.policy {
            Some(text) => command.arg("--policy").arg(dir.write("policy.toml", text)),
            None => command.arg("--no-policy"),
        };
        // Nor does it share the host's ledger.
        let ledger = self.ledger.unwrap_or_else(|| dir.join("ledger.db"));
        command.arg("--ledger").arg(&ledger);
        if self.spool {
            command.arg("--spool").arg(dir.join("spool"));
        }
        if let Some(directory) = &self.pins {
            command.arg("--pin").arg(directory);
        }
        // Never the host's own: the result of a test must not depend on it.
        command.arg("--config").arg(dir.write("gdprport.toml", &self.config.unwrap_or_default()));
        command.stdout(File::create(dir.join("stdout")).expect("a fresh file"));
        command.stderr(File::create(&stderr).expect("a fresh file"));
        let child = Child::start(command, Place::default());
        let mut daemon = Daemon { child, log: EventLog::at(&events), owns_events, socket, ledger, dir };
        daemon.wait_until_ready();
        daemon
    }
}

/// A running daemon. Dropping it kills it, after what it has written so far was checked against the schema;
/// [`Daemon::stop`] ends it in order and checks more.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Its events.
    pub log: EventLog,
    owns_events: bool,
    socket: PathBuf,
    ledger: PathBuf,
    dir: TempDir,
}

impl Daemon {
    /// Starts one with `policy`.
    #[must_use]
    #[track_caller]
    pub fn with(policy: impl Into<String>) -> Self {
        Start::with(policy).start()
    }

    /// Starts one beside a server that listens on `port` already, and waits until it knows who that is: nobody may be known
    /// of what such a server accepts before.
    #[must_use]
    #[track_caller]
    pub fn beside(port: u16, policy: impl Into<String>) -> Self {
        let mut daemon = Self::with(policy);
        daemon.log.wait("listener.open", |event| event.is("listener.open", port));
        daemon
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let start = std::time::Instant::now();
        while !(self.has_started() && self.ask(["daemon", "status", "--json"]).status.success()) {
            if let Some(status) = self.child.ended() {
                panic!("the daemon ended ({status}) instead of starting; its log:\n{}", self.stderr());
            }
            assert!(
                start.elapsed() < TIMEOUT,
                "the daemon was not ready in time; its log:\n{}",
                self.stderr()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn has_started(&mut self) -> bool {
        self.log.refresh().iter().any(|event| event.kind() == "daemon.start")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its control socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its ledger.
    #[must_use]
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// Its policy file.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.dir.join("policy.toml")
    }

    /// Replaces the text of its policy file; it takes effect with a reload.
    pub fn rewrite_policy(&self, text: &str) {
        self.dir.write("policy.toml", text);
    }

    /// Its standard error so far: its log.
    #[must_use]
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        self.child.signal(signal);
    }

    /// A line of `/proc/PID/status` that counts kibibytes, for example `VmHWM`.
    ///
    /// # Panics
    /// When there is no such line.
    #[must_use]
    #[track_caller]
    pub fn memory_kib(&self, key: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("the kernel counts it")
    }

    /// The number of its open descriptors.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.ended().is_none()
    }

    /// Runs a command of the program against this daemon's socket.
    pub fn ask<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Output {
        ask(&self.socket, words)
    }

    /// Kills it, so that it can write and do nothing more.
    #[track_caller]
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.child.wait(TIMEOUT);
    }

    /// Ends a daemon with pins by SIGTERM and checks the same as [`Daemon::stop`], except that its BPF stays pinned.
    ///
    /// # Panics
    /// When one of these does not hold.
    #[track_caller]
    pub fn stop_keeping_pins(mut self) -> EventLog {
        self.signal(libc::SIGTERM);
        self.check_orderly_end();
        std::mem::replace(&mut self.log, EventLog::at(Path::new("/dev/null")))
    }

    /// Ends it by SIGINT, and checks the same as [`Daemon::stop`].
    ///
    /// # Panics
    /// When one of these does not hold.
    #[track_caller]
    pub fn interrupt(mut self) -> EventLog {
        let held = crate::bpf::Held::by(self.pid());
        self.signal(libc::SIGINT);
        self.check_orderly_end();
        wait::until("nothing of the daemon stays in the kernel", || held.is_gone());
        std::mem::replace(&mut self.log, EventLog::at(Path::new("/dev/null")))
    }

    #[track_caller]
    fn check_orderly_end(&mut self) {
        let status = self.child.wait(TIMEOUT);
        assert_eq!(status.code(), Some(0), "the daemon ended with {status}; its log:\n{}", self.stderr());
        self.log.refresh();
        assert_eq!(self.log.seen().last().map(Event::kind), Some("daemon.stop"), "the last event");
        self.log.check();
    }

    /// Ends it by SIGTERM and checks what is true of every run: it exits with 0, its last event is
    /// `daemon.stop`, the stream is complete and fits the schema, and nothing of its BPF stays behind.
    ///
    /// # Panics
    /// When one of these does not hold.
    #[track_caller]
    pub fn stop(mut self) -> EventLog {
        let held = crate::bpf::Held::by(self.pid());
        self.signal(libc::SIGTERM);
        self.check_orderly_end();
        wait::until("nothing of the daemon stays in the kernel", || held.is_gone());
        std::mem::replace(&mut self.log, EventLog::at(Path::new("/dev/null")))
    }

    /// What a test that fails shows of it: its log, and, while it runs, its counters. Nothing here panics.
    fn print_state(&mut self) {
        eprintln!("the log of the daemon:\n{}", tail(&self.stderr()));
        let mut status = Command::new(program());
        status.args(["daemon", "status", "--json", "--socket"]).arg(&self.socket);
        let Some(status) = status
            .output()
            .ok()
            .and_then(|output| serde_json::from_slice::<serde_json::Value>(&output.stdout).ok())
        else {
            return eprintln!("the daemon gives no status");
        };
        for part in ["coverage", "ports", "sinks"] {
            eprintln!("{part}: {}", status[part]);
        }
    }

    /// Ends it by SIGTERM and neither reads nor checks its events.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.child.wait(TIMEOUT)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_state();
            return;
        }
        // What it wrote must fit the schema even if it was killed. A file of the test may have been cut on purpose.
        if self.owns_events {
            self.log.refresh();
            schema::check(self.log.seen());
        }
    }
}

/// Runs the program with `words` and `--socket`.
///
/// # Panics
/// When it cannot be run.
pub fn ask<S: AsRef<OsStr>>(socket: &Path, words: impl IntoIterator<Item = S>) -> Output {
    Command::new(program()).args(words).arg("--socket").arg(socket).output().expect("the program can be run")
}

fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(4096);
    (from..text.len()).find_map(|at| text.get(at..)).unwrap_or_default()
}
