//! Every deviation from the policy has its own reason, and a reload swaps the complete policy or nothing.

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::event::Event;
use gdprport_tests::netns::Netns;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{Declaration, declare, open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::truth::{End, check_declared, check_violation};

/// Makes one loopback connection under the policy and returns the `flow.open` events of both ends.
#[track_caller]
fn judged(declaration: impl FnOnce(Declaration) -> Declaration) -> (Event, Event) {
    let port = Port::free();
    let mut daemon = Daemon::with(declaration(declare("customers-db", port.number())).alone());
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    client.close(there);
    server.close(here);
    let local = there.address.port();
    let into = End::of_server(&server, port.number(), local).event(&mut daemon.log, "flow.open");
    let out = End::of_client(&client, local, port.number()).event(&mut daemon.log, "flow.open");
    for event in [&into, &out] {
        assert_eq!(event.text("port.name"), "customers-db", "{}", event.line());
    }
    daemon.stop();
    (into, out)
}

#[test]
fn a_direction_that_no_rule_allows_is_reported() {
    let (into, out) = judged(|it| it.allow("serving", "in", "loopback", ""));
    check_declared(&into, "serving");
    check_violation(&out, "undeclared-direction", "serving", "direction");
}

#[test]
fn a_rule_that_is_past_its_date_is_reported() {
    let (into, out) = judged(|it| {
        it.allow("serving", "in", "loopback", "")
            .rule_key("until = 2020-01-31")
            .allow("calling", "out", "loopback", "")
            .rule_key("until = 2999-12-31")
    });
    check_violation(&into, "rule-expired", "serving", "until");
    check_declared(&out, "calling");
}

#[test]
fn a_process_that_runs_another_executable_is_reported() {
    let (into, out) = judged(|it| {
        it.allow("serving", "in", "loopback", r#"exe = "/usr/lib/postgresql/*/bin/postgres""#).allow(
            "calling",
            "out",
            "loopback",
            r#"exe = ["/usr/bin/psql", "/**/puppet"]"#,
        )
    });
    check_violation(&into, "undeclared-process", "serving", "exe");
    check_declared(&out, "calling");
}

/// The status shows the name.
#[test]
fn an_unresolved_name_leaves_the_verdict_open() {
    let port = Port::free();
    let text = declare("customers-db", port.number())
        .allow("serving", "in", "loopback", "")
        .allow("calling", "out", "db.gdprport.invalid", "")
        .alone();
    let mut daemon = Daemon::with(text);
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let end = End::of_client(&client, there.address.port(), port.number());
    let event = end.event(&mut daemon.log, "flow.open");
    assert_eq!(event.text("verdict.outcome"), "undecided", "{}", event.line());
    gdprport_tests::wait::until("the status names the name", || {
        daemon.status()["policy"]["unresolved"][0]["name"] == "db.gdprport.invalid"
    });
    assert_eq!(daemon.port_status(port.number())["undecided"], 1);
    daemon.stop();
}

#[test]
fn a_catalog_port_that_no_declaration_names_is_reported() {
    let (netns, declared) = (Netns::new(), Port::free());
    let mut daemon = Daemon::with(open(declared.number()).alone());
    let mut server = Puppet::at(Place::default().netns(&netns));
    let mut client = Puppet::at(Place::default().netns(&netns));
    // MongoDB's port, to which no other test connects.
    server.listen("127.0.0.1:27017");
    let there = client.connect("127.0.0.1:27017");
    let local = there.address.port();
    for end in [End::of_client(&client, local, 27017), End::of_server(&server, 27017, local)] {
        if end.direction == "in" {
            server.accept();
        }
        let event = end.event(&mut daemon.log, "flow.open");
        assert_eq!(event.text("verdict.outcome"), "violation", "{}", event.line());
        assert_eq!(event.reasons(), ["undeclared-port"], "{}", event.line());
        assert_eq!(event.text("port.protocol"), "mongodb", "{}", event.line());
    }
    daemon.stop();
}

#[test]
fn without_a_policy_the_catalog_is_watched() {
    let netns = Netns::new();
    let mut daemon = Start::without_policy().start();
    let mut server = Puppet::at(Place::default().netns(&netns));
    let mut client = Puppet::at(Place::default().netns(&netns));
    server.listen("127.0.0.1:1521");
    let there = client.connect("127.0.0.1:1521");
    let end = End::of_client(&client, there.address.port(), 1521);
    let event = end.named_exactly(&mut daemon.log, "flow.open");
    assert_eq!(event.reasons(), ["undeclared-port"], "{}", event.line());
    assert!(event.at("policy").is_null(), "{}", event.line());
    daemon.stop();
}

/// Opens a listener at `bind` under the policy and returns its event.
#[track_caller]
fn listening(bind: &str, declaration: impl FnOnce(Declaration) -> Declaration) -> Event {
    let port = Port::free();
    let mut daemon = Daemon::with(declaration(declare("customers-db", port.number())).alone());
    let mut server = Puppet::new();
    server.listen(format!("{bind}:{port}"));
    let event = daemon.log.wait("listener.open", |event| event.is("listener.open", port.number()));
    End::of_server(&server, port.number(), 0).check_owner(&event);
    let is_violation = event.text("verdict.outcome") == "violation";
    server.ask("unlisten");
    daemon.log.wait("listener.close", |event| event.is("listener.close", port.number()));
    let log = daemon.stop();
    let count = log.count(|event| event.is("violation", port.number()));
    assert_eq!(count, usize::from(is_violation), "a violation is reported once");
    event
}

#[test]
fn a_listener_bound_where_it_is_declared_is_no_violation() {
    for bind in ["127.0.0.1", "[::1]"] {
        let event = listening(bind, |it| it.key(r#"listen = "loopback""#));
        assert_eq!(event.text("verdict.outcome"), "declared", "{}", event.line());
    }
}

#[test]
fn a_listener_bound_beyond_its_declaration_is_exposed() {
    for bind in ["0.0.0.0", "[::]"] {
        let event = listening(bind, |it| it.key(r#"listen = "loopback""#));
        assert_eq!(event.reasons(), ["exposed-listener"], "{}", event.line());
    }
}

#[test]
fn a_listener_of_a_service_declared_elsewhere_is_reported() {
    let event = listening("127.0.0.1", |it| it.key(r#"service = ["192.0.2.0/24"]"#));
    assert_eq!(event.reasons(), ["undeclared-listener"], "{}", event.line());
}

#[test]
fn a_reload_activates_a_new_policy() {
    let mut pair = Pair::new();
    let before = pair.connect();
    check_declared(&before.client.event(&mut pair.daemon.log, "flow.open"), "calling");
    let old = pair.daemon.status()["policy"]["digest"].clone();

    let port = pair.port.number();
    let text = policy([declare("stricter", port).allow("serving", "in", "any", "")]);
    pair.daemon.rewrite_policy(&text);
    let output = pair.daemon.ask(["daemon", "reload"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let applied = pair.daemon.log.wait("policy.applied", |event| {
        event.kind() == "policy.applied" && event.at("policy.previous") == &old
    });
    let after = pair.connect();
    let opened = after.client.event(&mut pair.daemon.log, "flow.open");
    check_violation(&opened, "undeclared-direction", "serving", "direction");
    assert_eq!(opened.at("policy.digest"), applied.at("policy.digest"), "{}", opened.line());
    pair.daemon.stop();
}

/// The status shows the failure and all problems.
#[test]
fn a_reload_of_an_invalid_policy_keeps_the_old_one() {
    let mut pair = Pair::new();
    let old = pair.daemon.status()["policy"]["digest"].clone();
    pair.daemon.rewrite_policy("version = 1\n[[port]]\nname = 7\nport = 99999\nsurprise = true\n");
    let output = pair.daemon.ask(["daemon", "reload"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    for line in [3, 4, 5] {
        assert!(
            text.contains(&format!("policy.toml:{line}:")),
            "all problems are listed with their lines: {text}"
        );
    }
    let status = pair.daemon.status();
    assert_eq!(status["policy"]["digest"], old);
    assert_eq!(status["policy"]["last_reload"]["ok"], false);
    assert!(status["policy"]["last_reload"]["problems"].as_str().is_some_and(|text| text.contains(":5:")));
    let connection = pair.connect();
    check_declared(&connection.client.event(&mut pair.daemon.log, "flow.open"), "calling");

    // SIGHUP reloads too; a valid policy clears the failure.
    pair.daemon.rewrite_policy(&open(pair.port.number()).key("# changed").alone());
    pair.daemon.signal(libc::SIGHUP);
    gdprport_tests::wait::until("the policy was read again", || {
        pair.daemon.status()["policy"]["last_reload"]["ok"] == true
    });
    pair.daemon.stop();
}
