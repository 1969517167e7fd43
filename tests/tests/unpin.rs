//! What a daemon with pins leaves is removed when it should be, and used only by a daemon that may.

use std::path::Path;
use std::process::{Command, Output};

use gdprport_tests::bpf::Held;
use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::pins::BpfFs;
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;
use gdprport_tests::wait;

#[track_caller]
fn pinning(fs: &BpfFs) -> Daemon {
    Start::without_policy().pins(&fs.pins()).start()
}

/// Runs `gdprport daemon WORDS --pin DIRECTORY`, with a service manager that lists `jobs` and reports how the
/// service ended.
fn unpin(words: &[&str], pins: &Path, jobs: &str, result: &str, status: &str) -> Output {
    let dir = TempDir::new();
    let systemctl = dir.write("systemctl", &format!("#!/bin/sh\necho '{jobs}'\n"));
    set_mode(&systemctl, 0o755);
    let mut command = Command::new(program());
    command.arg("daemon").args(words).arg("--pin").arg(pins);
    command.env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
    command.env("SERVICE_RESULT", result).env("EXIT_STATUS", status);
    command.output().expect("the program can be run")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn unpin_leaves_nothing() {
    for words in [&["unpin"][..], &["--unpin"]] {
        let fs = BpfFs::new();
        let mut daemon = pinning(&fs);
        let held = Held::by(daemon.pid());
        assert!(!held.programs.is_empty());
        daemon.kill();
        assert!(!held.is_gone(), "a killed daemon with pins leaves its hooks");
        let output = unpin(words, &fs.pins(), "", "", "");
        assert!(
            output.status.success() && text(&output).contains("removed what was pinned"),
            "{}",
            text(&output)
        );
        assert!(!fs.pins().exists());
        wait::until("nothing of the daemon stays in the kernel", || held.is_gone());
        let output = unpin(words, &fs.pins(), "", "", "");
        assert!(output.status.success() && text(&output).contains("nothing is pinned"), "{}", text(&output));
    }
}

#[test]
fn a_daemon_that_a_person_interrupts_leaves_nothing() {
    let fs = BpfFs::new();
    let log = pinning(&fs).interrupt();
    assert!(log.seen().last().expect("the last event").at("daemon.kept").is_null());
    assert!(!fs.pins().exists());
    let next = pinning(&fs);
    assert!(next.log.seen().first().expect("its start").at("daemon.previous").is_null());
    next.interrupt();
}

mod host_only {
    //! Run on the host alone: the same on every kernel.

    use super::*;

    #[test]
    fn after_a_stop_nothing_is_left_and_in_a_restart_everything() {
        let fs = BpfFs::new();
        let mut daemon = pinning(&fs);
        let held = Held::by(daemon.pid());
        daemon.terminate();
        let words = ["unpin", "--unless-restarting", "gdprport.service"];
        for (jobs, result, status) in [
            ("7 gdprport.service restart running", "success", "0"),
            ("7 other.service stop running", "signal", "KILL"),
            ("", "watchdog", "ABRT"),
        ] {
            let output = unpin(&words, &fs.pins(), jobs, result, status);
            assert!(output.status.success() && text(&output).contains("stays"), "{jobs}: {}", text(&output));
            assert!(fs.pins().exists() && !held.is_gone(), "{jobs}");
        }
        // The start that an invalid policy has stopped is not tried again.
        let output = unpin(&words, &fs.pins(), "7 gdprport.service start running", "exit-code", "2");
        assert!(text(&output).contains("removed what was pinned"), "{}", text(&output));
        assert!(!fs.pins().exists());
        let output = unpin(&words, &fs.pins(), "7 gdprport.service stop running", "success", "0");
        assert!(output.status.success(), "{}", text(&output));
        wait::until("nothing of the daemon stays in the kernel", || held.is_gone());
    }

    /// What the service may write to is a mount point there, in a file system that is read-only for it.
    #[test]
    fn the_directory_of_the_unit_stays_empty_without_an_error() {
        let fs = BpfFs::new();
        let mut daemon = pinning(&fs);
        let held = Held::by(daemon.pid());
        daemon.terminate();
        let script = "mount --bind \"$2\" \"$2\"; mount -o remount,bind,ro \"$1\"; exec \"$0\" daemon unpin --pin \"$2\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script]).arg(program()).arg(fs.path()).arg(fs.pins());
        let output = command.output().expect("unshare can be run");
        let said = text(&output);
        assert!(output.status.success() && said.starts_with("removed what was pinned"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(std::fs::read_dir(fs.pins()).expect("it stays").count(), 0);
        wait::until("nothing of the daemon stays in the kernel", || held.is_gone());
    }

    /// The error of a daemon that cannot pin in `pins`.
    #[track_caller]
    fn refused(pins: &Path) -> String {
        let dir = TempDir::new();
        let mut command = Command::new(program());
        command.args(["daemon", "run", "--no-ledger", "--no-policy", "--events"]).arg(dir.join("events"));
        command.arg("--config").arg(dir.write("gdprport.toml", ""));
        command.arg("--socket").arg(dir.join("socket")).arg("--pin").arg(pins);
        let output = command.output().expect("the program can be run");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    }

    #[test]
    fn pins_are_used_by_one_daemon_at_a_time() {
        let fs = BpfFs::new();
        let mut first = pinning(&fs);
        let error = refused(&fs.pins());
        assert!(error.contains("another gdprport daemon uses the pins in"), "{error}");
        let output = unpin(&["unpin"], &fs.pins(), "", "", "");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("another gdprport daemon uses the pins in"), "{}", text(&output));
        assert!(first.is_running() && fs.pins().exists());
        first.interrupt();
    }

    /// It leaves nothing of its own either.
    #[test]
    fn a_failed_start_leaves_the_earlier_daemons_pins_alone() {
        let fs = BpfFs::new();
        let fails = || {
            let dir = TempDir::new();
            let mut command = Command::new(program());
            command.args(["daemon", "run", "--no-ledger", "--no-policy", "--events", "/nonexistent/events"]);
            command.arg("--config").arg(dir.write("gdprport.toml", ""));
            command.arg("--socket").arg(dir.join("socket")).arg("--pin").arg(fs.pins());
            let output = command.output().expect("the program can be run");
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        };
        fails();
        assert!(!fs.pins().exists());
        let mut first = pinning(&fs);
        first.kill();
        fails();
        let second = pinning(&fs);
        let start = second.log.seen().first().expect("its start");
        assert_eq!(start.at("daemon.previous.adopted"), true, "{}", start.line());
        second.interrupt();
    }

    #[test]
    fn a_directory_that_others_could_have_filled_is_not_trusted() {
        let fs = BpfFs::new();
        std::fs::create_dir(fs.pins()).expect("a directory");
        set_mode(&fs.pins(), 0o755);
        let error = refused(&fs.pins());
        assert!(error.contains("mode 0755") && error.contains("cannot be trusted"), "{error}");
        set_mode(&fs.pins(), 0o700);
        let games = User::games();
        std::os::unix::fs::chown(fs.pins(), Some(games.uid), Some(games.gid)).expect("root may");
        let error = refused(&fs.pins());
        assert!(error.contains(&format!("belongs to user {}", games.uid)), "{error}");
        assert!(fs.pins().exists(), "it was left alone");
    }

    #[test]
    fn a_place_that_cannot_hold_pins_is_refused_with_its_remedy() {
        let dir = TempDir::new();
        let error = refused(&dir.join("pins"));
        assert!(error.contains("is not on a bpffs") && error.contains("mount -t bpf"), "{error}");
        assert!(!dir.join("pins").exists());
    }
}
