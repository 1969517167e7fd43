//! Large policies stay fast: the cost of a verdict is measured in rules compared, which no busy machine changes.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::compile::compiled_rule::COMPARED;
use super::super::evaluate::active::CHECKED;
use rstest::rstest;

use super::*;
use crate::model::{Names, StatedBy, Workload};

const MANY: usize = 8_000;

fn large(rule: impl Fn(usize) -> String) -> ActivePolicy {
    active(compile(&large_sources(rule)))
}

/// A policy over several files with one port and these rules.
fn large_sources(rule: impl Fn(usize) -> String) -> Vec<Source> {
    let mut sources = vec![source("policy.toml", "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n")];
    for chunk in 0..4 {
        let mut text = "version = 1\n".to_owned();
        for number in (chunk * MANY / 4)..((chunk + 1) * MANY / 4) {
            writeln!(text, "[[allow]]\nport = \"db\"\nrole = \"r{number}\"\n{}", rule(number))
                .expect("a String");
        }
        sources.push(source(&format!("policy.d/{chunk}.toml"), &text));
    }
    sources
}

/// The verdict, and how many rules were compared to reach it.
fn ask(policy: &ActivePolicy, facts: &Facts<'_>) -> (String, usize) {
    COMPARED.set(0);
    let verdict = policy.evaluate(facts, Timestamp::UNIX_EPOCH);
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
fn many_containers_and_pods_cost_no_more_than_few() {
    let policy = large(|number| {
        // Ids whole and shortened, and pods.
        let star = if number % 2 == 0 { "" } else { "*" };
        format!(
            "direction = \"in\"\npeers = \"any\"\nprocess = {{ container = \"{:012x}{star}\" }}",
            number % 2000
        )
    });
    let owner = |id: &str, pod: Option<&str>| Process { container: Some(container(id, pod)), ..postgres() };
    let ask = |process| ask(&policy, &accepted(5432, "192.0.2.1", Some(&process)));
    assert_cheap(ask(owner("0000000007ce", None)), "declared r1998");
    assert_cheap(ask(owner("0000000007cfabcdef", None)), "declared r1999");
    assert_cheap(ask(owner("ffff", Some("0000000007ce"))), "declared r1998");
    assert_cheap(ask(owner("ffff", Some("0000000007cfabcdef"))), "declared r1999");
    assert_cheap(ask(owner("ffff", Some("eeee"))), "violation undeclared-process");
    assert_cheap(ask(Process { container: None, ..postgres() }), "violation undeclared-process");
}

/// A container of which everything is known.
fn in_pod(number: usize) -> Process {
    let names = Names {
        name: Some(format!("c{number:04}").into()),
        image: Some(format!("registry.example/shop/app-{number:04}:1").into()),
        image_digest: Some(format!("sha256:{number:064x}").into()),
        image_id: Some(format!("sha256:{:064x}", number + MANY).into()),
        labels: [("app".into(), format!("a{number:04}").into()), ("env".into(), "prod".into())].into(),
        labels_omitted: 0,
        labels_unshown: BTreeMap::new(),
        compose: None,
        namespace: Some("shop".into()),
        pod_name: Some(format!("pod-{number:04}-x").into()),
        workload: Some(Workload { kind: "Deployment".into(), name: format!("w{number:04}").into() }),
        stated_by: StatedBy { uid: 0, user: None },
        writes_state: false,
    };
    let container = Container { naming: Naming::Known(names.into()), ..container("ffff", Some("eeee")) };
    Process { container: Some(container), ..postgres() }
}

#[rstest]
#[case::image("image = \"app-#\"", "image = \"shop/app-#\"")]
#[case::image_and_tag("image = \"app-#:1\"", "image = [\"registry.example/shop/app-#:*\", \"x#\"]")]
#[case::digest("image = \"app@D#\"", "image = \"D#\"")]
#[case::image_pattern("image = \"shop/app-#?\"", "image = \"shop/app-#*\"")]
#[case::workload("workload = \"Job/w#\"", "workload = \"Deployment/w#\"")]
#[case::name("container = \"d#\"", "container = \"c#\"")]
#[case::pod("pod = \"pod-#\"", "pod = \"pod-#-*\"")]
#[case::label("label = { app = \"b#\" }", "label = { app = \"a#\" }")]
#[case::labels(
    "label = { env = \"prod\", app = \"b#\" }",
    "label = { env = \"prod\", app = [\"a#\", \"x#\"] }"
)]
#[case::namespace_and_label(
    "namespace = \"shop\", label = { app = \"b#\" }",
    "namespace = \"shop\", label = { app = \"a#\" }"
)]
fn many_names_of_containers_cost_no_more_than_few(#[case] others: &str, #[case] wanted: &str) {
    // Of patterns with wildcards, a policy has at most 4096.
    let some = if wanted.contains('*') { 1000 } else { MANY };
    let policy = large(|number| {
        let demand = if number % 2 == 0 { others } else { wanted };
        let (digest, number) = (format!("sha256:{:064x}", number % some), format!("{:04}", number % some));
        let demand = demand.replace("D#", &digest).replace('#', &number);
        format!("direction = \"in\"\npeers = \"any\"\nprocess = {{ {demand} }}")
    });
    // Padded, so that no name is the beginning of another.
    let (found, missed) = (in_pod(1999 % some), in_pod(MANY + 1));
    let ask = |process| ask(&policy, &accepted(5432, "192.0.2.1", Some(process)));
    assert_cheap(ask(&found), &format!("declared r{}", 1999 % some));
    assert_cheap(ask(&missed), "violation undeclared-process");
    assert_cheap(ask(&postgres()), "violation undeclared-process");
}

/// Evidence that is missing and that no rule rests on leaves nothing undecided, however many rules there are.
#[test]
fn only_rules_that_rest_on_missing_evidence_are_compared() {
    let policy = large(|number| {
        format!("direction = \"in\"\npeers = \"any\"\nprocess = {{ image = \"app-{number}\" }}")
    });
    let mut stranger = in_pod(MANY + 1);
    let names = stranger.container.as_mut().expect("a container");
    let Naming::Known(known) = &names.naming else { panic!("it is named") };
    let lacking =
        Names { image_digest: None, image_id: None, name: None, labels_omitted: 9, ..Names::clone(known) };
    names.naming = Naming::Known(lacking.into());
    let ask = |process: &Process| ask(&policy, &accepted(5432, "192.0.2.1", Some(process))).0;
    assert!(ask(&stranger).starts_with("violation undeclared-process"), "{}", ask(&stranger));
    let pending = Process { container: Some(container("ffff", None)), ..postgres() };
    assert!(ask(&pending).starts_with("undecided no state of a runtime"), "{}", ask(&pending));
}

#[test]
fn host_names_are_checked_when_they_change_not_for_a_verdict() {
    let name = |number| format!("h{number}.example");
    let sources =
        large_sources(|number| format!("direction = \"in\"\npeers = [\"{}\"]", name(number % 4000)));
    let policy = active(compile(&sources));
    let names = |gone: Option<usize>| {
        let known = (0..4000).map(|number| {
            let found = if gone == Some(number) {
                Resolution::Unresolved("no such host".to_owned())
            } else {
                Resolution::Resolved(vec![address(number).parse().expect("an address")])
            };
            (name(number).into(), found)
        });
        DnsNames::new(known)
    };
    let ask = |policy: &ActivePolicy, peer: &str| {
        COMPARED.set(0);
        CHECKED.set(0);
        let verdict = policy.evaluate(&accepted(5432, peer, None), Timestamp::UNIX_EPOCH);
        (line(&verdict), COMPARED.get() + CHECKED.get())
    };
    let all = policy.with_names(names(None));
    assert_cheap(ask(&all, &address(3999)), "declared r3999");
    assert_cheap(ask(&all, "192.0.2.1"), "violation undeclared-peer");
    CHECKED.set(0);
    let gone = policy.with_names(names(Some(7)));
    assert!(CHECKED.get() >= 4000, "{} names were checked", CHECKED.get());
    assert_cheap(
        ask(&gone, "192.0.2.1"),
        "undecided the host name h7.example is not resolved: no such host nearest r4007",
    );
    assert_cheap(ask(&gone, &address(8)), "declared r8");
    let other = super::policy("version = 1\n").with_names(names(Some(7)));
    let reloaded = other.with_policy(compile(&sources).expect("a policy").into());
    assert_cheap(ask(&reloaded, "192.0.2.1"), "undecided the host name h7.example is not resolved");
}

#[test]
fn a_rule_of_the_direction_is_compared_however_many_others() {
    let policy = large(|number| {
        let direction = if number == MANY - 1 { "out" } else { "in" };
        format!("direction = \"{direction}\"\npeers = [\"{}\"]", address(number))
    });
    let verdict = ask(&policy, &connected(5432, "192.0.2.1", None));
    assert_cheap(verdict, "violation undeclared-peer nearest r7999(peers)");
}

#[test]
fn rules_that_an_earlier_one_makes_unreachable_cost_nothing() {
    let policy = large(|_| "direction = \"in\"\npeers = \"any\"\nuntil = 1960-01-01".to_owned());
    assert_cheap(ask(&policy, &accepted(5432, "192.0.2.1", None)), "violation rule-expired");
}

#[test]
fn too_many_rules_that_lack_evidence_stay_undecided() {
    let policy = large(|number| {
        format!(
            "direction = \"in\"\npeers = \"any\"\nprocess = {{ exe = \"/bin/{number}\", user = \"u{number}\" }}"
        )
    });
    let owner = |user: &str| Process { exe: None, user: Some(user.into()), ..postgres() };
    let ask = |user| ask(&policy, &accepted(5432, "192.0.2.1", Some(&owner(user)))).0;
    assert_eq!(ask("u1"), "undecided exe of process 812 is not known nearest r1");
    assert_eq!(ask("u7999"), "undecided more than 4096 rules depend on evidence that is missing nearest -");
}
