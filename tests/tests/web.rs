//! nginx, Python and Node: the worker that answers is the owner, and interpreters are named as what they are.

use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::servers::{Nginx, Node, Python, Server, client_script, run};
use gdprport_tests::skip::Missing;
use gdprport_tests::temp::TempDir;
use gdprport_tests::truth::End;

/// Runs the Python client `times` times and returns both ends of each connection; the server's end has the pid
/// that the server itself answered with. The client lies in `dir`, which has to outlive the daemon: of a process
/// that has gone only its file tells that it was a script.
fn browse(dir: &TempDir, server: &Server, times: usize) -> Result<Vec<(End, End)>, Missing> {
    let script = client_script(dir)?;
    let interpreter = gdprport_tests::puppet::real("/usr/bin/python3".as_ref());
    let port = server.port.number();
    let connections = (0..times).map(|_| {
        let mut command = Command::new(&script);
        command.args(["127.0.0.1", &port.to_string()]);
        let ran = run(command, Place::default());
        let words: Vec<&str> = ran.said.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u32>().expect("a number");
        let local = u16::try_from(number(1)).expect("a port");
        assert_eq!(u16::try_from(number(3)), Ok(local), "the server sees the client's port");
        (
            End::client(ran.pid, &interpreter, "root", local, port),
            End::server(number(2), &server.exe, &server.user.name, port, local),
        )
    });
    Ok(connections.collect())
}

#[test]
fn an_nginx_worker_is_the_owner_not_the_master() {
    let (dir, nginx) = (TempDir::new(), need!(Nginx::start()));
    let mut daemon = Daemon::with(open(nginx.server.port.number()).alone());
    for (client, server) in need!(browse(&dir, &nginx.server, 8)) {
        assert_ne!(server.pid, nginx.server.pid(), "a worker answers");
        client.named_exactly(&mut daemon.log, "flow.close");
        let event = server.named_exactly(&mut daemon.log, "flow.close");
        assert_eq!(event.number("process.parent.pid"), Some(nginx.server.pid().into()), "{}", event.line());
        assert_eq!(event.text("process.unit"), nginx.server.cgroup.unit(), "{}", event.line());
    }
    daemon.stop();
}

#[test]
fn a_python_server_and_its_client_are_named_at_both_ends() {
    let (dir, python) = (TempDir::new(), need!(Python::start()));
    let mut daemon = Daemon::with(open(python.server.port.number()).alone());
    for (client, server) in need!(browse(&dir, &python.server, 2)) {
        client.named_exactly(&mut daemon.log, "flow.close");
        server.named_exactly(&mut daemon.log, "flow.close");
    }
    daemon.stop();
}

#[test]
fn a_node_server_which_accepts_without_the_address_is_right_or_marked() {
    let (dir, node) = (TempDir::new(), need!(Node::start()));
    let mut daemon = Daemon::with(open(node.server.port.number()).alone());
    for (client, server) in need!(browse(&dir, &node.server, 2)) {
        client.named_exactly(&mut daemon.log, "flow.close");
        let event = server.event(&mut daemon.log, "flow.close");
        server.check_owner(&event);
        let attribution = event.text("process.attribution");
        assert!(["exact", "listener", "snapshot"].contains(&attribution), "{}", event.line());
    }
    daemon.stop();
}

#[test]
fn a_node_client_is_named_exactly() {
    let python = need!(Python::start());
    let (dir, port) = (TempDir::new(), python.server.port.number());
    let command = need!(Node::client(&dir, port));
    let mut daemon = Daemon::with(open(port).alone());
    let ran = run(command, Place::default());
    let (pid, local) = ran.said.split_once(' ').expect("pid and port");
    assert_eq!(pid.parse(), Ok(ran.pid));
    let exe = gdprport_tests::puppet::real(&need!(Node::program()));
    let end = End::client(ran.pid, exe, "root", local.parse().expect("a port"), port);
    end.named_exactly(&mut daemon.log, "flow.close");
    daemon.stop();
}
