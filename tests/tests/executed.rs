//! The executable is what the kernel ran, read when it was executed: a process that has exited before the daemon looks
//! is named like one that lives, wherever its file lies and however it was called.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{declare, open};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet, built, proven_in_own_mounts, real};
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;

/// A program of root's that an attacker would like to be taken for.
const HONEST: &str = "/usr/bin/env";

/// A daemon and a server, and a client that runs to its end while the daemon is stopped: nothing of it can be looked up
/// any more when the daemon reads its records.
struct Scene {
    daemon: Daemon,
    port: Port,
    _server: Puppet,
}

impl Scene {
    fn new(policy: impl FnOnce(u16) -> String) -> Self {
        let port = Port::free();
        let daemon = Daemon::with(policy(port.number()));
        let mut server = Puppet::new();
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        Self { daemon, port, _server: server }
    }

    fn to(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The `flow.close` of the connection of `command`, which is given the address.
    #[track_caller]
    fn exited(&mut self, command: &mut Command, place: Place<'_>) -> Event {
        command.arg(self.to());
        self.daemon.signal(libc::SIGSTOP);
        let mut whole = Command::new(command.get_program());
        whole.args(command.get_args());
        if let Some(dir) = command.get_current_dir() {
            whole.current_dir(dir);
        }
        let ran = run(whole, place);
        self.daemon.signal(libc::SIGCONT);
        self.closed(ran.pid)
    }

    #[track_caller]
    fn closed(&mut self, pid: u32) -> Event {
        let port = self.port.number();
        self.daemon.log.wait("the flow.close of a process that has exited", |event| {
            event.is("flow.close", port)
                && event.ends("out").is_some()
                && event.number("process.pid") == Some(pid.into())
        })
    }

    /// The same for a process that a puppet runs: `command` of the puppet, without the address.
    #[track_caller]
    fn exited_of(&mut self, puppet: &mut Puppet, command: &str) -> Event {
        let to = self.to();
        self.daemon.signal(libc::SIGSTOP);
        let output = puppet.ask(&format!("{command} {to}"));
        self.daemon.signal(libc::SIGCONT);
        let (pid, _) = output.split_once(' ').expect("pid and port");
        self.closed(pid.parse().expect("a pid"))
    }

    fn end(self) {
        self.daemon.stop();
    }
}

/// Copies the client, by another process: see `ProgramCopy::new`.
fn client_at(to: &Path) {
    let done = Command::new("cp").arg(built("client-once")).arg(to).status().expect("cp can be run");
    assert!(done.success());
    set_mode(to, 0o755);
}

#[track_caller]
fn assert_exe(event: &Event, exe: &Path) {
    assert_eq!(event.text("process.exe"), exe.to_string_lossy(), "{}", event.line());
    assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
}

/// Only one program may connect.
fn only_psql(port: u16) -> String {
    declare("psql", port)
        .allow("calling", "out", "any", r#"exe = ["/usr/bin/psql", "**"]"#)
        .allow("serving", "in", "any", "")
        .alone()
}

/// No executable is shown, which is the process's own doing: a violation, where a rule asks for it.
#[track_caller]
fn assert_withheld(event: &Event) {
    assert!(event.at("process.exe").is_null(), "{}", event.line());
    assert_eq!(event.at("verdict.reasons")[0]["id"], "unattributable", "{}", event.line());
    assert_eq!(event.text("severity"), "high", "{}", event.line());
}

#[test]
fn a_relative_name_of_an_exited_process_becomes_its_path() {
    let mut scene = Scene::new(|port| open(port).alone());
    let copy = ProgramCopy::new("client-once", "client");
    let dir = copy.path().parent().expect("a directory").to_owned();
    for name in ["./client", "../../../..//proc/self/cwd/client"] {
        let event = scene.exited(Command::new(name).current_dir(&dir), Place::default());
        assert_exe(&event, &copy.path());
    }
    scene.end();
}

/// The directory is another user's, who may have changed everything in it since.
#[test]
fn an_exited_script_of_a_user_is_its_interpreter() {
    let mut scene = Scene::new(|port| open(port).alone());
    let (dir, user) = (TempDir::new(), User::games());
    let own = dir.dir_for("own", &user);
    let script = own.join("client.sh");
    std::fs::write(&script, "#!/bin/bash\nexec 3<>/dev/tcp/${1/:/\\/}\n").expect("a fresh file");
    set_mode(&script, 0o777);
    chown(&script, Some(user.uid), Some(user.gid)).expect("root may give away");
    symlink("client.sh", own.join("link")).expect("a fresh name");
    let bash = real("/bin/bash".as_ref());
    for name in [script.as_path(), "./client.sh".as_ref(), "./link".as_ref()] {
        let event = scene.exited(Command::new(name).current_dir(&own), Place::default().user(&user));
        assert_exe(&event, &bash);
    }
    scene.end();
}

/// It ran another program before the daemon could look.
#[test]
fn a_process_that_went_on_to_another_program_is_the_first() {
    let mut scene = Scene::new(|port| open(port).alone());
    let dir = TempDir::new();
    let script = dir.write("client.sh", "exec 3<>/dev/tcp/${1/:/\\/}; exec /bin/true\n");
    let event = scene.exited(Command::new("/bin/bash").arg(&script), Place::default());
    assert_exe(&event, &real("/bin/bash".as_ref()));
    scene.end();
}

/// A path that was read in part is none.
#[test]
fn a_deep_path_is_named_and_one_too_deep_is_none() {
    let mut scene = Scene::new(only_psql);
    let dir = TempDir::new();
    let nested = |component: &str, times: usize| {
        let place: PathBuf = std::iter::once(dir.path().to_owned())
            .chain(std::iter::repeat_n(PathBuf::from(component), times))
            .collect();
        std::fs::create_dir_all(&place).expect("directories");
        client_at(&place.join("client"));
        real(&place.join("client"))
    };
    for program in [nested("d", 100), nested(&"long".repeat(20), 5)] {
        let event = scene.exited(&mut Command::new(&program), Place::default());
        assert_exe(&event, &program);
    }
    for program in [nested("d", 200), nested(&"long".repeat(60), 3)] {
        let event = scene.exited(&mut Command::new(&program), Place::default());
        assert_withheld(&event);
    }
    scene.end();
}

/// It is quoted, so that it is the text of no other path, and no pattern matches it.
#[test]
fn a_path_that_is_no_utf8_is_a_violation() {
    let mut scene = Scene::new(only_psql);
    let dir = TempDir::new();
    let program = dir.join(OsStr::from_bytes(b"sh\xff"));
    client_at(&program);
    let event = scene.exited(&mut Command::new(&program), Place::default());
    let folder = real(dir.path());
    assert_eq!(event.text("process.exe"), format!(r"$'{}/sh\xff'", folder.display()), "{}", event.line());
    assert_eq!(event.text("verdict.outcome"), "violation", "{}", event.line());
    assert_eq!(event.at("verdict.reasons")[0]["id"], "undeclared-process", "{}", event.line());
    scene.end();
}

/// The attacker covers a program in mounts of its own, and somebody outside executes it through them.
#[test]
fn a_file_reached_through_foreign_mounts_lends_no_path() {
    let mut scene = Scene::new(only_psql);
    let user = User::games();
    let evil = ProgramCopy::new("client-once", "evil");
    let mut attacker = Puppet::at(Place::default().user(&user));
    attacker.ask("unshare-user");
    attacker.ask(&format!("cover {} {HONEST}", evil.path().display()));
    let through = format!("/proc/{}/root{HONEST}", attacker.pid());
    let event = scene.exited(&mut Command::new(&through), Place::default());
    assert!(event.at("process.exe").is_null(), "{}", event.line());
    // Where cgroup v1 is mounted too, an exited process may have been in a container of root's: then nothing is proven.
    assert_ne!(event.text("verdict.outcome"), "declared", "{}", event.line());
    scene.end();
}

/// The same while it lives.
#[test]
fn a_live_process_from_foreign_mounts_lends_no_path() {
    let (user, mut pair) = (User::games(), Pair::new());
    let evil = ProgramCopy::new("puppet", "evil");
    let mut attacker = Puppet::at(Place::default().user(&user));
    attacker.ask("unshare-user");
    attacker.ask(&format!("cover {} {HONEST}", evil.path().display()));
    pair.client.ask(&format!("exec /proc/{}/root{HONEST}", attacker.pid()));
    let connection = pair.connect();
    pair.close(&connection);
    let event = connection.client.event(&mut pair.daemon.log, "flow.close");
    assert!(event.at("process.exe").is_null(), "{}", event.line());
    pair.daemon.stop();
}

/// It changes what `/proc` shows as its executable, as root in a user namespace of its own may.
#[test]
fn a_process_that_changes_its_exe_link_keeps_its_path() {
    let mut pair = Pair::new();
    pair.client = Puppet::at(Place::default().user(&User::games()));
    pair.client.ask("unshare-user");
    let plain = ProgramCopy::new("puppet", "env");
    pair.client.become_program("exec", &plain.path());
    pair.client.ask(&format!("disguise {HONEST}"));
    let shown = std::fs::read_link(format!("/proc/{}/exe", pair.client.pid())).expect("it is alive");
    assert_eq!(shown, real(HONEST.as_ref()));
    let connection = pair.connect();
    pair.close(&connection);
    let event = connection.client.event(&mut pair.daemon.log, "flow.close");
    let exe = proven_in_own_mounts(&plain.path());
    assert_eq!(event.at("process.exe").as_str(), exe.as_deref(), "{}", event.line());
    pair.daemon.stop();
}

#[test]
fn an_exited_program_in_memory_has_the_name_it_was_given() {
    let mut scene = Scene::new(|port| open(port).alone());
    let mut puppet = Puppet::new();
    let event = scene.exited_of(&mut puppet, &format!("run-memory {} a/b", built("client-once").display()));
    assert_exe(&event, "/memfd:a/b".as_ref());
    scene.end();
}

#[test]
fn an_exited_program_that_was_deleted_keeps_its_path() {
    let mut scene = Scene::new(|port| open(port).alone());
    let dir = TempDir::new();
    let program = dir.join("client");
    client_at(&program);
    let named = real(&program);
    let mut command = Command::new("/bin/bash");
    command.args(["-c", "exec 3<\"$0\"; rm \"$0\"; exec /proc/self/fd/3 \"$1\""]).arg(&program);
    let event = scene.exited(&mut command, Place::default());
    assert_exe(&event, &named);
    scene.end();
}

mod host_only {
    //! Run on the host alone: they need programs that the emulated hosts lack.

    use gdprport_tests::need;
    use gdprport_tests::skip::Missing;

    use super::*;

    /// A mount that is removed with it.
    struct Mount(PathBuf);

    impl Mount {
        fn new(at: PathBuf, arguments: &[&OsStr]) -> Result<Self, Missing> {
            std::fs::create_dir_all(&at).expect("a directory");
            let done = Command::new("mount").args(arguments).arg(&at).status().expect("mount can be run");
            done.success().then_some(Self(at)).ok_or_else(|| Missing::of("a kernel with this file system"))
        }
    }

    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }

    #[test]
    fn an_exited_program_in_a_bind_mount_is_named_by_it() {
        let mut scene = Scene::new(|port| open(port).alone());
        let dir = TempDir::new();
        std::fs::create_dir(dir.join("real")).expect("a fresh directory");
        client_at(&dir.join("real/client"));
        let from = dir.join("real");
        let mount = need!(Mount::new(dir.join("a/b"), &["--bind".as_ref(), from.as_os_str()]));
        let event = scene.exited(&mut Command::new(mount.0.join("client")), Place::default());
        assert_exe(&event, &real(&dir.join("a/b")).join("client"));
        scene.end();
    }

    #[test]
    fn an_exited_program_on_an_overlay_is_named_by_it() {
        let mut scene = Scene::new(|port| open(port).alone());
        let dir = TempDir::new();
        // An overlay cannot lie on another one.
        let _tmpfs = need!(Mount::new(dir.join("t"), &["-t".as_ref(), "tmpfs".as_ref(), "none".as_ref()]));
        for part in ["lower", "upper", "work"] {
            std::fs::create_dir(dir.join("t").join(part)).expect("a fresh directory");
        }
        client_at(&dir.join("t/lower/client"));
        let base = real(&dir.join("t"));
        let layers = format!("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", base.display());
        let options = ["-t", "overlay", "-o", &layers, "none"].map(OsStr::new);
        let mount = need!(Mount::new(dir.join("merged"), &options));
        let event = scene.exited(&mut Command::new(mount.0.join("client")), Place::default());
        assert_exe(&event, &real(&dir.join("merged")).join("client"));
        scene.end();
    }

    /// A mount namespace of root's in which nothing is covered.
    #[test]
    fn an_exited_program_in_mounts_of_root_is_named() {
        let mut scene = Scene::new(|port| open(port).alone());
        let copy = ProgramCopy::new("client-once", "client");
        let event = scene.exited(Command::new("unshare").arg("-m").arg(copy.path()), Place::default());
        assert_exe(&event, &copy.path());
        scene.end();
    }

    /// Its mounts are its own, and it covers nothing: its file is the host's.
    #[test]
    fn an_exited_host_program_in_a_user_namespace_is_named() {
        let mut scene = Scene::new(|port| open(port).alone());
        let copy = ProgramCopy::new("client-once", "client");
        let mut command = Command::new("unshare");
        command.arg("-Urm").arg(copy.path());
        let event = scene.exited(&mut command, Place::default().user(&User::games()));
        assert_exe(&event, &copy.path());
        scene.end();
    }
}
