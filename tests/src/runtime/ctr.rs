//! containerd by its own client, as people use it without Docker.

use std::process::{Command, Output};

use super::engine::Engine;
use super::image::IMAGE;
use crate::skip::Missing;
use crate::temp::TempDir;

/// A namespace of containerd with the image in it.
#[derive(Debug, Clone)]
pub struct Ctr {
    namespace: &'static str,
}

impl Ctr {
    /// containerd, started if it is not running yet. The image comes from Docker, for a client of containerd imports only
    /// archives of images.
    ///
    /// # Errors
    /// This is not a machine with runtimes.
    pub fn new(namespace: &'static str) -> Result<Self, Missing> {
        let docker = Engine::docker()?;
        let ctr = Self { namespace };
        if !ctr.ask(&["image", "ls", "--quiet"]).lines().any(|image| image == IMAGE) {
            let dir = TempDir::new();
            let archive = dir.join("image.tar").display().to_string();
            docker.ask(&["save", "--output", &archive, IMAGE]);
            ctr.ask(&["image", "import", &archive]);
        }
        Ok(ctr)
    }

    /// Runs its command line with these words and returns what it prints.
    ///
    /// # Panics
    /// When it fails; with its output.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> String {
        let output = self.try_ask(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ctr {}: {errors}", words.join(" "));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn try_ask(&self, words: &[&str]) -> Output {
        let output = Command::new("/usr/bin/ctr").args(["--namespace", self.namespace]).args(words).output();
        output.expect("ctr can be run")
    }
}

/// A container of containerd and its task; both removed on drop.
#[derive(Debug)]
pub struct Task {
    ctr: Ctr,
    id: String,
}

impl Task {
    /// Starts one in the network namespace of the host.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[track_caller]
    pub fn run(ctr: &Ctr, id: &str, command: &[&str]) -> Self {
        let task = Self { ctr: ctr.clone(), id: id.to_owned() };
        ctr.ask(&[&["run", "--detach", "--net-host", IMAGE, id], command].concat());
        task
    }

    /// The id of its container, which is also its name: a text of the caller's choice.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The pid of its first process, in the host's namespace.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    #[track_caller]
    pub fn pid(&self) -> u32 {
        let tasks = self.ctr.ask(&["task", "ls"]);
        let mut words = tasks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let task = words.find(|words| words.first() == Some(&&*self.id)).expect("it is listed");
        task[1].parse().expect("a pid")
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let _ended = self.ctr.try_ask(&["task", "rm", "--force", &self.id]);
        let removed = self.ctr.try_ask(&["container", "rm", &self.id]);
        assert!(std::thread::panicking() || removed.status.success(), "{} stays", self.id);
    }
}
