//! The owner of a flow is the process that made the call: right, or marked as less than exact, never wrong and exact.

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use jiff::Timestamp;

use gdprport_tests::cgroup::{Cgroup, SLICE};
use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::event::Event;
use gdprport_tests::need;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet, give, held, real};
use gdprport_tests::skip::installed;
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::truth::End;
use gdprport_tests::user::User;
use gdprport_tests::wait;

/// For a process whose every property the test has chosen.
#[test]
fn every_property_of_a_process_is_reported_as_of_its_call() {
    let (port, user, cgroup) = (Port::free(), User::games(), Cgroup::service());
    let mut daemon = Daemon::with(open(port.number()).alone());
    let copy = ProgramCopy::new("puppet", "orders-api");
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    let before = Timestamp::now();
    let mut client = Puppet::run(&copy.path(), Place::default().cgroup(&cgroup).user(&user));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    client.close(there);
    server.close(here);

    let end = End::client(client.pid(), copy.path(), &user.name, there.address.port(), port.number());
    let event = end.named_exactly(&mut daemon.log, "flow.close");
    let line = event.line();
    assert_eq!(event.text("process.comm"), "orders-api", "{line}");
    assert_eq!(event.number("process.uid"), Some(user.uid.into()), "{line}");
    assert_eq!(event.number("process.gid"), Some(user.gid.into()), "{line}");
    assert_eq!(event.text("process.group"), user.group, "{line}");
    assert_eq!(event.text("process.cgroup"), cgroup.name(), "{line}");
    assert_eq!(event.text("process.unit"), cgroup.unit(), "{line}");
    assert_eq!(event.text("process.slice"), SLICE, "{line}");
    assert!(event.at("process.container").is_null(), "{line}");
    let netns = std::fs::metadata("/proc/self/ns/net").expect("own namespace").ino();
    assert_eq!(event.number("process.netns"), Some(netns), "{line}");
    assert_eq!(event.number("process.parent.pid"), Some(std::process::id().into()), "{line}");
    let own = std::env::current_exe().expect("a test knows its own path");
    assert_eq!(event.text("process.parent.exe"), real(&own).to_string_lossy(), "{line}");
    let started: Timestamp = event.text("process.started").parse().expect("a time");
    let opened: Timestamp = event.text("flow.opened").parse().expect("a time");
    // The kernel's clock of process starts and the wall clock are read at different moments.
    let slack = jiff::SignedDuration::from_secs(1);
    assert!(before - slack <= started && started <= opened + slack, "{line}");
    daemon.stop();
}

#[test]
fn each_end_on_loopback_names_the_other_ends_process() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    pair.close(&connection);
    for (end, other) in [(&connection.client, &connection.server), (&connection.server, &connection.client)] {
        let event = end.named_exactly(&mut pair.daemon.log, "flow.close");
        assert_eq!(event.number("peer_process.pid"), Some(other.pid.into()), "{}", event.line());
        assert_eq!(event.text("peer_process.exe"), other.exe.to_string_lossy(), "{}", event.line());
    }
    pair.daemon.stop();
}

#[test]
fn the_user_is_the_one_at_the_time_of_the_call() {
    let user = User::backup();
    let mut pair = Pair::new();
    let mut as_root = pair.connect();
    pair.client.ask(&format!("setuid {}", user.uid));
    let mut as_user = pair.connect();
    pair.close(&as_root);
    pair.close(&as_user);
    as_root.client.user = "root".to_owned();
    as_user.client.user = user.name;
    for end in [as_root.client, as_user.client] {
        end.named_exactly(&mut pair.daemon.log, "flow.close");
    }
    pair.daemon.stop();
}

/// The real one decides rules; the effective one is shown where it differs.
#[test]
fn a_user_who_is_acted_for_is_shown_beside_the_real_one() {
    let user = User::backup();
    let mut pair = Pair::new();
    pair.client.ask(&format!("seteuid {}", user.uid));
    let acting = pair.connect();
    pair.client.ask("seteuid 0");
    let itself = pair.connect();
    for (connection, effective) in [(acting, Some(user.uid.into())), (itself, None)] {
        pair.close(&connection);
        for kind in ["flow.open", "flow.close"] {
            let event = connection.client.named_exactly(&mut pair.daemon.log, kind);
            let line = event.line();
            assert_eq!(event.number("process.uid"), Some(0), "{line}");
            assert_eq!(event.number("process.euid"), effective, "{line}");
            assert_eq!(event.number("process.egid"), None, "{line}");
        }
    }
    pair.daemon.stop();
}

#[test]
fn a_container_is_recognized_by_the_cgroup_alone() {
    let id = "3f4a9b2c1d0e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8";
    let (port, cgroup) = (Port::free(), Cgroup::docker(id));
    let mut daemon = Daemon::with(open(port.number()).alone());
    let (mut server, mut client) = (Puppet::new(), Puppet::at(Place::default().cgroup(&cgroup)));
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let event =
        End::of_client(&client, there.address.port(), port.number()).event(&mut daemon.log, "flow.open");
    assert_eq!(event.text("process.container.id"), id, "{}", event.line());
    assert_eq!(event.text("process.container.runtime"), "docker", "{}", event.line());
    daemon.stop();
}

/// Each of its flows is reported with the unit at the time of its connect.
#[test]
fn a_process_that_changes_units_keeps_the_one_of_its_call() {
    let (first, second) = (Cgroup::service(), Cgroup::service());
    let mut pair = Pair::new();
    pair.client = Puppet::at(Place::default().cgroup(&first));
    let in_first = pair.connect();
    let pid = pair.client.pid().to_string();
    std::fs::write(second.path().join("cgroup.procs"), pid).expect("root may move a process");
    let in_second = pair.connect();
    for (connection, cgroup) in [(&in_first, &first), (&in_second, &second)] {
        pair.close(connection);
        let event = connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
        assert_eq!(event.text("process.unit"), cgroup.unit(), "{}", event.line());
    }
    pair.daemon.stop();
}

#[test]
fn a_prefork_worker_is_the_owner_not_the_master() {
    let mut pair = Pair::new();
    let workers: Vec<u32> =
        pair.server.ask("prefork 3").split(' ').map(|pid| pid.parse().expect("a pid")).collect();
    for _ in 0..20 {
        let there = pair.client.connect(format!("127.0.0.1:{}", pair.port));
        let reply = pair.client.ask(&format!("recv-line {}", there.id));
        let worker = reply.parse().expect("the worker's pid");
        assert!(workers.contains(&worker));
        pair.client.close(there);
        let end = End::server(worker, pair.server.exe(), "root", pair.port.number(), there.address.port());
        end.named_exactly(&mut pair.daemon.log, "flow.close");
    }
    pair.daemon.stop();
}

#[test]
fn listeners_that_share_a_port_each_own_what_they_accept() {
    let port = Port::free();
    let mut daemon = Daemon::with(open(port.number()).alone());
    let mut servers = [Puppet::new(), Puppet::new()];
    for server in &mut servers {
        server.ask(&format!("listen-shared 127.0.0.1:{port}"));
        server.ask("serve");
    }
    let mut client = Puppet::new();
    assert_eq!(client.ask(&format!("burst 127.0.0.1:{port} 40 2")), "40");
    daemon.log.wait_count("accepted ends closed", 40, |event| {
        event.is("flow.close", port.number()) && event.ends("in").is_some()
    });
    for server in &mut servers {
        wait::until("all that was accepted is closed", || {
            let pid = u64::from(server.pid());
            let owned = daemon.log.count(|event| {
                event.is("flow.close", port.number())
                    && event.ends("in").is_some()
                    && event.number("process.pid") == Some(pid)
                    && event.text("process.attribution") == "exact"
            });
            server.ask("served") == owned.to_string()
        });
    }
    daemon.stop();
}

/// An accept that does not ask for the address runs no hook that exists on every kernel.
#[track_caller]
fn right_or_marked(how: &str) {
    let mut pair = Pair::new();
    for _ in 0..3 {
        let connection = pair.connect_to("127.0.0.1", how);
        pair.close(&connection);
        let event = connection.server.event(&mut pair.daemon.log, "flow.close");
        connection.server.check_owner(&event);
        let attribution = event.text("process.attribution");
        assert!(["exact", "listener"].contains(&attribution), "{}", event.line());
        connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    }
    pair.daemon.stop();
}

#[test]
fn a_null_address_accept_is_the_listeners_or_exact() {
    right_or_marked("accept-null");
}

#[test]
fn an_io_uring_accept_is_the_listeners_or_exact() {
    right_or_marked("accept-uring");
}

/// The worker was handed the listener of another process.
#[test]
fn a_workers_null_address_accept_is_never_wrong_and_exact() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let mut other = Puppet::new();
    give(&dir, &mut pair.server, "listener", &mut other, "take-listener");
    let there = pair.client.connect(format!("127.0.0.1:{}", pair.port));
    let here = other.hold("accept-null");
    other.close(here);
    pair.client.close(there);
    let port = pair.port.number();
    let event = pair.daemon.log.flow("flow.close", "in", port, there.address.port());
    let (pid, attribution) = (event.number("process.pid"), event.text("process.attribution"));
    let right = pid == Some(other.pid().into());
    let marked = pid == Some(pair.server.pid().into()) && attribution == "listener";
    assert!(right || marked, "{}", event.line());
    pair.daemon.stop();
}

/// It is the acceptor's where the kernel offers the hook for it, and marked as the listener's elsewhere.
#[test]
fn a_passed_listener_belongs_to_the_acceptor_or_is_marked() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let mut other = Puppet::new();
    give(&dir, &mut pair.server, "listener", &mut other, "take-listener");
    let there = pair.client.connect(format!("127.0.0.1:{}", pair.port));
    let here = other.accept();
    other.close(here);
    pair.client.close(there);
    let seen = pair.daemon.sees_accept();
    let owner = if seen { &other } else { &pair.server };
    let end = End::of_server(owner, pair.port.number(), there.address.port());
    let event = end.event(&mut pair.daemon.log, "flow.close");
    end.check_owner(&event);
    let expected = if seen { "exact" } else { "listener" };
    assert_eq!(event.text("process.attribution"), expected, "{}", event.line());
    pair.daemon.stop();
}

#[test]
fn a_passed_connection_still_belongs_to_its_maker() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    let connection = pair.connect();
    let mut other = Puppet::new();
    let taken = held(&give(&dir, &mut pair.server, &connection.here.id.to_string(), &mut other, "take"));
    pair.server.close(connection.here);
    other.ask(&format!("send {} 11", taken.id));
    pair.client.ask(&format!("recv {} 11", connection.there.id));
    pair.client.close(connection.there);
    other.close(taken);
    let event = connection.server.named_exactly(&mut pair.daemon.log, "flow.close");
    assert_eq!(event.number("flow.bytes_sent"), Some(11), "{}", event.line());
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    pair.daemon.stop();
}

#[test]
fn a_child_does_not_become_owner_of_its_parents_connection() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    pair.client.send(&format!("fork-send {} 99", connection.there.id));
    pair.server.ask(&format!("recv {} 99", connection.here.id));
    assert_ne!(pair.client.reply(), pair.client.pid().to_string());
    pair.close(&connection);
    let event = connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    assert_eq!(event.number("flow.bytes_sent"), Some(99), "{}", event.line());
    pair.daemon.stop();
}

#[test]
fn an_owner_that_was_killed_is_still_named() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    let client = std::mem::take(&mut pair.client);
    client.kill();
    pair.server.close(connection.here);
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    pair.daemon.stop();
}

#[test]
fn a_script_is_reported_with_its_interpreter() {
    let (dir, mut pair) = (TempDir::new(), Pair::new());
    pair.server.ask("serve");
    let python = "import socket, sys\nsocket.create_connection((sys.argv[1], int(sys.argv[2]))).close()\n";
    for (interpreter, text) in [("/usr/bin/python3", python), ("/bin/bash", "exec 3<>/dev/tcp/$1/$2\n")] {
        need!(installed(&[interpreter], "python3 or bash"));
        let script = dir.write("client", &format!("#!{interpreter}\n{text}"));
        set_mode(&script, 0o755);
        let mut command = Command::new(&script);
        command.args(["127.0.0.1", &pair.port.to_string()]);
        let ran = run(command, Place::default());
        let event = pair.daemon.log.wait("the script's flow.close", |event| {
            event.is("flow.close", pair.port.number())
                && event.ends("out").is_some()
                && event.number("process.pid") == Some(ran.pid.into())
        });
        assert_eq!(
            event.text("process.exe"),
            real(interpreter.as_ref()).to_string_lossy(),
            "{}",
            event.line()
        );
        assert_eq!(event.text("process.script"), real(&script).to_string_lossy(), "{}", event.line());
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
    }
    pair.daemon.stop();
}

mod host_only {
    //! Run on the host alone: the same on every kernel.

    use super::*;

    #[test]
    fn arguments_and_environment_are_never_reported() {
        let (dir, mut pair) = (TempDir::new(), Pair::new());
        pair.server.ask("serve");
        let once = ProgramCopy::new("client-once", "client");
        let mut command = Command::new(once.path());
        command.arg(format!("127.0.0.1:{}", pair.port)).arg("--password=argument-secret");
        command.env("PASSWORD", "environment-secret").current_dir(dir.path());
        let ran = run(command, Place::default());
        let (_, local) = ran.output.split_once(' ').expect("pid and port");
        let local = local.parse().expect("a port");
        let end = End::client(ran.pid, once.path(), "root", local, pair.port.number());
        end.named_exactly(&mut pair.daemon.log, "flow.close");
        let log_text = pair.daemon.stderr();
        let status = pair.daemon.status().to_string();
        let log = pair.daemon.stop();
        let all = log.seen().iter().map(Event::line).chain([log_text.as_str(), status.as_str()]);
        for text in all {
            assert!(!text.contains("argument-secret") && !text.contains("environment-secret"), "{text}");
        }
    }
}
