//! Large policies stay fast: the cost of a verdict is measured in rules compared, which no busy machine changes.

use std::fmt::Write;

use super::super::index::COMPARED;
use super::*;

const MANY: usize = 8_000;

/// A policy over several files with one port and these rules.
fn large(rule: impl Fn(usize) -> String) -> Policy {
    let mut sources = vec![source("policy.toml", "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n")];
    for chunk in 0..4 {
        let mut text = "version = 1\n".to_owned();
        for number in (chunk * MANY / 4)..((chunk + 1) * MANY / 4) {
            writeln!(text, "[[allow]]\nport = \"db\"\nrole = \"r{number}\"\n{}", rule(number))
                .expect("a String");
        }
        sources.push(source(&format!("policy.d/{chunk}.toml"), &text));
    }
    compile(&sources).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The verdict, and how many rules were compared to reach it.
fn ask(policy: &Policy, facts: &Facts<'_>) -> (String, usize) {
    COMPARED.set(0);
    let verdict = policy.evaluate(facts, &Names::default(), Timestamp::UNIX_EPOCH);
    (line(&verdict), COMPARED.get())
}

#[track_caller]
fn assert_cheap((verdict, compared): (String, usize), expected: &str) {
    assert!(verdict.starts_with(expected), "{verdict}");
    assert!(compared <= 64, "{compared} of {MANY} rules were compared for {verdict}");
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255)
}

#[test]
fn many_peers_cost_no_more_than_few() {
    let policy =
        large(|number| format!("direction = \"in\"\npeers = [\"{}\", \"172.16.0.0/12\"]", address(number)));
    assert_cheap(ask(&policy, &accepted(5432, &address(MANY - 1), None)), "declared r7999");
    assert_cheap(ask(&policy, &accepted(5432, "172.20.1.1", None)), "declared r0");
    assert_cheap(ask(&policy, &accepted(5432, "192.0.2.1", None)), "violation undeclared-peer");
}

#[test]
fn many_executables_users_and_units_cost_no_more_than_few() {
    let policy = large(|number| {
        let (exe, user, unit) = (number % 27, number / 27 % 27, number / 729);
        format!(
            "direction = \"in\"\npeers = \"any\"\n\
             process = {{ exe = \"/bin/{exe}\", user = \"u{user}\", unit = [\"{unit}.service\", \"x.service\"] }}"
        )
    });
    let number = 17 + 13 * 27 + 5 * 729;
    let owner = |unit: &str| Process {
        exe: Some("/bin/17".into()),
        user: Some("u13".into()),
        unit: Some(unit.into()),
        ..postgres()
    };
    assert_cheap(
        ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner("5.service")))),
        &format!("declared r{number}"),
    );
    assert_cheap(ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner("x.service")))), "declared r368");
    assert_cheap(
        ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner("y.service")))),
        "violation undeclared-process",
    );
}

#[test]
fn many_patterns_cost_no_more_than_few() {
    let policy = large(|number| {
        let number = number % 2000;
        format!(
            "direction = \"in\"\npeers = \"any\"\nprocess = {{ unit = \"tenant-{number:04}@*.service\" }}"
        )
    });
    let owner = |unit: &str| Process { unit: Some(unit.into()), ..postgres() };
    assert_cheap(
        ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner("tenant-1999@a.service")))),
        "declared r1999",
    );
    assert_cheap(
        ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner("tenant-x@a.service")))),
        "violation undeclared-process",
    );
}

#[test]
fn rules_that_an_earlier_one_makes_unreachable_cost_nothing() {
    let policy = large(|_| "direction = \"in\"\npeers = \"any\"\nuntil = 1960-01-01".to_owned());
    assert_cheap(ask(&policy, &accepted(5432, "192.0.2.1", None)), "violation rule-expired");
}

#[test]
fn more_rules_than_can_be_compared_without_evidence_stay_undecided() {
    let policy = large(|number| {
        format!(
            "direction = \"in\"\npeers = \"any\"\nprocess = {{ exe = \"/bin/{number}\", user = \"u{number}\" }}"
        )
    });
    let owner = |user: &str| Process { exe: None, user: Some(user.into()), ..postgres() };
    let ask = |user| ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner(user)))).0;
    assert_eq!(ask("u7"), "undecided exe of process 812 is not known nearest r7");
    assert_eq!(ask("u7999"), "undecided more than 4096 rules depend on evidence that is missing nearest -");
}
