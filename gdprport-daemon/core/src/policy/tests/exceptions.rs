//! What somebody accepted: how it is written, what it accepts, and that it ends by itself.

use insta::assert_snapshot;
use rstest::rstest;

use super::super::{About, Severity, outline};
use super::*;
use crate::shared::Shared;
use crate::verdict::{Accepted, ReasonId};

const POLICY: &str = "version = 1
[controller]
name = \"Example\"
contact = \"x@example.org\"
[peers]
reports = [\"10.0.9.0/28\", \"reports.example\"]
[[port]]
name = \"db\"
port = 5432
listen = [\"any\"]
tls = { min = \"1.3\" }
[[port.allow]]
role = \"api\"
direction = \"in\"
peers = \"10.0.2.0/24\"
process = { exe = \"/usr/lib/postgresql/*/bin/postgres\" }
";

fn exception(keys: &str) -> String {
    format!(
        "{POLICY}[[exception]]\nfinding = \"undeclared-peer\"\nwhy = \"it moves\"\naccepted_by = \"dpo\"\nuntil = 2027-01-31\n{keys}\n"
    )
}

/// What is accepted of a flow from this peer.
fn asked(text: &str, peer: &str, process: Option<&Process>, now: &str) -> Option<Shared<Accepted>> {
    let active = policy(text);
    let posture = Posture::new(PostureState::Plaintext, "seen");
    let facts = Facts { posture: Some(&posture), ..accepted(5432, peer, process) };
    let verdict = active.evaluate(&facts, time(now));
    let reasons = verdict.reasons().iter().map(|reason| reason.id);
    active.accepted(&facts, active.port(5432)?, reasons.filter(|id| *id != ReasonId::Plaintext), time(now))
}

const NOW: &str = "2027-01-31T23:59:59Z";

#[rstest]
#[case::by_a_set("port = \"db\"\npeers = \"reports\"", "10.0.9.3", true)]
#[case::by_number("port = 5432\npeers = [\"10.0.9.3\", \"loopback\"]", "10.0.9.3", true)]
#[case::by_process("process = { user = \"postgres\" }", "10.0.9.3", true)]
#[case::of_anybody("port = \"db\"", "203.0.113.7", true)]
#[case::another_peer("peers = \"reports\"", "203.0.113.7", false)]
#[case::another_port("port = 5433", "10.0.9.3", false)]
#[case::another_service("port = \"redis\"", "10.0.9.3", false)]
#[case::another_process("process = { user = \"root\" }", "10.0.9.3", false)]
#[case::a_name_that_is_not_resolved("peers = \"reports.example\"", "10.0.9.3", false)]
fn an_exception_accepts_what_all_its_keys_match(
    #[case] keys: &str,
    #[case] peer: &str,
    #[case] expected: bool,
) {
    let found = asked(&exception(keys), peer, Some(&postgres()), NOW);
    assert_eq!(found.is_some(), expected);
    if let Some(found) = found {
        assert_eq!(
            (&*found.why, &*found.by, found.until.to_string()),
            ("it moves", "dpo", "2027-01-31".to_owned())
        );
    }
}

#[test]
fn an_exception_ends_with_its_last_day_in_utc() {
    let text = exception("port = \"db\"");
    assert!(asked(&text, "10.0.9.3", Some(&postgres()), NOW).is_some());
    assert!(asked(&text, "10.0.9.3", Some(&postgres()), "2027-02-01T00:00:00Z").is_none());
}

/// Evidence that is missing accepts nothing.
#[test]
fn a_process_that_is_not_known_is_accepted_by_no_one() {
    let text = exception("process = { user = \"*\" }");
    assert!(asked(&text, "10.0.9.3", None, NOW).is_none());
    let nobody = Process { attribution: Attribution::Unknown, ..postgres() };
    assert!(asked(&text, "10.0.9.3", Some(&nobody), NOW).is_none());
}

#[test]
fn a_violation_is_accepted_once_all_its_reasons_are() {
    let of_process = "[[exception]]\nfinding = \"undeclared-process\"\nport = \"db\"\nwhy = \"also\"\naccepted_by = \"cto\"\n";
    let other = Process { exe: Some("/usr/bin/psql".into()), ..postgres() };
    let ask = |text: &str| asked(text, "10.0.9.3", Some(&other), "2026-12-01T00:00:00Z");
    let one = exception("port = \"db\"");
    assert_eq!(ask(&one), None, "it has another reason");
    let both = ask(&format!("{one}{of_process}until = 2026-12-31\n")).expect("both are accepted");
    assert_eq!(&*both.by, "cto", "the one that ends first stands for all");
    let [also] = &both.also[..] else { panic!("{both:?}") };
    assert_eq!((&*also.by, also.until.to_string()), ("dpo", "2027-01-31".to_owned()));
}

#[test]
fn the_verdict_knows_no_exceptions() {
    let facts = |process| accepted(5432, "10.0.9.3", process);
    let process = postgres();
    for process in [Some(&process), None] {
        let verdict = policy(POLICY).evaluate(&facts(process), time(NOW));
        assert_eq!(policy(&exception("port = \"db\"")).evaluate(&facts(process), time(NOW)), verdict);
    }
}

#[test]
fn a_listener_is_accepted_without_a_peer() {
    let text = exception("port = \"db\"").replace("undeclared-peer", "exposed-listener");
    let active = policy(&text);
    let port = active.port(5432).expect("declared");
    let ask =
        |active: &ActivePolicy, reason| active.accepted_listener(port, None, [reason], time(NOW)).is_some();
    assert!(ask(&active, ReasonId::ExposedListener));
    assert!(!ask(&active, ReasonId::UndeclaredListener));
    let limited = policy(&exception("peers = \"any\"").replace("undeclared-peer", "undeclared-listener"));
    assert!(!ask(&limited, ReasonId::UndeclaredListener));
}

/// Unknown ids and ports, no end, no words, an exception that would accept everything.
#[test]
fn mistakes_in_an_exception_are_shown_with_what_is_right() {
    let text = format!(
        "{POLICY}[[exception]]\nfinding = \"undeclared-pear\"\nport = \"dbs\"\nwhy = \"\"\naccepted_by = \"x\"\nuntil = \"2027-01-31\"\n\
         [[exception]]\nfinding = \"plaintext\"\nwhy = \"x\"\n\
         [[exception]]\nfinding = \"nonsense\"\nport = 0\npeers = \"report\"\nprocess = {{}}\nwhy = \"x\"\naccepted_by = \"x\"\nuntil = 2027-01-31T10:00:00Z\nvolume = 1\n"
    );
    let mut found = problems(&text);
    found.list.retain(|problem| problem.severity == Severity::Error);
    assert_snapshot!(found, @r#"
    policy.toml:18:11: error: `undeclared-pear` is neither a finding nor a reason of violations
     18 | finding = "undeclared-pear"
        |           ^^^^^^^^^^^^^^^^^
        = help: did you mean `undeclared-peer`?

    policy.toml:19:8: error: no port is named `dbs`
     19 | port = "dbs"
        |        ^^^^^
        = help: did you mean `db`?

    policy.toml:20:7: error: the text is empty
     20 | why = ""
        |       ^^

    policy.toml:22:9: error: expected a date, found the text `2027-01-31`
     22 | until = "2027-01-31"
        |         ^^^^^^^^^^^^
        = help: write a date without quotes and without a time, such as `until = 2027-01-31`

    policy.toml:23:1: error: an exception has no `accepted_by`
     23 | [[exception]]
        | ^^^^^^^^^^^^^
        = help: add `accepted_by = "privacy@example.org"`

    policy.toml:23:1: error: an exception has no `until`
     23 | [[exception]]
        | ^^^^^^^^^^^^^
        = help: add `until = 2027-01-31`

    policy.toml:27:11: error: `nonsense` is neither a finding nor a reason of violations
     27 | finding = "nonsense"
        |           ^^^^^^^^^^
        = help: there are undeclared-listener, shadow-service, exposed-listener, port-without-listener, unused-rule, broad-rule, rule-without-process, rule-expired, rule-expiring, tls-not-demanded, plaintext-seen, weak-tls-seen, certificate-expiring, record-incomplete, special-category-unprotected, third-country-candidate, unusual-volume, coverage-gap, policy-changed, exception-expiring, unattributed-flows, not-enforcing, undeclared-port, undeclared-peer, undeclared-process, unattributable, undeclared-direction, plaintext, weak-tls, tls-refused, not-tls, volume-exceeded

    policy.toml:28:8: error: `0` is no port
     28 | port = 0
        |        ^
        = help: a port is a number from 1 to 65535

    policy.toml:29:9: error: no peers are named `report`
     29 | peers = "report"
        |         ^^^^^^^^
        = help: did you mean `reports`?

    policy.toml:30:11: error: `process` asks for nothing
     30 | process = {}
        |           ^^
        = help: give one of `exe`, `user`, `group`, `unit`, `container`, `image`, `label`, `pod`, `namespace`, `workload` or `cgroup`, or remove `process`

    policy.toml:33:9: error: expected a date, found the time `2027-01-31T10:00:00Z`
     33 | until = 2027-01-31T10:00:00Z
        |         ^^^^^^^^^^^^^^^^^^^^
        = help: write a date without quotes and without a time, such as `until = 2027-01-31`

    policy.toml:34:1: error: an exception has no key `volume`
     34 | volume = 1
        | ^^^^^^
        = help: the keys here are `finding`, `why`, `accepted_by`, `until`, `port`, `peers`, `process`
    "#);
}

#[test]
fn an_exception_that_is_too_wide_or_too_long_is_warned_of() {
    let text = exception("").replace("2027-01-31", "2029-01-31")
        + "[[exception]]\nfinding = \"exposed-listener\"\npeers = \"any\"\nwhy = \"x\"\naccepted_by = \"x\"\nuntil = 2026-01-31\n";
    let policy = policy(&text);
    let at = |now: &str| {
        let warnings = policy.policy().warnings_at(time(now)).filter(|problem| problem.line > 16);
        warnings.map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
    };
    assert_snapshot!(at("2026-11-29T00:00:00Z"), @r#"
    policy.toml:18:11: warning: every `undeclared-peer` of this host is accepted
     18 | finding = "undeclared-peer"
        |           ^^^^^^^^^^^^^^^^^
        = help: name the `port`, `peers` or `process` that it is about

    policy.toml:25:9: warning: a listener has no peer, so no `exposed-listener` is accepted
     25 | peers = "any"
        |         ^^^^^
        = help: remove `peers`, or name the process

    policy.toml:28:9: warning: the exception ended with 2026-01-31 in UTC, so it accepts nothing any more
     28 | until = 2026-01-31
        |         ^^^^^^^^^^
        = help: extend `until`, or remove the exception

    policy.toml:21:9: warning: the exception lasts for more than two years
     21 | until = 2029-01-31
        |         ^^^^^^^^^^
        = help: choose an earlier end: what is accepted is looked at again then
    "#);
    assert!(!at("2027-03-01T00:00:00Z").contains("two years"));
}

#[test]
fn an_exception_with_a_mistake_accepts_nothing_wider() {
    let text = exception("peers = \"report\"");
    assert!(compile(&[source("policy.toml", &text)]).is_err());
}

#[test]
fn a_drop_in_may_have_exceptions_and_the_outline_has_them() {
    let keys = "port = \"db\"\npeers = [\"reports\"]\nprocess = { user = 107 }\n";
    let drop_in = exception(keys).replace(POLICY, "version = 1\n")
        + "[[exception]]\nfinding = \"unused-rule\"\nport = 6379\nwhy = \"x\"\naccepted_by = \"y\"\nuntil = 2027-01-31\n";
    let sources = [source("policy.toml", POLICY), source("policy.d/reports.toml", &drop_in)];
    let (outline, policy) = outline(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(policy.exceptions(), 2);
    let [first, second] = &outline.exceptions[..] else { panic!("two") };
    assert_eq!((&*first.place.file, first.place.line, first.place.column), ("policy.d/reports.toml", 2, 1));
    assert_eq!((&*first.finding, first.port.as_deref()), ("undeclared-peer", Some("db")));
    assert_eq!(first.process, [("user", vec!["107".to_owned()])]);
    assert_eq!(first.peers.len(), 2);

    let today = |text: &str| text.parse().expect("a date");
    let process = postgres();
    let about = About {
        port: Some("db"),
        number: Some(5432),
        peer: Some("10.0.9.4/30".parse().expect("a network")),
        process: Some(&process),
    };
    assert!(first.accepts("undeclared-peer", &about, today("2027-01-31")));
    assert!(!first.accepts("undeclared-peer", &about, today("2027-02-01")));
    assert!(!first.accepts("undeclared-process", &about, today("2027-01-31")));
    for other in [
        About { port: Some("other"), ..about },
        About { peer: Some("10.0.8.0/22".parse().expect("a network")), ..about },
        About { peer: None, ..about },
        About { process: None, ..about },
    ] {
        assert!(!first.accepts("undeclared-peer", &other, today("2027-01-31")), "{other:?}");
    }
    let unused = About { number: Some(6379), ..About::default() };
    assert!(second.accepts("unused-rule", &unused, today("2027-01-01")));
    assert!(!second.accepts("unused-rule", &About::default(), today("2027-01-01")));
}

/// Names of exceptions are resolved like those of rules.
#[test]
fn host_names_of_exceptions_are_resolved() {
    let text = exception("port = \"db\"\npeers = \"reports.example\"");
    let active = policy(&text);
    assert_eq!(active.policy().host_names().collect::<Vec<_>>(), ["reports.example"]);
    let names = DnsNames::new([("reports.example".into(), Resolution::Resolved(vec![ip("10.0.9.77")]))]);
    let active = active.with_names(names);
    let facts = accepted(5432, "10.0.9.77", None);
    let port = active.port(5432).expect("declared");
    assert!(active.accepted(&facts, port, [ReasonId::UndeclaredPeer], time(NOW)).is_some());
}
