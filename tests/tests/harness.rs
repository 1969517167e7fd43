//! The harness itself: guards clean up, also when a test panics, and servers start, respond and stop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::{Child, Place};
use gdprport_tests::client;
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::need;
use gdprport_tests::netns::{Netns, VethPair};
use gdprport_tests::ports::{Port, is_listening, listeners};
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::servers::{MariaDb, Nginx, Node, Postgres, Python, Redis, Server, client_script};
use gdprport_tests::temp::{SmallDisk, TempDir};
use gdprport_tests::user::User;
use gdprport_tests::wait;

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).exists()
}

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

/// Runs `test` to its panic and returns what it noted before.
fn panicking<T>(test: impl FnOnce(&mut Option<T>)) -> T {
    let mut notes = None;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        test(&mut notes);
    }));
    assert!(ended.is_err(), "the test was to panic");
    notes.expect("the test noted something")
}

#[test]
fn a_panicking_test_leaves_no_process_cgroup_or_directory() {
    let (pid, cgroup, dir) = panicking(|notes| {
        let (dir, cgroup) = (TempDir::new(), Cgroup::service());
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & sleep 1000"]);
        let child = Child::start(shell, Place::default().cgroup(&cgroup));
        wait::until("the shell's child is in the cgroup", || cgroup.pids().len() >= 2);
        *notes = Some((child.pid(), cgroup.path().to_owned(), dir.path().to_owned()));
        panic!("on purpose");
    });
    assert!(!is_alive(pid));
    assert!(!cgroup.exists());
    assert!(!dir.exists());
}

#[test]
fn a_panicking_test_leaves_no_mount_behind() {
    let path = panicking(|notes| {
        let disk = SmallDisk::new(64 << 10);
        std::fs::write(disk.path().join("full"), vec![0; 128 << 10]).expect_err("the disk is small");
        *notes = Some(disk.path().to_owned());
        panic!("on purpose");
    });
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    assert!(!mounts.contains(&path.display().to_string()));
}

/// It runs as the user, in the cgroup and in the network namespace.
#[test]
fn a_process_runs_in_the_place_that_was_asked_for() {
    let (cgroup, netns, user) = (Cgroup::service(), Netns::new(), User::games());
    let child = Child::start(sleeper(), Place::default().cgroup(&cgroup).netns(&netns).user(&user));
    let proc = format!("/proc/{}", child.pid());
    let status = std::fs::read_to_string(format!("{proc}/status")).expect("it runs");
    assert!(status.contains(&format!("Uid:\t{0}\t{0}\t{0}\t{0}", user.uid)), "{status}");
    let cgroups = std::fs::read_to_string(format!("{proc}/cgroup")).expect("it runs");
    assert!(cgroups.contains(&format!("0::{}\n", cgroup.name())), "{cgroups}");
    let inside = std::fs::read_link(format!("{proc}/ns/net")).expect("it runs");
    assert_eq!(inside.to_string_lossy(), format!("net:[{}]", netns.inode()));
}

#[test]
fn ports_are_free_and_no_two_guards_hold_the_same() {
    let ports: Vec<Port> = (0..50).map(|_| Port::free()).collect();
    let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 50);
    assert!(numbers.iter().all(|port| !is_listening(*port)));
}

/// They do so over IPv4 and IPv6.
#[test]
fn namespaces_joined_by_veth_reach_each_other() {
    let pair = VethPair::new();
    let mut server = Puppet::at(Place::default().netns(&pair.right));
    let mut client = Puppet::at(Place::default().netns(&pair.left));
    server.listen("[::]:10000");
    for to in [format!("{}:10000", VethPair::RIGHT), "[fd77::2]:10000".to_owned()] {
        let there = client.connect(to);
        let here = server.accept();
        assert_eq!(there.address.port(), here.address.port());
    }
}

#[test]
fn a_syn_into_the_silent_network_is_never_answered() {
    let pair = VethPair::new();
    pair.left.sysctl("net/ipv4/tcp_syn_retries", "1");
    let mut client = Puppet::at(Place::default().netns(&pair.left));
    assert_eq!(client.ask(&format!("connect-fail {}:10000", VethPair::SILENT)), "TimedOut");
}

#[test]
fn a_puppet_moves_exact_amounts_by_every_call() {
    let (mut server, mut client, port) = (Puppet::new(), Puppet::new(), Port::free());
    server.listen(format!("127.0.0.1:{port}"));
    for accept in ["accept", "accept-null", "accept-uring"] {
        let there = client.connect(format!("127.0.0.1:{port}"));
        let here = server.hold(accept);
        assert_eq!(there.address.port(), here.address.port(), "{accept}");
        for (send, receive) in [("send", "recv"), ("sendfile", "recv"), ("splice", "recv-splice")] {
            client.send(&format!("{send} {} 300001", there.id));
            assert_eq!(server.ask(&format!("{receive} {} 300001", here.id)), "300001", "{send}");
            assert_eq!(client.reply(), "300001", "{send}");
        }
        client.send(&format!("duplex {} 100001 200002", there.id));
        assert_eq!(server.ask(&format!("duplex {} 200002 100001", here.id)), "200002 100001");
        assert_eq!(client.reply(), "100001 200002");
        client.ask(&format!("drain {}", there.id));
        client.ask(&format!("reset {}", there.id));
        assert_eq!(server.ask(&format!("recv-end {}", here.id)), "0 reset");
    }
}

/// Workers reply with their own process id and die with their master.
#[test]
fn a_puppet_passes_its_sockets_on_and_its_workers_serve() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let path = dir.join("passing");
    let mut other = Puppet::new();
    other.send(&format!("take {}", path.display()));
    wait::until("the taker listens", || path.exists());
    server.ask(&format!("give {} {}", path.display(), here.id));
    let taken = gdprport_tests::puppet::held(&other.reply());
    client.ask(&format!("send {} 10", there.id));
    assert_eq!(other.ask(&format!("recv {} 10", taken.id)), "10");

    let workers = server.ask("prefork 2");
    let there = client.connect(format!("127.0.0.1:{port}"));
    let worker = client.ask(&format!("recv-line {}", there.id));
    assert!(workers.split(' ').any(|pid| pid == worker), "{worker} is one of {workers}");
    server.kill();
    wait::until("the workers die with their master", || {
        workers.split(' ').all(|pid| !is_alive(pid.parse().expect("a pid")))
    });
}

#[test]
fn crowds_report_who_they_were_and_all_are_served() {
    let (mut server, mut client, port) = (Puppet::new(), Puppet::new(), Port::free());
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    let children = client.ask(&format!("fork-storm 127.0.0.1:{port} 50"));
    assert_eq!(children.split(' ').count(), 50);
    assert_eq!(client.ask(&format!("burst 127.0.0.1:{port} 101 4")), "101");
    let once = ProgramCopy::new("client-once", "some-client");
    let mut command = Command::new(once.path());
    command.arg(format!("127.0.0.1:{port}"));
    let ran = client::run(command, Place::default());
    assert!(ran.output.starts_with(&format!("{} ", ran.pid)), "{}", ran.output);
    wait::until("all are served", || server.ask("served") == "152");
}

/// Checks what holds for every server: it listens on its port, in its cgroup, and nothing is left when it is dropped.
fn starts_and_stops<S>(server: S, inner: impl Fn(&S) -> &Server) {
    let (pid, port, cgroup) = {
        let it = inner(&server);
        assert!(it.cgroup.pids().contains(&i32::try_from(it.pid()).expect("a pid is an int")));
        (it.pid(), it.port.number(), it.cgroup.path().to_owned())
    };
    let sockets = listeners(port);
    assert!(!sockets.is_empty(), "it listens");
    drop(server);
    assert!(!is_alive(pid));
    // The port may be another test's by now.
    assert!(sockets.is_disjoint(&listeners(port)), "a socket stays");
    assert!(!cgroup.exists());
}

#[test]
fn postgres_starts_answers_and_stops() {
    let postgres = need!(Postgres::start());
    let ran = client::run(postgres.client("127.0.0.1", Postgres::PORT_QUERY), Place::default());
    assert!(ran.output.parse::<u16>().is_ok(), "{}", ran.output);
    let ran = client::run(postgres.client("::1", "select 1"), Place::default().user(&User::games()));
    assert_eq!(ran.output, "1");
    starts_and_stops(postgres, |it| &it.server);
}

#[test]
fn mariadb_starts_answers_and_stops() {
    let mariadb = need!(MariaDb::start());
    for host in ["127.0.0.1", "::1"] {
        let ran = client::run(mariadb.client(host, MariaDb::PORT_QUERY), Place::default());
        assert!(ran.output.parse::<u16>().is_ok(), "{}", ran.output);
    }
    starts_and_stops(mariadb, |it| &it.server);
}

#[test]
fn redis_starts_answers_and_stops() {
    let redis = need!(Redis::start());
    for host in ["127.0.0.1", "::1"] {
        let ran = client::run(redis.client(host, &["client", "list"]), Place::default());
        assert!(Redis::port_in(&ran.output) > 0);
    }
    starts_and_stops(redis, |it| &it.server);
}

/// Runs the Python client against the server and returns its pid, its port and the server's response.
fn web(dir: &TempDir, server: &Server) -> Option<(u32, u16, String)> {
    let script = client_script(dir).ok()?;
    let mut command = Command::new(script);
    command.args(["127.0.0.1", &server.port.to_string()]);
    let ran = client::run(command, Place::default());
    let (own, response) = ran.output.split_once('\n')?;
    let (pid, port) = own.split_once(' ')?;
    assert_eq!(pid.parse(), Ok(ran.pid));
    Some((ran.pid, port.parse().ok()?, response.to_owned()))
}

#[test]
fn nginx_starts_answers_from_a_worker_and_stops() {
    let nginx = need!(Nginx::start());
    let (_, port, response) = web(&TempDir::new(), &nginx.server).expect("a response");
    let (worker, remote) = response.split_once(' ').expect("pid and port");
    assert_ne!(worker, nginx.server.pid().to_string());
    assert_eq!(remote, port.to_string());
    starts_and_stops(nginx, |it| &it.server);
}

#[test]
fn python_and_node_start_answer_and_stop() {
    let python = need!(Python::start());
    let (_, port, response) = web(&TempDir::new(), &python.server).expect("a response");
    assert_eq!(response, format!("{} {port}", python.server.pid()));
    starts_and_stops(python, |it| &it.server);

    let node = need!(Node::start());
    let (_, port, response) = web(&TempDir::new(), &node.server).expect("a response");
    assert_eq!(response, format!("{} {port}", node.server.pid()));
    let dir = TempDir::new();
    let ran = client::run(need!(Node::client(&dir, node.server.port.number())), Place::default());
    assert!(ran.output.starts_with(&format!("{} ", ran.pid)), "{}", ran.output);
    starts_and_stops(node, |it| &it.server);
}

#[test]
fn a_log_yields_complete_lines_only_and_notices_gaps() {
    let dir = TempDir::new();
    let line = |seq: u64| format!(r#"{{"id":"{seq}","seq":{seq},"kind":"coverage"}}"#);
    let path = dir.write("events", &format!("{}\n{}", line(1), &line(2)[..10]));
    let mut log = EventLog::at(&path);
    assert_eq!(log.refresh().len(), 1);
    dir.write("events", &format!("{}\n{}\n{}\n", line(1), line(2), line(4)));
    assert_eq!(log.refresh().iter().map(Event::seq).collect::<Vec<_>>(), [1, 2, 4]);
    assert!(catch_unwind(AssertUnwindSafe(|| log.check())).is_err(), "a gap is a failure");
}
