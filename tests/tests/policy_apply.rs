//! A policy is tried and goes by itself, or is kept and stands in its file.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::policy::{declare, open};
use gdprport_tests::ports::Port;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A daemon, and another policy for it.
struct Scene {
    daemon: Daemon,
    dir: TempDir,
    before: String,
    after: String,
}

impl Scene {
    fn new() -> Self {
        let port = Port::free().number();
        let before = open(port).alone();
        let after = declare("stricter", port).allow("nobody", "in", "192.0.2.1", "").alone();
        let (daemon, dir) = (Start::with(before.clone()).start(), TempDir::new());
        dir.write("new.toml", &after);
        Self { daemon, dir, before, after }
    }

    fn new_policy(&self) -> PathBuf {
        self.dir.join("new.toml")
    }

    fn apply(&self, more: &[&str]) -> Output {
        let new = self.new_policy();
        let words = ["policy", "apply", new.to_str().expect("a path")];
        self.daemon.ask(words.iter().chain(more))
    }

    /// Begins a trial that somebody else ends; returns who waits for it.
    fn try_for(&mut self, time: &str) -> Child {
        self.try_with(&["--yes", "--confirm", time])
    }

    fn try_with(&mut self, words: &[&str]) -> Child {
        let mut command = Command::new(program());
        command.arg("--socket").arg(self.daemon.socket()).args(["policy", "apply"]).arg(self.new_policy());
        command.args(words).stdin(Stdio::null());
        command.stdout(fs::File::create(self.dir.join("stdout")).expect("a file"));
        command.stderr(fs::File::create(self.dir.join("stderr")).expect("a file"));
        let child = Child::start(command, Place::default());
        self.daemon.log.wait("a trial", |event| !event.at("policy.trial_until").is_null());
        child
    }

    fn end_of(&self, mut child: Child) -> (Option<i32>, String) {
        let status = wait::within(wait::TIMEOUT, "its end", || child.ended());
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        (status.code(), read("stdout") + &read("stderr"))
    }

    fn file(&self) -> String {
        fs::read_to_string(self.daemon.policy()).expect("it is there")
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_policy_that_nobody_confirms_goes_by_itself() {
    let mut scene = Scene::new();
    let first = scene.daemon.status()["policy"]["digest"].clone();
    let output = scene.apply(&["--yes", "--confirm", "5s"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not kept; in force is "), "{said}");
    let status = scene.daemon.status();
    assert_eq!((&status["policy"]["digest"], &status["policy"]["trial"]), (&first, &serde_json::Value::Null));
    assert_eq!(scene.file(), scene.before, "nothing was written");
    scene.daemon.log.wait("the one before", |event| *event.at("policy.reverted") == true);
    let log = scene.daemon.stop();
    let applied: Vec<_> = log.seen().iter().filter(|event| event.kind() == "policy.applied").collect();
    let until: Vec<_> = applied.iter().map(|event| event.at("policy.trial_until").is_string()).collect();
    assert_eq!(until, [false, true, false]);
    assert_eq!(applied[2].at("policy.digest"), &first);
    assert_eq!(applied[2].at("policy.previous"), applied[1].at("policy.digest"));
}

#[test]
fn a_confirmed_policy_stands_in_its_file_and_stays() {
    let mut scene = Scene::new();
    let waiting = scene.try_for("10m");
    let trial = scene.daemon.status()["policy"]["trial"].clone();
    assert_eq!(trial["file"], scene.daemon.policy().display().to_string());
    let second = scene.apply(&["--yes", "--confirm", "10m"]);
    assert!(text(&second).contains("another policy is on trial for "), "{}", text(&second));
    let confirmed = scene.daemon.ask(["policy", "confirm"]);
    assert!(confirmed.status.success(), "{}", text(&confirmed));
    let (code, said) = scene.end_of(waiting);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("kept; in force is "), "{said}");
    assert_eq!(scene.file(), scene.after);
    let previous = scene.daemon.policy().with_extension("toml.previous");
    assert_eq!(fs::read_to_string(previous).expect("it is kept"), scene.before);
    assert!(scene.daemon.status()["policy"]["trial"].is_null());
    let none = scene.daemon.ask(["policy", "revert"]);
    assert_eq!((none.status.code(), text(&none).contains("no policy is on trial")), (Some(1), true));
    drop(scene.daemon.stop());
}

#[test]
fn a_trial_that_is_taken_back_ends_at_once() {
    let mut scene = Scene::new();
    let waiting = scene.try_for("10m");
    let output = scene.daemon.ask(["policy", "revert"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("taken back; in force is sha256:"), "{}", text(&output));
    let late = scene.daemon.ask(["policy", "confirm"]);
    assert!(text(&late).contains("one whose time is over was taken back"), "{}", text(&late));
    let (code, said) = scene.end_of(waiting);
    assert_eq!((code, said.contains("not kept; in force is ")), (Some(1), true), "{said}");
    assert_eq!(scene.file(), scene.before);
    drop(scene.daemon.stop());
}

#[test]
fn a_trial_ends_with_the_daemon_that_is_killed() {
    let mut scene = Scene::new();
    let waiting = scene.try_for("10m");
    scene.daemon.kill();
    let (code, said) = scene.end_of(waiting);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("its trial has ended with it"), "{said}");
    assert_eq!(scene.file(), scene.before, "which the next daemon reads");
}

#[test]
fn a_reload_ends_a_trial_with_what_the_files_say() {
    let mut scene = Scene::new();
    let first = scene.daemon.status()["policy"]["digest"].clone();
    let waiting = scene.try_for("10m");
    assert!(scene.daemon.ask(["daemon", "reload"]).status.success());
    let (code, said) = scene.end_of(waiting);
    assert_eq!(code, Some(1), "{said}");
    let policy = scene.daemon.status()["policy"].clone();
    assert_eq!((&policy["digest"], policy["trial"].is_null()), (&first, true));
    drop(scene.daemon.stop());
}

#[test]
fn what_cannot_be_applied_is_refused_before_anything_changes() {
    let scene = Scene::new();
    let refused = |output: Output, code: i32, why: &str| {
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(scene.apply(&[]), 1, "nobody can be asked here whether to put it in force: say --yes");
    refused(
        scene.apply(&["--yes", "--as", "/etc/x.toml"]),
        1,
        "/etc/x.toml is no place in the daemon's policy",
    );
    refused(scene.apply(&["--yes", "--confirm", "1s"]), 2, "a trial takes 5s to 1d");
    let own = scene.daemon.policy();
    let own = ["policy", "apply", own.to_str().expect("a path"), "--yes"];
    refused(scene.daemon.ask(own), 1, "is the daemon's own file: change a copy of it");
    scene.dir.write("new.toml", "version = 1\nport = 1\n");
    refused(scene.apply(&["--yes"]), 2, "new.toml:2:8: error: expected a list");
    scene.dir.write("new.toml", &scene.after);
    scene.daemon.rewrite_policy(&format!("{}# changed\n", scene.before));
    refused(scene.apply(&["--yes"]), 1, "is not what the daemon has loaded");
    scene.daemon.rewrite_policy(&scene.before);
    let applied = scene.apply(&["--yes"]);
    assert!(applied.status.success(), "{}", text(&applied));
    assert_eq!(scene.file(), scene.after);
    refused(scene.apply(&["--yes"]), 0, "is in force already");
    drop(scene.daemon.stop());
}

#[test]
fn a_program_gets_json_and_nothing_else() {
    let mut scene = Scene::new();
    let before = scene.daemon.status()["policy"]["digest"].clone();
    let waiting = scene.try_with(&["--json", "--yes", "--confirm", "10m"]);
    assert!(scene.daemon.ask(["policy", "revert"]).status.success());
    assert_eq!(scene.end_of(waiting).0, Some(1));
    let stdout = fs::read(scene.dir.join("stdout")).expect("it is there");
    let reply: serde_json::Value = serde_json::from_slice(&stdout).expect("JSON");
    assert_eq!((&reply["applied"], &reply["digest"]), (&false.into(), &before));
    assert!(scene.apply(&["--yes"]).status.success());
    let again = scene.apply(&["--json", "--yes"]);
    let reply: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(
        (&reply["applied"], &reply["digest"]),
        (&true.into(), &scene.daemon.status()["policy"]["digest"])
    );
    drop(scene.daemon.stop());
}
