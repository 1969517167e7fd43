//! Rules compared with what used them.

use std::sync::Arc;

use jiff::Span;

use super::world::*;
use crate::audit::FindingId;
use crate::ledger::{Identity, PolicyPeriod};
use crate::verdict::ReasonId;

#[test]
fn a_rule_that_nothing_used_is_found() {
    let mut world = World::good();
    world.ledger().edges.clear();
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::UnusedRule, "low"));
    assert_eq!(
        (found.subject.rule.as_deref(), found.place.as_ref().map(|place| place.line)),
        (Some("orders"), Some(21))
    );
    assert_eq!(evidence(&found, "watched"), "60d without a loss");
}

#[test]
fn a_rule_that_would_allow_if_all_were_known_is_used() {
    let mut world = World::good();
    let nearest = crate::ledger::VerdictKey::Undecided { nearest: Some("orders".into()) };
    world.ledger().edges = vec![edge(port("customers-db", 5432, true), "10.0.2.7", nearest)];
    assert!(world.found().is_empty());
}

/// Hours in which something was lost do not count, wherever it was lost.
#[test]
fn absence_is_no_evidence_while_something_was_lost() {
    let mut world = World::good();
    world.ledger().edges.clear();
    world.ledger().gaps.push(gap("ring-full", ago(50), 48 * 86_400, 1));
    let audit = world.audit();
    assert!(audit.findings.iter().all(|finding| finding.id != FindingId::UnusedRule));
    assert_eq!(why_not(&audit, FindingId::UnusedRule).len(), 1);
    world.ledger().gaps[0].reason = "sink:file:io-error".into();
    assert!(world.found().contains(&"low unused-rule".to_owned()), "what a sink lost is in the ledger");
    world.ledger().gaps.clear();
    world.ledger().coverage.iter_mut().for_each(|hour| hour.lost = 1);
    assert!(world.found().is_empty());
}

/// A rule of yesterday had no chance to be used.
#[test]
fn a_new_rule_is_not_judged() {
    let mut world = World::good();
    world.ledger().edges.clear();
    let period = |digest: &str, from| PolicyPeriod { digest: Some(digest.into()), from, to: None };
    world.ledger().policies = vec![period("sha256:old", ago(60)), period("replaced", ago(2))];
    let audit = world.audit();
    assert!(
        audit.findings.iter().all(|finding| finding.id == FindingId::PolicyChanged),
        "{:#?}",
        audit.findings
    );
    let why = why_not(&audit, FindingId::UnusedRule);
    assert_eq!(
        why,
        [
            "absence counts after 14d of watching without a loss, and there is less for customers-db/orders (2d)"
        ]
    );
    world.applied = false;
    assert_eq!(why_not(&world.audit(), FindingId::UnusedRule).len(), 1, "no daemon applies it");
}

/// The hour in which a rule began counts from then on only.
#[test]
fn a_rule_is_not_judged_by_what_was_watched_before_it() {
    let mut world = World::good();
    world.ledger().edges.clear();
    let minutes = |minutes| now() - Span::new().minutes(minutes);
    let period = |digest: &str, from| PolicyPeriod { digest: Some(digest.into()), from, to: None };
    world.ledger().policies = vec![period("sha256:old", ago(60)), period("replaced", minutes(10))];
    world.asked = minutes(30);
    assert_eq!(world.found(), ["info policy-changed"]);
    world.asked = minutes(9);
    assert_eq!(world.found(), ["low unused-rule", "info policy-changed"]);
}

/// Who asks for an hour gets the answer for an hour.
#[test]
fn a_short_period_is_judged_if_it_was_asked_for() {
    let mut world = World::good();
    world.ledger().edges.clear();
    world.ledger().coverage.clear();
    coverage(world.ledger(), "customers-db", 5432, 3);
    assert!(world.found().is_empty());
    world.asked = ago(2);
    assert_eq!(world.found(), ["low unused-rule"]);
}

#[test]
fn any_that_few_addresses_used_is_broad() {
    let mut world = World::with("[\"10.0.2.0/24\"]", "[\"any\"]");
    world.ledger().edges.push(orders("10.0.2.9"));
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::BroadRule, "medium"));
    assert_eq!(
        found.message,
        "Rule orders of customers-db allows any address, and 2 addresses used it in 60d"
    );
    let toml = found.proposal.and_then(|proposal| proposal.toml).expect("a table");
    assert!(toml.contains("peers = [\"10.0.2.7\", \"10.0.2.9\"]"), "{toml}");
    assert_eq!(evidence(&world.one(), "proposed"), "0 more than seen");
}

#[test]
fn a_wide_network_is_broad_and_a_subnet_is_not() {
    for (peers, expected) in
        [("10.0.0.0/8", &["low broad-rule"][..]), ("10.0.2.0/23", &["low broad-rule"]), ("10.0.2.0/24", &[])]
    {
        let world = World::with("10.0.2.0/24", peers);
        assert_eq!(world.found(), expected, "{peers}");
    }
    let mut many = World::with("10.0.2.0/24", "10.0.0.0/8");
    many.ledger().edges = (0..33).map(|i| orders(&format!("10.0.2.{i}"))).collect();
    assert!(many.found().is_empty(), "more than people read");
}

#[test]
fn rolled_up_or_hidden_addresses_are_not_judged() {
    for (peer, why) in [("10.0.2.0/24", "networks instead of addresses"), ("100::7", "pseudonyms")] {
        let mut world = World::with("10.0.2.0/24", "any");
        world.ledger().edges = vec![orders(peer)];
        let audit = world.audit();
        assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
        assert!(why_not(&audit, FindingId::BroadRule)[0].contains(why), "{peer}");
    }
}

#[test]
fn a_rule_for_any_process_that_one_used_is_found() {
    let line = "process = { exe = \"/usr/lib/postgresql/15/bin/postgres\" }\n";
    let mut world = World::with(line, "");
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::RuleWithoutProcess, "low"));
    let toml = found.proposal.and_then(|proposal| proposal.toml).expect("a table");
    assert!(
        toml.contains("process = { exe = \"/usr/lib/postgresql/15/bin/postgres\", unit = \"postgresql@15-main.service\" }"),
        "{toml}"
    );
    let mut unknown = orders("10.0.2.8");
    unknown.key.identity = Arc::new(Identity::UNKNOWN);
    world.ledger().edges.push(unknown);
    assert!(!world.found().contains(&"low rule-without-process".to_owned()), "somebody is not known");
    for i in 0..4 {
        let mut other = orders("10.0.2.8");
        other.key.identity = program(&format!("/opt/{i}"), "a.service");
        world.ledger().edges.push(other);
    }
    world.ledger().edges.remove(1);
    assert!(world.found().is_empty(), "many programs use it");
}

#[test]
fn a_rule_that_ended_or_ends_soon_is_found() {
    let until =
        |day: &str| World::with("15/bin/postgres\" }\n", &format!("15/bin/postgres\" }}\nuntil = {day}\n"));
    assert_eq!(until("2026-11-28").found(), ["low rule-expired"]);
    assert_eq!(until("2026-12-28").found(), ["low rule-expiring"]);
    assert!(until("2027-01-31").found().is_empty());
    let mut refused = until("2026-11-20");
    let key = port("customers-db", 5432, true);
    refused.ledger().edges.push(edge(key, "10.0.2.7", violation(ReasonId::RuleExpired, Some("orders"))));
    let found = refused.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::RuleExpired, "medium"));
    assert_eq!(evidence(&found, "refused"), "10 flows since");
}

#[test]
fn without_a_ledger_no_rule_is_judged() {
    let mut world = World::good();
    world.observed = None;
    let audit = world.audit();
    for id in [
        FindingId::UnusedRule,
        FindingId::BroadRule,
        FindingId::RuleWithoutProcess,
        FindingId::PortWithoutListener,
    ] {
        assert_eq!(why_not(&audit, id), ["there is no ledger"]);
    }
    assert!(audit.findings.is_empty() && audit.since.is_none());
}
