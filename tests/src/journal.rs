//! The real systemd-journald, alone: in a mount namespace of its own, with sockets and files in directories of
//! the test, so that no init system is needed and the host's own journal is not touched.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::child::{Child, Place};
use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::wait;

/// A journald and what it has written.
#[derive(Debug)]
pub struct Journal {
    program: PathBuf,
    reader: PathBuf,
    sockets: TempDir,
    files: TempDir,
    child: Option<Child>,
}

impl Journal {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When systemd is not installed here.
    pub fn start() -> Result<Self, Missing> {
        let program =
            installed(&["/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"], "systemd")?;
        let reader = installed(&["/usr/bin/journalctl"], "systemd")?;
        let mut new = Self { program, reader, sockets: TempDir::new(), files: TempDir::new(), child: None };
        new.launch();
        Ok(new)
    }

    /// Starts it again after [`Journal::stop`].
    ///
    /// # Panics
    /// When it does not listen in time.
    pub fn launch(&mut self) {
        let mut command = Command::new("unshare");
        let files = format!(
            "mkdir -p /run/log/journal\nmount --bind {} /run/log/journal",
            self.files.path().display()
        );
        let script = format!("{}\n{files}\nexec \"$0\"", self.mounts());
        command.args(["--mount", "sh", "-ec", &script]).arg(&self.program);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(Child::start(command, Place::default()));
        wait::until("journald listens", || self.listens());
    }

    /// Ends it. Its socket stays, without an owner.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.signal(libc::SIGTERM);
            child.wait(wait::TIMEOUT);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// Lines of shell that put this journald's sockets where a program of this mount namespace expects them.
    #[must_use]
    pub fn mounts(&self) -> String {
        mounts(&self.sockets)
    }

    /// All entries of gdprport so far, in order.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        let mut command = Command::new(&self.reader);
        command.arg("-D").arg(self.files.path()).args(["-o", "json", "--all", "SYSLOG_IDENTIFIER=gdprport"]);
        let output = command.output().expect("journalctl can be run");
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("an entry is JSON")).collect()
    }

    fn listens(&self) -> bool {
        let ask = |probe: std::os::unix::net::UnixDatagram| probe.connect(self.sockets.join("socket"));
        std::os::unix::net::UnixDatagram::unbound().and_then(ask).is_ok()
    }
}

/// Lines of shell that mount `sockets` as the place of journald's sockets.
#[must_use]
pub fn mounts(sockets: &TempDir) -> String {
    let place = "/run/systemd/journal";
    format!("mount -t tmpfs none /run\nmkdir -p {place}\nmount --bind {} {place}", sockets.path().display())
}
