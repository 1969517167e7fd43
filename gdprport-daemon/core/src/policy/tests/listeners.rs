//! Verdicts on listeners.

use rstest::rstest;

use super::*;

fn listening(listen: &str) -> ActivePolicy {
    policy(&format!("version = 1\n[[port]]\nname = \"db\"\nport = 5432\nlisten = {listen}\n"))
}

fn ask(policy: &ActivePolicy, address: &str, port: u16) -> String {
    line(&policy.evaluate_listener(
        Endpoint::new(ip(address), port),
        Some(&postgres()),
        time("2026-06-15T12:00:00Z"),
    ))
}

#[rstest]
#[case::named_address("[\"10.0.2.15\"]", "10.0.2.15", true)]
#[case::other_address("[\"10.0.2.15\"]", "10.0.2.16", false)]
#[case::network("[\"10.0.2.0/24\"]", "10.0.2.16", true)]
#[case::loopback("[\"loopback\"]", "127.0.0.53", true)]
#[case::loopback6("[\"loopback\"]", "::1", true)]
#[case::loopback_is_not_everything("[\"loopback\"]", "0.0.0.0", false)]
#[case::loopback_is_not_everything6("[\"loopback\"]", "::", false)]
#[case::any("[\"any\"]", "0.0.0.0", true)]
#[case::any6("[\"any\"]", "::", true)]
#[case::wildcard("[\"0.0.0.0\"]", "0.0.0.0", true)]
#[case::wildcard_takes_every_ipv4("[\"0.0.0.0\"]", "192.0.2.1", true)]
#[case::wildcard_of_ipv4_takes_no_ipv6("[\"0.0.0.0\"]", "::", false)]
#[case::wildcard_of_ipv6_takes_both("[\"::\"]", "0.0.0.0", true)]
#[case::network_around_the_wildcard("[\"0.0.0.0/8\"]", "0.0.0.0", false)]
fn a_listener_may_be_bound_where_it_is_declared_only(
    #[case] listen: &str,
    #[case] address: &str,
    #[case] allowed: bool,
) {
    let expected = if allowed { "declared listen" } else { "violation exposed-listener nearest -" };
    assert_eq!(ask(&listening(listen), address, 5432), expected);
}

#[test]
fn an_exposed_listener_shows_who_bound_it_and_where_it_may_be() {
    let verdict = listening("[\"10.0.2.15\", \"loopback\"]").evaluate_listener(
        Endpoint::new(ip("::"), 5432),
        Some(&postgres()),
        time("2026-06-15T12:00:00Z"),
    );
    assert_eq!(
        verdict.reasons()[0].detail,
        "/usr/lib/postgresql/15/bin/postgres (pid 812) listens on [::]:5432, \
         and db may be bound to 10.0.2.15, loopback only"
    );
}

#[test]
fn a_listener_on_a_port_that_is_not_served_here_is_undeclared() {
    let remote = policy("version = 1\n[[port]]\nname = \"crm\"\nport = 3306\nservice = [\"10.7.0.0/16\"]\n");
    assert_eq!(ask(&remote, "10.0.2.15", 3306), "violation undeclared-listener nearest -");
    assert_eq!(
        ask(&remote, "10.0.2.15", 5432),
        "violation undeclared-listener nearest -",
        "known to the catalog"
    );
}

#[test]
fn without_a_policy_a_listener_is_on_an_undeclared_port() {
    let policy = active(Ok(super::super::catalog_only()));
    assert_eq!(ask(&policy, "127.0.0.1", 5432), "violation undeclared-port nearest -");
}

#[test]
fn without_listen_a_port_may_be_bound_anywhere_with_a_warning() {
    let policy = policy("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n");
    assert_eq!(ask(&policy, "0.0.0.0", 5432), "declared listen");
    assert!(policy.policy().warnings().iter().any(|warning| warning.message.contains("no `listen`")));
}

/// A policy that decides who listens, with a rule of these keys that lets in.
fn deciding(keys: &str) -> ActivePolicy {
    policy(&format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\nlisten = [\"any\"]\nenforce = {{ listener = \"deny\" }}\n\
         [[port.allow]]\nrole = \"server\"\ndirection = \"in\"\npeers = [\"10.0.0.0/8\"]\n{keys}\n"
    ))
}

fn at(policy: &ActivePolicy, process: Option<&Process>, now: &str) -> Verdict {
    policy.evaluate_listener(Endpoint::new(ip("0.0.0.0"), 5432), process, time(now))
}

#[test]
fn who_listens_is_compared_only_where_the_policy_says_so() {
    let rule = "process = { exe = \"/usr/bin/somebody-else\" }";
    let now = "2026-06-15T12:00:00Z";
    let decides = deciding(rule);
    assert_eq!(
        line(&at(&decides, Some(&postgres()), now)),
        "violation undeclared-listener nearest server(exe)"
    );
    let text = at(&decides, Some(&postgres()), now).reasons()[0].detail.clone();
    assert_eq!(
        text,
        "/usr/lib/postgresql/15/bin/postgres (pid 812) listens on 0.0.0.0:5432, and no rule of db with the direction \"in\" \
         allows that: exe is /usr/lib/postgresql/15/bin/postgres, server allows /usr/bin/somebody-else"
    );
    let bind = decides.evaluate_bind(Endpoint::new(ip("0.0.0.0"), 5432), Some(&postgres()), time(now));
    assert!(bind.reasons()[0].detail.contains("(pid 812) tried to listen on 0.0.0.0:5432"), "{bind:?}");
    let fits = deciding("process = { exe = \"/usr/lib/postgresql/*/bin/postgres\" }\nuntil = 2026-07-01");
    assert_eq!(line(&at(&fits, Some(&postgres()), now)), "declared listen");
    let ended = at(&fits, Some(&postgres()), "2026-07-02T00:00:00Z");
    assert!(
        ended.reasons()[0].detail.ends_with("no rule of db with the direction \"in\" is valid any more"),
        "{ended:?}"
    );
}

#[test]
fn a_listener_of_whom_not_all_is_known_is_undecided() {
    let policy = deciding("process = { exe = \"/usr/bin/postgres\", user = \"root\" }");
    let now = "2026-06-15T12:00:00Z";
    assert_eq!(
        line(&at(&policy, None, now)),
        "undecided the process is not known, and the rule asks for exe, user nearest server"
    );
    let unread = Process { exe: None, uid: 0, user: Some("root".into()), ..postgres() };
    assert_eq!(
        line(&at(&policy, Some(&unread), now)),
        "undecided exe of process 812 is not known nearest server"
    );
    let hidden = Process { exe_withheld: Some(Withheld::OptionMemory), ..unread };
    assert_eq!(line(&at(&policy, Some(&hidden), now)), "violation undeclared-listener nearest server(exe)");
    let anybody = deciding("");
    assert_eq!(line(&at(&anybody, None, now)), "declared listen");
}
