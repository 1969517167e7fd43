//! `docs/policy.md` is correct: its examples are a policy, its catalog is complete. So is the policy that README.md shows.

use super::super::super::catalog;
use super::*;

const PAGE: &str = include_str!("../../../../../docs/policy.md");
const README: &str = include_str!("../../../../../README.md");

/// The page's TOML examples, in order.
fn examples() -> Vec<Source> {
    let blocks = PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.enumerate().map(|(number, text)| source(&format!("example-{number}.toml"), text)).collect()
}

#[test]
fn the_examples_are_a_policy_without_warnings() {
    let examples = examples();
    assert_eq!(examples.len(), 5);
    let policy = active(compile(&examples));
    assert_eq!(policy.policy().warnings(), []);
    let facts = accepted(5432, "10.0.9.3", None);
    let verdict = policy.evaluate(&facts, Timestamp::UNIX_EPOCH);
    assert!(line(&verdict).ends_with("nearest reporting"), "{verdict:?}");
}

#[test]
fn the_readmes_policy_is_one_and_counts_the_catalog() {
    let text = README.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy");
    let policy = active(compile(&[source("policy.toml", text)]));
    assert_eq!(policy.policy().warnings(), []);
    let ports: std::collections::BTreeSet<u16> =
        catalog::SERVICES.iter().flat_map(|service| service.ports).copied().collect();
    let count = format!("catalog of {} services on {} ports", catalog::SERVICES.len(), ports.len());
    assert!(README.contains(&count), "{count}");
}

#[test]
fn the_catalog_is_listed_in_full() {
    let listed: Vec<&str> = PAGE.lines().skip_while(|line| *line != "## The catalog").collect();
    let rows = listed.iter().filter(|line| line.starts_with("| `"));
    let known = catalog::SERVICES.iter().map(|service| {
        let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
        format!("| `{}` | {} | {} | {} |", service.id, service.name, ports.join(", "), service.why)
    });
    assert_eq!(rows.map(ToString::to_string).collect::<Vec<_>>(), known.collect::<Vec<_>>());
}
