//! PostgreSQL, MariaDB and Redis with their own clients: both ends named, declared where they are, and each
//! deviation reported with its reason.

use std::path::Path;
use std::process::Command;

use gdprport_tests::cgroup::Cgroup;
use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::need;
use gdprport_tests::policy::declare;
use gdprport_tests::servers::{MariaDb, Postgres, Redis, Server};
use gdprport_tests::truth::{End, check_declared, check_violation, check_violation_event};
use gdprport_tests::user::User;

/// A database, its client program, and how to learn the client's port from what it prints.
struct Case<'a> {
    server: &'a Server,
    client_exe: &'a Path,
    client: &'a dyn Fn(&str) -> Command,
    port_in: &'a dyn Fn(&str) -> u16,
}

/// One run of the client: both ends.
struct Tried {
    client: End,
    server: End,
}

impl Case<'_> {
    #[track_caller]
    fn connect(&self, host: &str, user: &User, place: Place<'_>) -> Tried {
        let ran = run((self.client)(host), place.user(user));
        let (port, local) = (self.server.port.number(), (self.port_in)(&ran.output));
        Tried {
            client: End::client(ran.pid, self.client_exe, &user.name, local, port),
            server: End::server(self.server.pid(), &self.server.exe, &self.server.user.name, port, local),
        }
    }
}

#[track_caller]
fn named_and_judged(case: &Case<'_>) {
    let server = case.server;
    let (declared, undeclared) = (User::games(), User::backup());
    let (unit, other_unit) = (Cgroup::service(), Cgroup::service());
    let calling = format!(
        r#"exe = "{}", user = "{}", unit = "{}""#,
        case.client_exe.display(),
        declared.name,
        unit.unit()
    );
    let watching = |wrong| {
        let policy = declare("customers-db", server.port.number())
            .allow("orders-db", "in", "127.0.0.1", &server.demanded(wrong))
            .allow("orders-api", "out", "127.0.0.1", &calling);
        Daemon::beside(server.port.number(), policy.alone())
    };
    let mut daemon = watching("nothing");

    // The process that makes the call owns the flow: for PostgreSQL that is the postmaster.
    let here = Place::default().cgroup(&unit);
    let as_declared = case.connect("127.0.0.1", &declared, here);
    let other_peer = case.connect("::1", &declared, here);
    let other_user = case.connect("127.0.0.1", &undeclared, here);
    let other_place = case.connect("127.0.0.1", &declared, Place::default().cgroup(&other_unit));

    for tried in [&as_declared, &other_peer, &other_user, &other_place] {
        for end in [&tried.client, &tried.server] {
            let opened = end.event(&mut daemon.log, "flow.open");
            let closed = end.named_exactly(&mut daemon.log, "flow.close");
            assert_eq!(opened.at("verdict.outcome"), closed.at("verdict.outcome"), "{}", closed.line());
            check_violation_event(&mut daemon, end, &opened);
        }
        let event = tried.server.event(&mut daemon.log, "flow.close");
        assert_eq!(event.text("process.unit"), server.cgroup.unit(), "{}", event.line());
    }
    let mut verdict = |end: &End| end.event(&mut daemon.log, "flow.open");
    check_declared(&verdict(&as_declared.client), "orders-api");
    check_declared(&verdict(&as_declared.server), "orders-db");
    check_violation(&verdict(&other_peer.client), "undeclared-peer", "orders-api", "peers");
    check_violation(&verdict(&other_peer.server), "undeclared-peer", "orders-db", "peers");
    check_violation(&verdict(&other_user.client), "undeclared-process", "orders-api", "user");
    check_declared(&verdict(&other_user.server), "orders-db");
    check_violation(&verdict(&other_place.client), "undeclared-process", "orders-api", "unit");
    check_declared(&verdict(&other_place.server), "orders-db");
    daemon.stop();

    for wrong in ["exe", "user", "unit"] {
        let mut daemon = watching(wrong);
        let tried = case.connect("127.0.0.1", &declared, here);
        let opened = tried.server.event(&mut daemon.log, "flow.open");
        check_violation(&opened, "undeclared-process", "orders-db", wrong);
        check_violation_event(&mut daemon, &tried.server, &opened);
        check_declared(&tried.client.event(&mut daemon.log, "flow.open"), "orders-api");
        daemon.stop();
    }
}

#[test]
fn postgres_and_psql_are_named_and_judged_at_both_ends() {
    let postgres = need!(Postgres::start());
    named_and_judged(&Case {
        server: &postgres.server,
        client_exe: &postgres.client_exe(),
        client: &|host| postgres.client(host, Postgres::PORT_QUERY),
        port_in: &|output| output.parse().expect("a port"),
    });
}

#[test]
fn mariadb_and_its_client_are_named_and_judged_at_both_ends() {
    let mariadb = need!(MariaDb::start());
    named_and_judged(&Case {
        server: &mariadb.server,
        client_exe: mariadb.client_exe(),
        client: &|host| mariadb.client(host, MariaDb::PORT_QUERY),
        port_in: &|output| output.parse().expect("a port"),
    });
}

#[test]
fn redis_and_its_client_are_named_and_judged_at_both_ends() {
    let redis = need!(Redis::start());
    named_and_judged(&Case {
        server: &redis.server,
        client_exe: redis.client_exe(),
        client: &|host| redis.client(host, &["client", "list"]),
        port_in: &Redis::port_in,
    });
}
