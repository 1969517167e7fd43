//! The deliverer under test, with a configuration, a state directory and a socket of its own.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::child::{Child, Place};
use crate::daemon::program;
use crate::temp::TempDir;
use crate::wait::{self, TIMEOUT};

/// A running deliverer, or one that was killed. Dropping it kills it.
#[derive(Debug)]
pub struct Deliverer {
    child: Child,
    dir: TempDir,
}

impl Deliverer {
    /// Starts one with a `gdprport.toml` of this text, and waits until it answers.
    ///
    /// # Panics
    /// When it ends instead, with its log.
    #[must_use]
    #[track_caller]
    pub fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// The same with these environment variables.
    ///
    /// # Panics
    /// When it ends instead, with its log.
    #[must_use]
    #[track_caller]
    pub fn start_with(config: &str, variables: &[(&str, &Path)]) -> Self {
        let dir = TempDir::new();
        dir.write("gdprport.toml", config);
        std::fs::create_dir(dir.join("state")).expect("a fresh directory");
        let child = Self::spawn(&dir, variables);
        let mut deliverer = Self { child, dir };
        deliverer.wait_until_ready();
        deliverer
    }

    fn spawn(dir: &TempDir, variables: &[(&str, &Path)]) -> Child {
        let mut command = Command::new(program());
        command.arg("deliver").arg("--config").arg(dir.join("gdprport.toml"));
        command.arg("--state").arg(dir.join("state")).arg("--socket").arg(dir.join("deliver.sock"));
        let log = OpenOptions::new().create(true).append(true).open(dir.join("stderr"));
        command.stderr(log.expect("a log")).stdout(File::create(dir.join("stdout")).expect("a fresh file"));
        command.envs(variables.iter().copied());
        Child::start(command, Place::default())
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let ready = wait::within(TIMEOUT, "the deliverer answers", || {
            if let Some(status) = self.child.ended() {
                return Some(Err(status));
            }
            self.ask(["sink", "status"]).status.success().then_some(Ok(()))
        });
        if let Err(status) = ready {
            panic!("the deliverer ended ({status}); its log:\n{}", self.stderr());
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Replaces the text of its configuration; it takes effect with a reload.
    pub fn rewrite(&self, config: &str) {
        self.dir.write("gdprport.toml", config);
    }

    /// Where a file of its own is.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Its log so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// Runs a command of the program against this deliverer.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn ask<const N: usize>(&self, words: [&str; N]) -> Output {
        let mut command = Command::new(program());
        command.args(words).arg("--socket").arg(self.dir.join("deliver.sock"));
        command.arg("--config").arg(self.dir.join("gdprport.toml"));
        command.output().expect("the program can be started")
    }

    /// What `sink status --json` prints.
    ///
    /// # Panics
    /// When it does not answer with JSON.
    #[must_use]
    #[track_caller]
    pub fn status(&self) -> Value {
        let output = self.ask(["sink", "status", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("the status is JSON")
    }

    /// One sink of it; `null` if it is not listed.
    #[must_use]
    #[track_caller]
    pub fn sink(&self, name: &str) -> Value {
        let status = self.status();
        let sinks = status["sinks"].as_array().map(Vec::as_slice).unwrap_or_default();
        sinks.iter().find(|sink| sink["name"] == name).cloned().unwrap_or_default()
    }

    /// Waits until a sink has nothing more to send.
    #[track_caller]
    pub fn wait_until_idle(&self, name: &str) {
        wait::until("the sink has sent all", || {
            let sink = self.sink(name);
            sink["state"] == "idle" && sink["lag"]["events"] == 0
        });
    }

    /// Reads the configuration again, as `systemctl reload` does, and waits until it has.
    #[track_caller]
    pub fn reload(&self) {
        let read = |status: &Value| (status["config"]["read"].clone(), status["config"]["refused"].clone());
        let before = read(&self.status());
        self.child.signal(libc::SIGHUP);
        wait::until("the configuration is read again", || read(&self.status()) != before);
    }

    /// Kills it, so that it can note nothing more.
    #[track_caller]
    pub fn kill(&mut self) {
        self.child.signal(libc::SIGKILL);
        self.child.wait(TIMEOUT);
    }

    /// Starts it again after a kill.
    #[track_caller]
    pub fn restart(&mut self) {
        self.child = Self::spawn(&self.dir, &[]);
        self.wait_until_ready();
    }

    /// Ends it by SIGTERM; it has to end with 0.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.child.signal(libc::SIGTERM);
        let status = self.child.wait(TIMEOUT);
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
        self.stderr()
    }
}
