//! Verdicts on flows.

use super::*;

const NOW: &str = "2026-11-23T13:20:00Z";

/// The reference policy of the product, as far as this version has it.
pub(super) const EXAMPLE: &str = r#"
version = 1

[controller]
name = "Example GmbH"
contact = "privacy@example.org"
dpo = "dpo@example.org"

[peers]
app-servers = ["10.0.2.0/24", "fd00:2::/64"]
backup-host = ["backup-1.internal"]

[[port]]
name = "customers-db"
port = 5432
service = "local"
listen = ["10.0.2.15", "loopback"]
protocol = "postgresql"
tls = { min = "1.3" }
mode = "observe"
emit = "every"

[port.record]
purpose = "order fulfilment"
basis = "contract"
subjects = ["customers"]
data = ["identity", "contact", "payment"]
special_category = false
recipients = ["payment processor"]
transfers = []
retention = "6 years"
owner = "team-orders"

[[port.allow]]
role = "orders-api"
direction = "in"
peers = ["app-servers"]
process = { unit = "postgresql@*.service", user = "postgres", exe = "/usr/lib/postgresql/*/bin/postgres" }

[[port.allow]]
role = "nightly-backup"
direction = "out"
peers = ["backup-host"]
process = { unit = "backup.service", container = "*" }
until = 2027-01-31
"#;

/// The verdict on a flow that is encrypted as well as can be.
fn encrypted(policy: &ActivePolicy, facts: &Facts<'_>) -> Verdict {
    let posture = Posture::new(PostureState::Tls13, "ServerHello");
    policy.evaluate(&Facts { posture: Some(&posture), ..*facts }, time(NOW))
}

fn ask(policy: &ActivePolicy, facts: &Facts<'_>) -> String {
    line(&encrypted(policy, facts))
}

/// One port, one rule with these keys.
fn one_rule(keys: &str) -> ActivePolicy {
    policy(&format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n[[port.allow]]\nrole = \"r\"\n{keys}\n"
    ))
}

#[test]
fn the_reference_policy_has_no_warnings() {
    assert_eq!(policy(EXAMPLE).policy().warnings(), []);
}

#[test]
fn a_declared_peer_and_process_are_declared_with_their_role() {
    let policy = policy(EXAMPLE);
    let owner = postgres();
    assert_eq!(ask(&policy, &accepted(5432, "10.0.2.77", Some(&owner))), "declared orders-api");
    assert_eq!(ask(&policy, &accepted(5432, "fd00:2::9", Some(&owner))), "declared orders-api");
}

#[test]
fn every_undeclared_thing_is_named_with_the_nearest_rule() {
    let policy = policy(EXAMPLE);
    let owner = postgres();
    assert_eq!(
        ask(&policy, &accepted(5432, "203.0.113.7", Some(&owner))),
        "violation undeclared-peer nearest orders-api(peers)"
    );
    let thief =
        Process { user: Some("etl".into()), uid: 1001, exe: Some("/usr/bin/nc".into()), ..postgres() };
    let verdict = encrypted(&policy, &accepted(5432, "10.0.2.77", Some(&thief)));
    assert_eq!(line(&verdict), "violation undeclared-process nearest orders-api(exe,user)");
    assert_eq!(
        verdict.reasons()[0].detail,
        "exe is /usr/bin/nc, orders-api allows /usr/lib/postgresql/*/bin/postgres; \
         user is etl, orders-api allows postgres"
    );
    assert_eq!(
        ask(&policy, &accepted(5432, "203.0.113.7", Some(&thief))),
        "violation undeclared-peer,undeclared-process nearest orders-api(peers,exe,user)"
    );
    assert_eq!(
        ask(&policy, &connected(5432, "10.0.2.77", Some(&owner))),
        "violation undeclared-process nearest nightly-backup(unit,container)"
    );
}

#[test]
fn a_direction_is_undeclared_only_if_no_rule_has_it() {
    let inward = "[[port.allow]]\nrole = \"server\"\ndirection = \"in\"\npeers = [\"any\"]\n";
    let outward = "[[port.allow]]\nrole = \"client\"\ndirection = \"out\"\npeers = [\"10.0.2.77\"]\n\
                   process = { user = \"root\", exe = \"/usr/bin/psql\", unit = \"backup.service\" }\n";
    let ask = |rules: [&str; 2]| {
        let text = format!("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n{}", rules.concat());
        ask(&policy(&text), &connected(5432, "10.0.2.77", Some(&postgres())))
    };
    let caller = "violation undeclared-process nearest client(exe,user,unit)";
    assert_eq!([ask([inward, outward]), ask([outward, inward])], [caller, caller]);
    assert_eq!(ask([inward, ""]), "violation undeclared-direction nearest server(direction)");
}

#[test]
fn an_expired_rule_is_nearer_than_one_for_others() {
    let expired = "[[port.allow]]\nrole = \"z\"\ndirection = \"in\"\npeers = [\"any\"]\nuntil = 2020-01-01\n";
    let of_others = "[[port.allow]]\nrole = \"a\"\ndirection = \"in\"\npeers = [\"192.0.2.1\"]\n";
    let of_root = "[[port.allow]]\nrole = \"b\"\ndirection = \"in\"\npeers = [\"any\"]\nprocess = { user = \"root\" }\n";
    let ask = |rules: &[&str]| {
        let text = format!("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n{}", rules.concat());
        ask(&policy(&text), &accepted(5432, "10.0.2.77", Some(&postgres())))
    };
    for rules in [[expired, of_others, of_root], [of_root, of_others, expired], [of_others, of_root, expired]]
    {
        assert_eq!(ask(&rules), "violation rule-expired nearest z(until)");
    }
    for rules in [[of_others, of_root], [of_root, of_others]] {
        assert_eq!(
            ask(&rules),
            "violation undeclared-process nearest b(user)",
            "the one that names the peer"
        );
    }
}

#[test]
fn a_rule_is_valid_through_the_end_of_its_last_day_in_utc() {
    let policy = one_rule("direction = \"in\"\npeers = [\"any\"]\nuntil = 2027-01-31");
    let owner = postgres();
    let ask = |now| line(&policy.evaluate(&accepted(5432, "192.0.2.1", Some(&owner)), time(now)));
    assert_eq!(ask("2027-01-31T23:59:59.999999999Z"), "declared r");
    assert_eq!(ask("2027-02-01T00:00:00Z"), "violation rule-expired nearest r(until)");
}

#[test]
fn a_rule_past_its_end_is_warned_of_from_then_on() {
    let policy = one_rule("direction = \"in\"\npeers = [\"any\"]\nuntil = 2027-01-31");
    let warned = |now| {
        let expired = policy.policy().expired(time(now)).map(ToString::to_string);
        expired.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(warned("2027-01-31T23:59:59Z"), "");
    insta::assert_snapshot!(warned("2027-02-01T00:00:00Z"), @r"
    policy.toml:9:9: warning: role `r` was valid until 2027-01-31T23:59:59.999999999Z, so the rule allows nothing any more
     9 | until = 2027-01-31
       |         ^^^^^^^^^^
       = help: extend `until`, or remove the rule
    ");
}

#[test]
fn a_rule_until_a_moment_is_valid_up_to_and_at_it() {
    let policy = one_rule("direction = \"in\"\npeers = [\"any\"]\nuntil = 2027-01-31T12:00:00+02:00");
    let ask = |now| line(&policy.evaluate(&accepted(5432, "192.0.2.1", None), time(now)));
    assert_eq!(ask("2027-01-31T10:00:00Z"), "declared r");
    assert_eq!(ask("2027-01-31T10:00:00.000000001Z"), "violation rule-expired nearest r(until)");
}

#[test]
fn missing_evidence_is_undecided_and_named() {
    let policy = policy(EXAMPLE);
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", None)),
        "undecided the process is not known, and the rule asks for exe, user, unit nearest orders-api"
    );
    let unattributed = Process { attribution: Attribution::Unknown, ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", Some(&unattributed))),
        ask(&policy, &accepted(5432, "10.0.2.77", None)),
        "an owner of unknown attribution is no evidence"
    );
    let vanished = Process { exe: None, ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", Some(&vanished))),
        "undecided exe of process 812 is not known nearest orders-api"
    );
    let stranger = Process { exe: None, user: Some("etl".into()), ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", Some(&stranger))),
        "violation undeclared-process nearest orders-api(user)",
        "what is known suffices for a violation"
    );
}

/// The owner is not known because it saw to that: no rule that asks for it can hold, and no evidence will come.
#[test]
fn what_a_process_withheld_is_a_violation_with_its_cause() {
    let hidden = |facts| Facts { owner_withheld: Some(Withheld::OptionMemory), ..facts };
    let asks = one_rule(
        "direction = \"in\"\npeers = [\"any\"]\nprocess = { user = \"postgres\", exe = \"/usr/bin/a\" }",
    );
    let nobody = hidden(accepted(5432, "10.0.2.7", None));
    assert_eq!(ask(&asks, &nobody), "violation unattributable nearest r(exe,user)");
    let verdict = asks.evaluate(&nobody, time(NOW));
    assert_eq!(
        verdict.reasons()[0].detail,
        "the process withheld who it is, and r asks for exe, user: it filled the option memory of its socket, \
         where the kernel keeps the owner"
    );
    // A rule that asks for nothing allows it all the same, and what is merely missing stays undecided.
    let anybody = one_rule("direction = \"in\"\npeers = [\"any\"]");
    assert_eq!(ask(&anybody, &nobody), "declared r");
    assert!(ask(&asks, &accepted(5432, "10.0.2.7", None)).starts_with("undecided"));
    // Once it is known by other means, it is judged by what it is.
    let known = postgres();
    let known = hidden(accepted(5432, "10.0.2.7", Some(&known)));
    assert_eq!(ask(&asks, &known), "violation undeclared-process nearest r(exe)");
}

/// Only its executable is withheld: the other keys are compared as they are.
#[test]
fn a_withheld_executable_fails_only_rules_that_ask_for_it() {
    let hidden = Process { exe: None, exe_withheld: Some(Withheld::OptionMemory), uid: 7, ..postgres() };
    let facts = accepted(5432, "10.0.2.7", Some(&hidden));
    let rule = |process: &str| {
        one_rule(&format!("direction = \"in\"\npeers = [\"any\"]\nprocess = {{ {process} }}"))
    };
    assert_eq!(ask(&rule("exe = \"**\""), &facts), "violation unattributable nearest r(exe)");
    assert_eq!(
        ask(&rule("exe = \"**\", unit = \"x.service\""), &facts),
        "violation undeclared-process,unattributable nearest r(exe,unit)"
    );
    assert_eq!(ask(&rule("user = \"postgres\""), &facts), "declared r");
}

/// That a host name does not resolve does not excuse it: whatever the addresses, the rule cannot hold.
#[test]
fn a_withheld_owner_is_no_less_one_behind_a_host_name() {
    let policy =
        one_rule("direction = \"in\"\npeers = [\"db1.internal\"]\nprocess = { user = \"postgres\" }");
    let facts = accepted(5432, "10.0.2.7", None);
    assert!(ask(&policy, &facts).starts_with("undecided"));
    let facts = Facts { owner_withheld: Some(Withheld::OptionMemory), ..facts };
    assert_eq!(ask(&policy, &facts), "violation unattributable nearest r(user)");
}

#[test]
fn an_account_name_that_is_not_known_yet_is_missing_evidence() {
    let policy = policy(EXAMPLE);
    let late = Process { user: None, names_pending: true, ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", Some(&late))),
        "undecided user of process 812 is not known nearest orders-api"
    );
    let nameless = Process { user: None, ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", Some(&nameless))),
        "violation undeclared-process nearest orders-api(user)",
        "an id without a name is known to be nobody's"
    );
    let by_number =
        one_rule(&format!("direction = \"in\"\npeers = [\"any\"]\nprocess = {{ user = {} }}", late.uid));
    assert_eq!(ask(&by_number, &accepted(5432, "192.0.2.1", Some(&late))), "declared r");
}

#[test]
fn no_unit_in_a_known_cgroup_is_known_to_be_none() {
    let policy = one_rule("direction = \"in\"\npeers = [\"any\"]\nprocess = { unit = \"*\" }");
    let outside = Process { unit: None, cgroup: Some("/user.slice".into()), ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "192.0.2.1", Some(&outside))),
        "violation undeclared-process nearest r(unit)"
    );
    let unseen = Process { unit: None, cgroup: None, ..postgres() };
    assert_eq!(
        ask(&policy, &accepted(5432, "192.0.2.1", Some(&unseen))),
        "undecided unit of process 812 is not known nearest r"
    );
}

#[test]
fn an_unresolved_host_name_is_undecided_until_it_is_resolved() {
    let policy = policy(EXAMPLE);
    let job = Process {
        unit: Some("backup.service".into()),
        container: Some(container("3f1c", None)),
        ..postgres()
    };
    let facts = connected(5432, "10.9.9.9", Some(&job));
    let ask = |names| line(&encrypted(&policy.with_names(names), &facts));
    assert_eq!(
        ask(DnsNames::default()),
        "undecided the host name backup-1.internal is not resolved yet nearest nightly-backup"
    );
    let failed =
        DnsNames::new([("backup-1.internal".into(), Resolution::Unresolved("no such host".to_owned()))]);
    assert_eq!(
        ask(failed),
        "undecided the host name backup-1.internal is not resolved: no such host nearest nightly-backup"
    );
    assert_eq!(ask(resolved(&[("backup-1.internal", &["10.9.9.9"])])), "declared nightly-backup");
    assert_eq!(
        ask(resolved(&[("backup-1.internal", &["10.9.9.8"])])),
        "violation undeclared-peer nearest nightly-backup(peers)"
    );
    assert_eq!(policy.policy().host_names().collect::<Vec<_>>(), ["backup-1.internal"]);
}

#[test]
fn the_first_written_rule_that_allows_is_named() {
    let policy = policy(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n\
         [[port.allow]]\nrole = \"wide\"\ndirection = \"in\"\npeers = [\"10.0.0.0/8\"]\nuntil = 2020-01-01\n\
         [[port.allow]]\nrole = \"narrow\"\ndirection = \"in\"\npeers = [\"10.0.2.77\"]\n\
         [[port.allow]]\nrole = \"any\"\ndirection = \"in\"\npeers = [\"any\"]\n",
    );
    assert_eq!(ask(&policy, &accepted(5432, "10.0.2.77", None)), "declared narrow");
    assert_eq!(ask(&policy, &accepted(5432, "10.0.2.78", None)), "declared any");
}

#[test]
fn ports_of_the_catalog_are_watched_and_undeclared() {
    let policy = policy(EXAMPLE);
    assert_eq!(ask(&policy, &accepted(3306, "10.0.2.77", None)), "violation undeclared-port nearest -");
    assert_eq!(ask(&policy, &connected(6379, "10.0.2.77", None)), "violation undeclared-port nearest -");
    let info = policy.port(3306).expect("the catalog has MySQL");
    assert_eq!((info.declared, info.protocol.as_deref()), (false, Some("mysql")));
}

#[test]
fn without_a_policy_every_flow_is_on_an_undeclared_port() {
    let policy = active(Ok(super::super::catalog_only()));
    assert!(policy.policy().is_catalog_only());
    assert!(policy.watched().all(|info| !info.declared));
    assert_eq!(
        ask(&policy, &accepted(5432, "10.0.2.77", Some(&postgres()))),
        "violation undeclared-port nearest -"
    );
    assert_eq!(policy.digest(), super::super::catalog_only().digest());
    assert_eq!(policy.port(8080).map(|info| info.number), None);
}

#[test]
fn accepting_on_the_port_of_a_remote_service_is_undeclared() {
    let policy = policy(
        "version = 1\n[[port]]\nname = \"crm\"\nport = 5432\nservice = [\"10.7.0.0/16\"]\n\
         [[port.allow]]\nrole = \"sync\"\ndirection = \"out\"\npeers = [\"10.7.0.0/16\"]\n",
    );
    assert_eq!(ask(&policy, &accepted(5432, "10.7.0.1", None)), "violation undeclared-direction nearest -");
    assert_eq!(ask(&policy, &connected(5432, "10.7.0.1", None)), "declared sync");
    assert_eq!(
        ask(&policy, &connected(5432, "10.8.0.1", None)),
        "violation undeclared-peer nearest sync(peers)",
        "a peer outside of the service still needs a rule"
    );
}

#[test]
fn a_port_without_rules_declares_nothing() {
    let policy = policy("version = 1\n[[port]]\nname = \"db\"\nport = 5432\n");
    assert_eq!(ask(&policy, &accepted(5432, "10.7.0.1", None)), "violation undeclared-direction nearest -");
}

/// Two services share a number. While the name of one is not known, a flow to an address of neither may be that one's.
#[test]
fn a_service_of_unknown_address_may_be_the_one_that_was_called() {
    let of = |name: &str, service: &str, rule: &str| {
        format!("[[port]]\nname = \"{name}\"\nport = 3306\nservice = [\"{service}\"]\n{rule}")
    };
    let rule = "[[port.allow]]\nrole = \"sync\"\ndirection = \"out\"\npeers = [\"any\"]\n";
    let text = format!(
        "version = 1\n{}{}{}",
        of("crm", "10.7.0.0/16", ""),
        of("erp", "erp.example", rule),
        of("web", "10.9.0.0/16", rule)
    );
    let unknown = policy(&text);
    let at =
        |policy: &ActivePolicy, peer| policy.evaluate(&connected(3306, peer, None), Timestamp::UNIX_EPOCH);
    for peer in ["192.0.2.1", "10.9.0.1"] {
        let verdict = at(&unknown, peer);
        assert!(
            matches!(&verdict, Verdict::Undecided { missing, .. } if missing.iter().any(|one| one.contains("erp"))),
            "{peer}: {verdict:?}"
        );
    }
    assert_eq!(
        line(&at(&unknown, "10.7.0.1")),
        "violation undeclared-direction nearest -",
        "crm comes first"
    );
    let known = unknown.with_names(resolved(&[("erp.example", &["10.8.0.1"])]));
    assert_eq!(line(&at(&known, "10.9.0.1")), "declared sync");
    assert_eq!(line(&at(&known, "10.8.0.1")), "declared sync");
    assert_eq!(line(&at(&known, "192.0.2.1")), "violation undeclared-direction nearest -");
}
