//! Programs started for the bench, and the commands that restore the machine. Dropping [`Monitors`] stops and restores
//! everything, however the bench ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Output, Stdio};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::netns::Netns;

#[derive(Debug, Default)]
pub(crate) struct Monitors {
    running: BTreeMap<String, Child>,
    undo: Vec<Vec<String>>,
}

impl Monitors {
    /// Starts a program and returns its pid.
    ///
    /// # Errors
    /// One of this name runs, or the files cannot be made.
    pub(crate) fn start(
        &mut self,
        name: &str,
        argv: &[String],
        stdout: Option<&str>,
        stderr: Option<&str>,
        inside: Option<&Netns>,
    ) -> Result<u32, String> {
        if self.running.contains_key(name) {
            return Err(format!("{name} runs already"));
        }
        let mut command = command(argv)?;
        command.stdin(Stdio::null()).stdout(file(stdout)?).stderr(file(stderr)?);
        let place = inside.map_or(Place::default(), |netns| Place::default().netns(netns));
        let child = Child::start(command, place);
        let pid = child.pid();
        self.running.insert(name.to_owned(), child);
        Ok(pid)
    }

    /// Stops it; false if it had to be killed.
    pub(crate) fn stop(&mut self, name: &str, signal: i32) -> Result<bool, String> {
        let mut child = self.running.remove(name).ok_or_else(|| format!("{name} does not run"))?;
        child.end(signal);
        Ok(child.ended().is_some())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, name: &str, signal: i32) -> Result<(), String> {
        if !self.alive(name) {
            return Err(format!("{name} does not run"));
        }
        self.running[name].signal(signal);
        Ok(())
    }

    /// Whether it still runs.
    pub(crate) fn alive(&mut self, name: &str) -> bool {
        self.running.get_mut(name).is_some_and(|child| child.ended().is_none())
    }

    /// Registers a command that restores the machine, once.
    pub(crate) fn undo(&mut self, argv: Vec<String>) {
        if !self.undo.contains(&argv) {
            self.undo.push(argv);
        }
    }
}

impl Drop for Monitors {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            child.end(libc::SIGTERM);
        }
        self.running.clear();
        for argv in self.undo.drain(..).rev() {
            let done = command(&argv).and_then(|mut undo| undo.output().map_err(|error| error.to_string()));
            if !done.is_ok_and(|output| output.status.success()) {
                eprintln!("gdprport-bench: `{}` failed; run it by hand", argv.join(" "));
            }
        }
    }
}

/// Runs a program to its end, inside of the namespace or here.
pub(crate) fn run(argv: &[String], inside: Option<&Netns>, keep: bool) -> Result<Output, String> {
    let mut command = command(argv)?;
    command.stdin(Stdio::null());
    if !keep {
        command.stdout(Stdio::null());
    }
    let place = inside.map_or(Place::default(), |netns| Place::default().netns(netns));
    place.apply(&mut command);
    let child =
        command.stderr(Stdio::piped()).stdout(if keep { Stdio::piped() } else { Stdio::null() }).spawn();
    child
        .and_then(std::process::Child::wait_with_output)
        .map_err(|error| format!("{}: {error}", argv.join(" ")))
}

fn command(argv: &[String]) -> Result<Command, String> {
    let (program, args) = argv.split_first().ok_or("nothing to run")?;
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

fn file(path: Option<&str>) -> Result<Stdio, String> {
    let Some(path) = path else { return Ok(Stdio::null()) };
    File::create(path).map(Stdio::from).map_err(|error| format!("cannot make {path}: {error}"))
}
