//! Files that somebody configured may be anything, on any file system, and belong to anybody: reading them never stops the
//! daemon, and what others than root can change decides nothing.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::{Daemon, program};
use gdprport_tests::need;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::temp::{HungDisk, TempDir, set_mode};
use gdprport_tests::wait;

fn make_fifo(path: &Path) {
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
    // SAFETY: the pointer is to a NUL-terminated string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o644) }, 0, "a FIFO");
}

/// Puts something else in the place of the policy, and checks that the daemon goes on with the old one: it replies and
/// sees connections while it tries to read, says what it found, reads the next policy, and ends when it is asked to.
#[track_caller]
fn goes_on_beside(put: impl FnOnce(&Path), said: &str) {
    let mut pair = Pair::new();
    let digest = pair.daemon.status()["policy"]["digest"].clone();
    let policy = pair.daemon.policy();
    let text = std::fs::read_to_string(&policy).expect("the policy");
    std::fs::remove_file(&policy).expect("it was written");
    put(&policy);
    pair.daemon.signal(libc::SIGHUP);
    let begun = Instant::now();
    let connection = pair.connect();
    connection.client.named_exactly(&mut pair.daemon.log, "flow.open");
    assert_eq!(pair.daemon.status()["policy"]["digest"], digest);
    assert!(begun.elapsed() < Duration::from_secs(2), "it waited for {:?}", begun.elapsed());
    let reload = pair.daemon.ask(["daemon", "reload"]);
    let problems = String::from_utf8_lossy(&[reload.stdout, reload.stderr].concat()).into_owned();
    assert_eq!(reload.status.code(), Some(2), "{problems}");
    assert!(problems.contains(said) && problems.contains("policy.toml"), "{problems}");
    assert_eq!(pair.daemon.status()["policy"]["last_reload"]["ok"], false);
    std::fs::remove_file(&policy).expect("it is there");
    pair.daemon.rewrite_policy(&text);
    assert!(pair.daemon.ask(["daemon", "reload"]).status.success());
    pair.close(&connection);
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    pair.daemon.stop();
}

#[test]
fn a_fifo_in_the_place_of_the_policy_stops_nothing() {
    goes_on_beside(make_fifo, "it is a FIFO, not a regular file");
}

#[test]
fn a_device_in_the_place_of_the_policy_stops_nothing() {
    let link = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).expect("a link");
    goes_on_beside(link, "it is a device, not a regular file");
}

#[test]
fn a_file_system_that_hangs_stops_nothing() {
    let disk = need!(HungDisk::new());
    let link = |path: &Path| std::os::unix::fs::symlink(disk.join("policy.toml"), path).expect("a link");
    goes_on_beside(link, "the file system does not answer");
}

/// Also while the policy is being read.
#[test]
fn sigterm_ends_a_daemon_whose_policy_hangs() {
    let disk = need!(HungDisk::new());
    let daemon = Daemon::with(open(Port::free().number()).alone());
    let policy = daemon.policy();
    std::fs::remove_file(&policy).expect("it was written");
    std::os::unix::fs::symlink(disk.join("policy.toml"), &policy).expect("a link");
    daemon.signal(libc::SIGHUP);
    wait::until("it is being read", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs");
        tasks.filter_map(Result::ok).any(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == "files")
        })
    });
    daemon.stop();
}

/// What `daemon run` prints and ends with, with these files.
#[track_caller]
fn refused(policy: &Path, config: &Path, events: &Path) -> String {
    let dir = TempDir::new();
    let mut command = Command::new(program());
    command.args(["daemon", "run", "--no-ledger", "--policy"]).arg(policy).arg("--config").arg(config);
    command.arg("--events").arg(events).arg("--socket").arg(dir.join("socket"));
    let log = dir.join("log");
    command.stderr(std::fs::File::create(&log).expect("a fresh file"));
    let mut child = Child::start(command, Place::default());
    let status = child.wait(wait::TIMEOUT);
    let said = std::fs::read_to_string(log).expect("its log");
    assert!(!status.success(), "{said}");
    said
}

#[test]
fn a_start_says_which_file_cannot_be_read() {
    let dir = TempDir::new();
    let policy = dir.write("policy.toml", &open(Port::free().number()).alone());
    let (config, events, fifo) = (dir.write("gdprport.toml", ""), dir.join("events"), dir.join("fifo"));
    make_fifo(&fifo);
    for said in [
        refused(&fifo, &config, &events),
        refused(&policy, &fifo, &events),
        refused(&policy, &config, &fifo),
        refused(Path::new("/dev/zero"), &config, &events),
        refused(&policy, Path::new("/dev/zero"), &events),
    ] {
        assert!(said.contains("regular file"), "{said}");
    }
    let disk = need!(HungDisk::new());
    let hung = disk.join("x");
    for said in
        [refused(&hung, &config, &events), refused(&policy, &hung, &events), refused(&policy, &config, &hung)]
    {
        assert!(said.contains("the file system does not answer"), "{said}");
    }
}

/// At the start and at a reload; a flag takes it, with a warning.
#[test]
fn a_policy_that_others_can_change_is_refused() {
    let dir = TempDir::new();
    let text = open(Port::free().number()).alone();
    let policy = dir.write("policy.toml", &text);
    let (config, events) = (dir.write("gdprport.toml", ""), dir.join("events"));
    for (path, mode, right) in
        [(policy.as_path(), 0o666, 0o644), (dir.path(), 0o777, 0o755), (config.as_path(), 0o664, 0o644)]
    {
        set_mode(path, mode);
        let said = refused(&policy, &config, &events);
        assert!(said.contains("others than root") && said.contains("chmod go-w"), "{said}");
        set_mode(path, right);
    }
    std::os::unix::fs::chown(&policy, Some(65_534), None).expect("root may give a file away");
    let said = refused(&policy, &config, &events);
    assert!(said.contains("belongs to user 65534"), "{said}");
    let check = |flags: &[&str]| {
        let mut command = Command::new(program());
        command.args(["policy", "check"]).args(flags).arg(&policy);
        let output = command.output().expect("the program can be run");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert_eq!(check(&[]).0, Some(2));
    let (status, said) = check(&["--any-owner"]);
    assert!(status == Some(0) && said.contains("warning:") && said.contains("65534"), "{said}");

    let daemon = Daemon::with(text);
    set_mode(&daemon.policy(), 0o666);
    let reload = daemon.ask(["daemon", "reload"]);
    assert_eq!(reload.status.code(), Some(2));
    set_mode(&daemon.policy(), 0o644);
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    daemon.stop();
}

#[test]
fn an_events_file_that_everybody_may_read_is_warned_of() {
    let dir = TempDir::new();
    let events = dir.write("events.ndjson", "");
    let daemon = gdprport_tests::daemon::Start::without_policy().events_to(&events).start();
    let remedy = format!("chmod 0640 {}", events.display());
    assert!(daemon.stderr().contains(&remedy), "{}", daemon.stderr());
    let doctor = daemon.ask(["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success() && said.contains("chmod 0640"), "{said}");
    set_mode(&events, 0o640);
    daemon.signal(libc::SIGUSR1);
    wait::until("it is in order", || {
        let doctor = daemon.ask(["doctor"]);
        !String::from_utf8_lossy(&doctor.stdout).contains("chmod 0640")
    });
    daemon.stop();
}
