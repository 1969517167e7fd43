//! Short-lived processes are all named too, each by the right executable.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet, real};
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::wait;

/// Who connected, as the clients themselves reported: pid and port → executable. Not by port alone: on loopback the
/// kernel gives a port out again a second after its connection ended.
type Truth = HashMap<(u64, u16), String>;

/// Waits for the close of every connection and compares both ends of each with the truth.
#[track_caller]
fn all_named(daemon: &mut Daemon, server: &Puppet, port: u16, truth: &Truth) {
    for direction in ["out", "in"] {
        daemon.log.wait_count(&format!("flow.close {direction}"), truth.len(), |event| {
            event.is("flow.close", port) && event.ends(direction).is_some()
        });
    }
    let closed: Vec<&Event> = daemon.log.seen().iter().filter(|event| event.is("flow.close", port)).collect();
    let mut marked = 0;
    for event in closed {
        if let Some((local, _)) = event.ends("out") {
            let pid = event.number("process.pid").unwrap_or_default();
            let exe =
                truth.get(&(pid, local)).unwrap_or_else(|| panic!("no client was that: {}", event.line()));
            assert_eq!(event.text("process.exe"), exe, "{}", event.line());
            assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
        } else {
            assert_eq!(event.number("process.pid"), Some(server.pid().into()), "{}", event.line());
            assert_eq!(event.text("process.exe"), server.exe().to_string_lossy(), "{}", event.line());
            marked += usize::from(event.text("process.attribution") != "exact");
        }
    }
    // If a client exits before the accept, its address cannot be asked for; that must be rare.
    assert!(marked * 1000 <= truth.len(), "{marked} of {} accepted ends were not exact", truth.len());
}

#[track_caller]
fn serving() -> (Daemon, Puppet, Port) {
    let port = Port::free();
    let daemon = Daemon::with(open(port.number()).alone());
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    (daemon, server, port)
}

/// They fork without an exec, and each is reported with its own process id.
#[test]
fn five_hundred_forked_children_all_have_their_parents_exe() {
    const CHILDREN: usize = 500;
    let (mut daemon, mut server, port) = serving();
    let mut parent = Puppet::new();
    let reply = parent.ask(&format!("fork-storm 127.0.0.1:{port} {CHILDREN}"));
    let exe = parent.exe().to_string_lossy().into_owned();
    let truth: Truth = reply
        .split(' ')
        .map(|word| {
            let (pid, port) = word.split_once(':').expect("pid and port");
            ((pid.parse().expect("a pid"), port.parse().expect("a port")), exe.clone())
        })
        .collect();
    assert_eq!(truth.len(), CHILDREN);
    wait::until("all are served", || server.ask("served") == CHILDREN.to_string());
    all_named(&mut daemon, &server, port.number(), &truth);
    daemon.stop();
}

mod host_only {
    //! Run on the host alone: too slow for an emulator, or the same on every kernel.

    use super::*;

    /// Each executes, connects and exits.
    #[test]
    fn two_thousand_short_lived_clients_all_have_the_right_exe() {
        const CLIENTS: usize = 2000;
        let (mut daemon, server, port) = serving();
        let copies: Vec<ProgramCopy> =
            (0..20).map(|n| ProgramCopy::new("client-once", &format!("client-{n}"))).collect();
        let paths: Vec<PathBuf> = copies.iter().map(ProgramCopy::path).collect();
        let dir = TempDir::new();
        let output = dir.write("output", "");
        let mut exe_of = HashMap::new();
        let mut alive = Vec::new();
        for n in 0..CLIENTS {
            let exe = &paths[n % paths.len()];
            let out = OpenOptions::new().append(true).open(&output).expect("a fresh file");
            let child =
                Command::new(exe).arg(format!("127.0.0.1:{port}")).stdout(out).spawn().expect("it can start");
            exe_of.insert(u64::from(child.id()), exe.to_string_lossy().into_owned());
            alive.push(child);
            if alive.len() == 4 {
                let mut oldest = alive.remove(0);
                assert!(oldest.wait().expect("a child of ours").success());
            }
        }
        for mut child in alive {
            assert!(child.wait().expect("a child of ours").success());
        }
        let text = std::fs::read_to_string(&output).expect("all clients wrote");
        let truth: Truth = text
            .lines()
            .map(|line| {
                let (pid, port) = line.split_once(' ').expect("pid and port");
                let pid = pid.parse().expect("a pid");
                ((pid, port.parse().expect("a port")), exe_of[&pid].clone())
            })
            .collect();
        assert_eq!(truth.len(), CLIENTS);
        all_named(&mut daemon, &server, port.number(), &truth);
        daemon.stop();
    }

    /// Runs `command` to its end while the daemon is stopped, so that nothing of the process can be looked up any
    /// more when the daemon reads its records; returns the `flow.close` of its connection.
    #[track_caller]
    fn exited_before_it_is_known(daemon: &mut Daemon, port: u16, command: Command) -> Event {
        daemon.signal(libc::SIGSTOP);
        let ran = run(command, Place::default());
        daemon.signal(libc::SIGCONT);
        daemon.log.wait("the flow.close of a process that has exited", |event| {
            event.is("flow.close", port)
                && event.ends("out").is_some()
                && event.number("process.pid") == Some(ran.pid.into())
        })
    }

    /// It has exited before the daemon reads its records.
    #[test]
    fn an_exited_process_is_reported_with_the_right_exe() {
        let (mut daemon, _server, port) = serving();
        let copy = ProgramCopy::new("client-once", "client");
        let to = format!("127.0.0.1:{port}");
        let dir = TempDir::new();
        let link = dir.join("link");
        std::os::unix::fs::symlink(copy.path(), &link).expect("a fresh name");
        for name in [copy.path(), link] {
            let mut command = Command::new(&name);
            command.arg(&to);
            let event = exited_before_it_is_known(&mut daemon, port.number(), command);
            assert_eq!(event.text("process.exe"), copy.path().to_string_lossy(), "{}", event.line());
            assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
        }
        daemon.stop();
    }

    /// It has exited before the daemon reads its records.
    #[test]
    fn an_exited_script_is_reported_with_its_interpreter() {
        let (mut daemon, _server, port) = serving();
        let dir = TempDir::new();
        let script = dir.write("client.sh", "#!/bin/bash\nexec 3<>/dev/tcp/$1/$2\n");
        set_mode(&script, 0o755);
        let mut command = Command::new(&script);
        command.args(["127.0.0.1", &port.to_string()]);
        let event = exited_before_it_is_known(&mut daemon, port.number(), command);
        assert_eq!(
            event.text("process.exe"),
            real("/bin/bash".as_ref()).to_string_lossy(),
            "{}",
            event.line()
        );
        assert_eq!(event.text("process.script"), real(&script).to_string_lossy(), "{}", event.line());
        daemon.stop();
    }

    #[test]
    fn an_exited_processs_relative_name_never_becomes_a_wrong_path() {
        let (mut daemon, _server, port) = serving();
        let copy = ProgramCopy::new("client-once", "client");
        let right = copy.path();
        let mut command = Command::new("sh");
        // The shell leads the way into the directory; the client replaces it by a relative name.
        command.args(["-c", "cd \"$0\" && exec ./client \"$1\""]);
        command.arg(right.parent().expect("a directory")).arg(format!("127.0.0.1:{port}"));
        let event = exited_before_it_is_known(&mut daemon, port.number(), command);
        let exe = event.at("process.exe");
        assert!(exe.is_null() || *exe == *right.to_string_lossy(), "{}", event.line());
        daemon.stop();
    }
}
