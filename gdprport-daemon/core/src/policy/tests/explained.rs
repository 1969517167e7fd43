//! Explanations of flows that somebody describes: what is not given is not known, never absent.

use super::super::{Explanation, KeyFit};
use super::*;
use crate::ledger::Identity;
use crate::model::{Names, StatedBy};

fn rule(process: &str) -> ActivePolicy {
    policy(&format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = \"10.0.2.0/24\"\nprocess = {process}\n"
    ))
}

fn explained(policy: &ActivePolicy, facts: &Facts<'_>) -> Explanation {
    let explanation = policy.explain(facts, Timestamp::UNIX_EPOCH);
    assert_eq!(explanation.verdict, policy.evaluate(facts, Timestamp::UNIX_EPOCH));
    explanation
}

fn fit(explanation: &Explanation, key: &str) -> Option<KeyFit> {
    explanation.rules[0].keys.iter().find(|found| *found.key == *key).map(|found| found.fit)
}

/// Of a process described by name or by number the other is not known.
#[test]
fn an_account_that_is_given_by_name_has_no_known_number() {
    let by_name = Process { uid: u32::MAX, gid: u32::MAX, names_pending: true, ..postgres() };
    let by_number = Process { user: None, group: None, ..Process { names_pending: true, ..postgres() } };
    for (wanted, process, expected) in [
        ("{ user = \"postgres\" }", &by_name, KeyFit::Matches),
        ("{ user = 107 }", &by_name, KeyFit::Unknown),
        ("{ user = \"root\" }", &by_name, KeyFit::Fails),
        ("{ user = [\"root\", 0] }", &by_name, KeyFit::Unknown),
        ("{ user = 107 }", &by_number, KeyFit::Matches),
        ("{ user = 0 }", &by_number, KeyFit::Fails),
        ("{ user = \"postgres\" }", &by_number, KeyFit::Unknown),
    ] {
        let found = explained(&rule(wanted), &accepted(5432, "10.0.2.7", Some(process)));
        assert_eq!(fit(&found, "user"), Some(expected), "{wanted}");
        let undecided = matches!(found.verdict, Verdict::Undecided { .. });
        assert_eq!(undecided, expected == KeyFit::Unknown, "{wanted}: {:?}", found.verdict);
    }
}

#[test]
fn a_container_that_is_given_by_name_has_no_known_id() {
    let names = Names {
        name: Some("web".into()),
        image: None,
        image_digest: None,
        image_id: None,
        labels: [("app".into(), "orders".into())].into(),
        labels_omitted: u32::MAX,
        labels_unshown: std::collections::BTreeMap::new(),
        compose: None,
        namespace: None,
        pod_name: None,
        workload: None,
        stated_by: StatedBy { uid: 0, user: None },
        writes_state: false,
    };
    let process = Process {
        container: Some(Container { naming: Naming::Known(names.into()), ..container("", None) }),
        cgroup: None,
        ..postgres()
    };
    for (wanted, key, expected) in [
        ("{ container = \"web\" }", "container", KeyFit::Matches),
        ("{ container = \"db\" }", "container", KeyFit::Fails),
        ("{ container = \"0123456789ab*\" }", "container", KeyFit::Unknown),
        ("{ image = \"orders\" }", "image", KeyFit::Unknown),
        ("{ label = { app = \"orders\" } }", "label", KeyFit::Matches),
        ("{ label = { tier = \"front\" } }", "label", KeyFit::Unknown),
        ("{ namespace = \"shop\" }", "namespace", KeyFit::Unknown),
        ("{ workload = \"orders\" }", "workload", KeyFit::Unknown),
        ("{ pod = \"orders-*\" }", "pod", KeyFit::Unknown),
    ] {
        let found = explained(&rule(wanted), &accepted(5432, "10.0.2.7", Some(&process)));
        assert_eq!(fit(&found, key), Some(expected), "{wanted}: {found:?}");
        let undecided = matches!(found.verdict, Verdict::Undecided { .. });
        assert_eq!(undecided, expected == KeyFit::Unknown, "{wanted}: {:?}", found.verdict);
    }
}

#[test]
fn a_peer_that_is_not_given_is_not_known() {
    let process = postgres();
    let facts = Facts { peer_missing: Some("as nobody said"), ..accepted(5432, "10.0.2.7", Some(&process)) };
    let found = explained(&rule("{ user = \"postgres\" }"), &facts);
    assert_eq!(fit(&found, "peers"), Some(KeyFit::Unknown));
    assert_eq!(line(&found.verdict), "undecided the peer is not known, as nobody said nearest r");
}

/// The ledger keeps neither groups' numbers nor cgroups.
#[test]
fn what_the_ledger_does_not_keep_is_not_known() {
    let kept = Identity::of(Some(&postgres())).evidence().expect("known");
    for (wanted, key, expected) in [
        ("{ exe = \"/usr/lib/postgresql/*/bin/postgres\" }", "exe", KeyFit::Matches),
        ("{ user = 107 }", "user", KeyFit::Matches),
        ("{ group = \"postgres\" }", "group", KeyFit::Matches),
        ("{ group = 115 }", "group", KeyFit::Unknown),
        ("{ cgroup = \"/system.slice/**\" }", "cgroup", KeyFit::Unknown),
        ("{ container = \"web\" }", "container", KeyFit::Unknown),
    ] {
        let found = explained(&rule(wanted), &accepted(5432, "10.0.2.7", Some(&kept)));
        assert_eq!(fit(&found, key), Some(expected), "{wanted}");
    }
    assert_eq!(Identity::UNKNOWN.evidence(), None);
}

#[test]
fn an_explanation_is_bounded_and_says_what_it_leaves_out() {
    let mut text = "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n".to_owned();
    for number in 0..5_000 {
        text += &format!(
            "[[port.allow]]\nrole = \"r{number}\"\ndirection = \"in\"\npeers = \"10.1.{}.{}\"\n",
            number / 250,
            number % 250
        );
    }
    let found = explained(&policy(&text), &accepted(5432, "203.0.113.7", None));
    assert_eq!((found.rules.len(), found.omitted), (200, 4_800));
    let place = found.rules[0].place.as_ref().expect("a place");
    let role = text.lines().nth(place.line).expect("a line");
    assert_eq!(role, format!("role = \"{}\"", found.rules[0].role), "below the header");
}
