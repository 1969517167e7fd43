//! nginx, Python and Node: the worker that responds is the owner, and interpreters are named as such.

use std::process::Command;

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::need;
use gdprport_tests::policy::{declare, open};
use gdprport_tests::servers::{Nginx, Node, Python, Server, client_script, python};
use gdprport_tests::skip::Missing;
use gdprport_tests::temp::TempDir;
use gdprport_tests::truth::{End, check_declared, check_violation, check_violation_event};
use gdprport_tests::user::User;

/// Runs the Python client in `dir` once, from the address `source`, and returns both ends.
fn visit(
    dir: &TempDir,
    server: &Server,
    source: &str,
    user: &User,
    place: Place<'_>,
) -> Result<(End, End), Missing> {
    let script = client_script(dir)?;
    let interpreter = gdprport_tests::puppet::real("/usr/bin/python3".as_ref());
    let port = server.port.number();
    let mut command = Command::new(&script);
    command.args(["127.0.0.1", &port.to_string(), source]);
    let ran = run(command, place.user(user));
    let words: Vec<&str> = ran.output.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<u32>().expect("a number");
    let local = u16::try_from(number(1)).expect("a port");
    assert_eq!(u16::try_from(number(3)), Ok(local), "the server sees the client's port");
    Ok((
        End::client(ran.pid, &interpreter, &user.name, local, port),
        End::server(number(2), &server.exe, &server.user.name, port, local),
    ))
}

/// Runs the Python client `times` times and returns both ends of each connection; the server's end has the pid
/// that the server itself responded with. The client is in `dir`, which has to outlive the daemon: once a process has
/// exited, only its file shows that it was a script.
fn browse(dir: &TempDir, server: &Server, times: usize) -> Result<Vec<(End, End)>, Missing> {
    let root = User::named("root")?;
    (0..times).map(|_| visit(dir, server, "127.0.0.1", &root, Place::default())).collect()
}

/// What happens as declared is declared at both ends; another peer, and another user or unit at either end, is a
/// violation with its reason and the rule that came nearest.
#[track_caller]
fn judged(server: &Server) -> Result<(), Missing> {
    let dir = TempDir::new();
    let (declared, undeclared) = (User::games(), User::backup());
    let (unit, other_unit) = (Cgroup::service(), Cgroup::service());
    let python = gdprport_tests::puppet::real(&python()?);
    let (exe, user, name) = (python.display(), &declared.name, unit.unit());
    let calling = format!(r#"exe = "{exe}", user = "{user}", unit = "{name}""#);
    let watching = |wrong| {
        let policy = declare("shop", server.port.number())
            .allow("serving", "in", "127.0.0.1", &server.demanded(wrong))
            .allow("browsing", "out", "127.0.0.1", &calling);
        Daemon::beside(server.port.number(), policy.alone())
    };
    let here = Place::default().cgroup(&unit);

    let mut daemon = watching("nothing");
    let as_declared = visit(&dir, server, "127.0.0.1", &declared, here)?;
    let other_peer = visit(&dir, server, "127.0.0.2", &declared, here)?;
    let other_user = visit(&dir, server, "127.0.0.1", &undeclared, here)?;
    let other_place = visit(&dir, server, "127.0.0.1", &declared, Place::default().cgroup(&other_unit))?;
    let mut verdict = |end: &End| {
        let opened = end.event(&mut daemon.log, "flow.open");
        end.check_owner(&opened);
        check_violation_event(&mut daemon, end, &opened);
        opened
    };
    check_declared(&verdict(&as_declared.0), "browsing");
    check_declared(&verdict(&as_declared.1), "serving");
    check_declared(&verdict(&other_peer.0), "browsing");
    check_violation(&verdict(&other_peer.1), "undeclared-peer", "serving", "peers");
    for ((client, server), key) in [(&other_user, "user"), (&other_place, "unit")] {
        check_violation(&verdict(client), "undeclared-process", "browsing", key);
        check_declared(&verdict(server), "serving");
    }
    daemon.stop();

    for wrong in ["exe", "user", "unit"] {
        let mut daemon = watching(wrong);
        let (client, server) = visit(&dir, server, "127.0.0.1", &declared, here)?;
        let opened = server.event(&mut daemon.log, "flow.open");
        server.check_owner(&opened);
        check_violation(&opened, "undeclared-process", "serving", wrong);
        check_violation_event(&mut daemon, &server, &opened);
        check_declared(&client.event(&mut daemon.log, "flow.open"), "browsing");
        daemon.stop();
    }
    Ok(())
}

/// What its workers do as declared is no violation.
#[test]
fn nginx_deviations_are_reported_with_reasons_at_both_ends() {
    need!(judged(&need!(Nginx::start()).server));
}

/// What happens as declared is no violation.
#[test]
fn python_deviations_are_reported_with_reasons_at_both_ends() {
    need!(judged(&need!(Python::start()).server));
}

/// What happens as declared is no violation.
#[test]
fn node_deviations_are_reported_with_reasons_at_both_ends() {
    need!(judged(&need!(Node::start()).server));
}

#[test]
fn an_nginx_worker_is_the_owner_not_the_master() {
    let (dir, nginx) = (TempDir::new(), need!(Nginx::start()));
    let mut daemon = Daemon::beside(nginx.server.port.number(), open(nginx.server.port.number()).alone());
    for (client, server) in need!(browse(&dir, &nginx.server, 8)) {
        assert_ne!(server.pid, nginx.server.pid(), "a worker responds");
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
    let mut daemon = Daemon::beside(python.server.port.number(), open(python.server.port.number()).alone());
    for (client, server) in need!(browse(&dir, &python.server, 2)) {
        client.named_exactly(&mut daemon.log, "flow.close");
        server.named_exactly(&mut daemon.log, "flow.close");
    }
    daemon.stop();
}

#[test]
fn a_node_server_accepting_blindly_is_right_or_marked() {
    let (dir, node) = (TempDir::new(), need!(Node::start()));
    let mut daemon = Daemon::beside(node.server.port.number(), open(node.server.port.number()).alone());
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
    let mut daemon = Daemon::beside(port, open(port).alone());
    let ran = run(command, Place::default());
    let (pid, local) = ran.output.split_once(' ').expect("pid and port");
    assert_eq!(pid.parse(), Ok(ran.pid));
    let exe = gdprport_tests::puppet::real(&need!(Node::program()));
    let end = End::client(ran.pid, exe, "root", local.parse().expect("a port"), port);
    end.named_exactly(&mut daemon.log, "flow.close");
    daemon.stop();
}
