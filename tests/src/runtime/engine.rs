//! Docker and Podman, which share a command line.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use super::image::{self, IMAGE, LABEL, OTHER_IMAGE};
use crate::skip::Missing;
use crate::temp::TempDir;
use crate::user::User;
use crate::wait;

/// The user whose containers are rootless: `cargo xtask vm` makes it, with subordinate ids and a home of its own.
const ROOTLESS: &str = "rootless";

/// A user with containers of their own.
#[derive(Debug, Clone)]
pub(super) struct Rootless {
    user: User,
}

impl Rootless {
    fn environment(&self) -> [(&'static str, String); 4] {
        let run = format!("/run/user/{}", self.user.uid);
        [
            ("HOME", format!("/home/{}", self.user.name)),
            ("USER", self.user.name.clone()),
            ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={run}/bus")),
            ("XDG_RUNTIME_DIR", run),
        ]
    }
}

/// A runtime that is ready, with the image in it.
#[derive(Debug, Clone)]
pub struct Engine {
    program: &'static str,
    rootless: Option<Rootless>,
}

impl Engine {
    /// Docker, whose daemon is started if it is not running yet.
    ///
    /// # Errors
    /// This is not a machine with runtimes.
    pub fn docker() -> Result<Self, Missing> {
        Self::ready("/usr/bin/docker", None, &["docker.service"])
    }

    /// Podman as root.
    ///
    /// # Errors
    /// This is not a machine with runtimes.
    pub fn podman() -> Result<Self, Missing> {
        Self::ready("/usr/bin/podman", None, &["dbus.service"])
    }

    /// Podman as a user, in the cgroups that systemd has given to them.
    ///
    /// # Errors
    /// This is not a machine with runtimes.
    pub fn rootless() -> Result<Self, Missing> {
        let rootless = Rootless { user: User::named(ROOTLESS)? };
        let unit = format!("user@{}.service", rootless.user.uid);
        Self::ready("/usr/bin/podman", Some(rootless), &["dbus.service", &unit])
    }

    fn ready(program: &'static str, rootless: Option<Rootless>, units: &[&str]) -> Result<Self, Missing> {
        if !image::is_here() {
            return Err(Missing::of("a machine with container runtimes (`cargo xtask vm`)"));
        }
        for unit in units {
            let started = Command::new("systemctl").args(["start", unit]).output().expect("systemctl runs");
            assert!(started.status.success(), "{unit} does not start: {}", text(&started));
        }
        let engine = Self { program, rootless };
        if !engine.command(&["image", "inspect", IMAGE]).output().is_ok_and(|output| output.status.success())
        {
            let dir = TempDir::new();
            let archive = image::archive(&dir).display().to_string();
            let label = format!("LABEL {}={}", LABEL.0, LABEL.1);
            // What containerd's sandboxes run.
            let sleeps = "CMD [\"/bin/busybox\", \"sleep\", \"100000\"]";
            engine.ask(&["import", "--change", &label, "--change", sleeps, &archive, IMAGE]);
            engine.ask(&["tag", IMAGE, OTHER_IMAGE]);
        }
        Ok(engine)
    }

    /// The user whose word the state of this runtime is: 0 is root.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.rootless.as_ref().map_or(0, |rootless| rootless.user.uid)
    }

    /// Runs the runtime's command line with these words and returns what it prints.
    ///
    /// # Panics
    /// When it fails; with its output.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap_or_else(|e| panic!("{}: {e}", self.program));
        assert!(output.status.success(), "{} {}: {}", self.program, words.join(" "), text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a container: `name`, options of `run`, an image and the command in it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[track_caller]
    pub fn run(&self, name: &str, options: &[&str], image: &str, command: &[&str]) -> Container {
        let mut words = vec!["run", "--detach", "--name", name];
        words.extend(options);
        words.push(image);
        words.extend(command);
        // Made before it is asked for, so that a container that was made and did not start is removed too.
        let mut container = Container { engine: self.clone(), name: name.to_owned(), id: String::new() };
        container.id = self.ask(&words).lines().last().unwrap_or_default().to_owned();
        container
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(words).current_dir("/");
        if let Some(rootless) = &self.rootless {
            command.env_clear().env("PATH", "/usr/sbin:/usr/bin").envs(rootless.environment());
            command.uid(rootless.user.uid).gid(rootless.user.gid);
        }
        command
    }
}

/// A container; stopped and removed on drop.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    name: String,
    id: String,
}

impl Container {
    /// Takes a container that something else has made, for example a systemd unit, by its name.
    ///
    /// # Panics
    /// When there is none in time.
    #[must_use]
    #[track_caller]
    pub fn named(engine: &Engine, name: &str) -> Self {
        let id = wait::within(wait::TIMEOUT, &format!("the container {name}"), || {
            let output = engine.command(&["inspect", "--format", "{{.Id}}", name]).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        });
        Self { engine: engine.clone(), name: name.to_owned(), id }
    }

    /// Its id: 64 hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One field of what the runtime says about it, as a template of Go.
    #[must_use]
    #[track_caller]
    pub fn field(&self, template: &str) -> String {
        self.engine.ask(&["inspect", "--format", template, &self.id])
    }

    /// The pid of its first process, in the host's namespace.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.field("{{.State.Pid}}").parse().ok().filter(|pid| *pid > 0).expect("it runs")
    }

    /// Runs a command in it and returns what that prints.
    #[track_caller]
    pub fn exec(&self, command: &[&str]) -> String {
        let mut words = vec!["exec", &*self.name];
        words.extend(command);
        self.engine.ask(&words)
    }

    /// Whether the runtime knows it still.
    fn exists(&self) -> bool {
        let output = self.engine.command(&["inspect", &self.name]).output();
        output.expect("the runtime can be run").status.success()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Not by its id: it may have none yet.
        let removed = self.engine.command(&["rm", "--force", "--volumes", &self.name]).output();
        if !std::thread::panicking() {
            let output = removed.expect("the runtime can be run");
            // One that was started to be removed at its end (`--rm`) may be on its way already.
            if text(&output).contains("is already in progress") {
                wait::until("the runtime removes the container", || !self.exists());
            } else {
                assert!(output.status.success(), "{} stays: {}", self.name, text(&output));
            }
        }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
