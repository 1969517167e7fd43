//! Attribution under attack, the executable: a path is what really runs, or nothing; never a program that an
//! attacker would like to be taken for.

use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::event::Event;
use gdprport_tests::pair::{Connection, Pair};
use gdprport_tests::puppet::{ProgramCopy, Puppet, built, proven_in_own_mounts};
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;

/// A program of root's that an attacker would like to be taken for.
const HONEST: &str = "/usr/bin/env";

/// Copies one of our programs, by another process: see `ProgramCopy::new`.
fn copy(of: &str, to: &Path) {
    let done = Command::new("cp").arg(built(of)).arg(to).status().expect("cp can be run");
    assert!(done.success());
    set_mode(to, 0o755);
}

/// Connects and closes, and returns the `flow.close` of the client's end.
#[track_caller]
fn client_closed(pair: &mut Pair) -> (Connection, Event) {
    let connection = pair.connect();
    pair.close(&connection);
    let event = connection.client.event(&mut pair.daemon.log, "flow.close");
    assert_eq!(event.number("process.pid"), Some(connection.client.pid.into()), "{}", event.line());
    (connection, event)
}

#[test]
fn a_deleted_executable_is_reported_by_its_executed_path() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let path = dir.join("deleted");
    copy("puppet", &path);
    pair.client = Puppet::run(&path, Place::default());
    std::fs::remove_file(&path).expect("it is there");
    let (connection, event) = client_closed(&mut pair);
    connection.client.check_owner(&event);
    pair.daemon.stop();
}

#[test]
fn a_replaced_executable_is_reported_by_its_executed_path() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let (path, newer) = (dir.join("program"), dir.join("newer"));
    copy("puppet", &path);
    pair.client = Puppet::run(&path, Place::default());
    copy("client-once", &newer);
    std::fs::rename(&newer, &path).expect("it is there");
    let (connection, event) = client_closed(&mut pair);
    connection.client.check_owner(&event);
    pair.daemon.stop();
}

/// A root directory with a copy of the puppet and the libraries it needs.
fn jail() -> (TempDir, PathBuf) {
    let dir = TempDir::new();
    let program = dir.join("usr/bin/env");
    std::fs::create_dir_all(dir.join("usr/bin")).expect("a fresh directory");
    copy("puppet", &program);
    let needs = Command::new("ldd").arg(built("puppet")).output().expect("ldd can be run (package libc-bin)");
    for word in String::from_utf8_lossy(&needs.stdout).split_whitespace().filter(|word| word.starts_with('/'))
    {
        let to = dir.join(word.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("a fresh directory");
        std::fs::copy(word, to).expect("libraries can be read");
    }
    (dir, program)
}

/// The path is resolved from the host's root, not from the process's own.
#[test]
fn an_executable_in_a_chroot_is_reported_by_its_host_path() {
    let ((dir, program), mut pair) = (jail(), Pair::new());
    pair.client.ask(&format!("chroot {}", dir.path().display()));
    pair.client.ask(&format!("exec {HONEST}"));
    let (_, event) = client_closed(&mut pair);
    let real = program.canonicalize().expect("it is there");
    assert_eq!(event.text("process.exe"), real.to_string_lossy(), "{}", event.line());
    pair.daemon.stop();
}

/// Whatever it calls itself, it is reported as `/memfd:…` or without a path.
#[test]
fn an_executable_in_memory_cannot_borrow_a_path() {
    let mut pair = Pair::new();
    pair.client.ask(&format!("exec-memory {HONEST}"));
    let (_, event) = client_closed(&mut pair);
    let exe = event.at("process.exe");
    assert!(exe.is_null() || *exe == *format!("/memfd:{HONEST}"), "{}", event.line());
    pair.daemon.stop();
}

/// The attacker mounts its program over another one in a mount namespace of its own.
#[test]
fn a_bind_mount_over_a_program_does_not_lend_its_path() {
    let (user, mut pair) = (User::games(), Pair::new());
    let evil = ProgramCopy::new("puppet", "evil");
    pair.client = Puppet::at(Place::default().user(&user));
    pair.client.ask("unshare-user");
    pair.client.ask(&format!("cover {} {HONEST}", evil.path().display()));
    pair.client.ask(&format!("exec {HONEST}"));
    let (_, event) = client_closed(&mut pair);
    assert!(event.at("process.exe").is_null(), "{}", event.line());
    assert_eq!(event.text("process.user"), user.name, "{}", event.line());
    pair.daemon.stop();
}

/// A client in `cgroup` that covers [`HONEST`] in mounts of its own and becomes it, at its close.
#[track_caller]
fn covered_in(cgroup: &Cgroup, user: &User) -> Event {
    let mut pair = Pair::new();
    let evil = ProgramCopy::new("puppet", "evil");
    pair.client = Puppet::at(Place::default().cgroup(cgroup).user(user));
    pair.client.ask("unshare-user");
    pair.client.ask(&format!("cover {} {HONEST}", evil.path().display()));
    pair.client.ask(&format!("exec {HONEST}"));
    let (_, event) = client_closed(&mut pair);
    assert_eq!(event.text("process.cgroup"), cgroup.name(), "{}", event.line());
    pair.daemon.stop();
    event
}

/// A user may give a cgroup the name of a container, but that does not make a bind mount in it trusted.
#[test]
fn a_forged_container_cgroup_lends_a_covered_path_no_trust() {
    let user = User::games();
    let service = Cgroup::service();
    let forged = service.delegated(&user, &format!("docker-{}.scope", "ab".repeat(32)));
    let event = covered_in(&forged, &user);
    assert!(event.at("process.exe").is_null(), "{}", event.line());
    assert_eq!(event.number("process.container.claimed_by"), Some(user.uid.into()), "{}", event.line());
    assert_eq!(event.text("process.unit"), service.unit(), "{}", event.line());
}

#[test]
fn a_path_in_a_container_of_root_is_reported_with_it() {
    let id = "cd".repeat(32);
    let event = covered_in(&Cgroup::docker(&id), &User::games());
    assert_eq!(event.text("process.exe"), HONEST, "{}", event.line());
    assert_eq!(event.text("process.container.id"), id, "{}", event.line());
}

#[test]
fn a_host_program_in_a_user_namespace_is_named() {
    let (user, mut pair) = (User::games(), Pair::new());
    let plain = ProgramCopy::new("puppet", "plain");
    pair.client = Puppet::at(Place::default().user(&user));
    pair.client.ask("unshare-user");
    pair.client.become_program("exec", &plain.path());
    let (_, event) = client_closed(&mut pair);
    let exe = proven_in_own_mounts(&plain.path());
    assert_eq!(event.at("process.exe").as_str(), exe.as_deref(), "{}", event.line());
    pair.daemon.stop();
}

/// Lets `attack` run a client to its end while the daemon is stopped, and returns the `flow.close` that the daemon then
/// reports. `attack` takes the address and returns the output of the client: process id and port.
#[track_caller]
fn reported_after_exit(attack: impl FnOnce(&str) -> String) -> Event {
    let mut pair = Pair::new();
    pair.server.ask("serve");
    pair.daemon.signal(libc::SIGSTOP);
    let output = attack(&format!("127.0.0.1:{}", pair.port));
    pair.daemon.signal(libc::SIGCONT);
    let (pid, local) = output.split_once(' ').expect("pid and port");
    let local = local.parse().expect("a port");
    let event = pair.daemon.log.flow("flow.close", "out", local, pair.port.number());
    assert_eq!(event.number("process.pid"), pid.parse().ok(), "{}", event.line());
    pair.daemon.stop();
    event
}

/// The program has exited before the daemon can look at it.
#[test]
fn a_bind_mount_of_an_exited_program_does_not_lend_its_path() {
    let evil = ProgramCopy::new("client-once", "evil");
    let mut attacker = Puppet::at(Place::default().user(&User::games()));
    attacker.ask("unshare-user");
    attacker.ask(&format!("cover {} {HONEST}", evil.path().display()));
    let event = reported_after_exit(|to| attacker.ask(&format!("run {HONEST} {to}")));
    assert_ne!(event.text("process.exe"), HONEST, "{}", event.line());
}

#[test]
fn a_link_retargeted_after_exec_does_not_lend_its_new_target() {
    let (dir, user) = (TempDir::new(), User::games());
    let own = dir.dir_for("own", &user);
    let (evil, link) = (ProgramCopy::new("client-once", "evil"), own.join("link"));
    let retarget = |to: &Path| {
        let _ = std::fs::remove_file(&link);
        symlink(to, &link).expect("a fresh name");
        lchown(&link, Some(user.uid), Some(user.gid)).expect("root may give away");
    };
    retarget(&evil.path());
    let event = reported_after_exit(|to| {
        let mut command = Command::new(&link);
        command.arg(to);
        let ran = run(command, Place::default().user(&user));
        retarget(HONEST.as_ref());
        ran.output
    });
    let exe = event.at("process.exe");
    let named = link.to_string_lossy();
    assert!(exe.is_null() || *exe == *named || *exe == *evil.path().to_string_lossy(), "{}", event.line());
}

mod host_only {
    //! Run on the host alone: the same on every kernel.

    use super::*;

    #[test]
    fn an_executable_reached_by_links_is_reported_by_its_own_path() {
        let (dir, mut pair) = (TempDir::new(), Pair::new());
        let program = ProgramCopy::new("puppet", "program");
        symlink(program.path(), dir.join("first")).expect("a fresh name");
        symlink("first", dir.join("second")).expect("a fresh name");
        pair.client = Puppet::run(&dir.join("second"), Place::default());
        let (_, event) = client_closed(&mut pair);
        assert_eq!(event.text("process.exe"), program.path().to_string_lossy(), "{}", event.line());
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
        pair.daemon.stop();
    }

    /// The attacker turns its program into a script once it has been executed.
    #[test]
    fn a_program_replaced_by_a_script_lends_no_interpreter() {
        let (dir, user) = (TempDir::new(), User::games());
        let own = dir.dir_for("own", &user);
        let program = own.join("program");
        copy("client-once", &program);
        let event = reported_after_exit(|to| {
            let mut command = Command::new(&program);
            command.arg(to);
            let ran = run(command, Place::default().user(&user));
            std::fs::remove_file(&program).expect("it is there");
            std::fs::write(&program, format!("#!{HONEST}\n")).expect("a fresh file");
            std::os::unix::fs::chown(&program, Some(user.uid), Some(user.gid)).expect("root may give away");
            ran.output
        });
        let exe = event.at("process.exe");
        assert!(exe.is_null() || *exe == *program.to_string_lossy(), "{}", event.line());
    }
}
