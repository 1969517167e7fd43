//! Proposals in a policy that somebody wrote.

use super::proposals::{allows, declared, exact, numbered, row, seen, server, violation};
use super::*;
use crate::ledger::{Edge, VerdictKey};
use crate::policy::Source as PolicyFile;

const MINE: &str = r#"# Mine.
version = 1   # by hand

[peers]
apps = ["10.0.2.11"]  # the apps

[[port]]
name = "customers-db"
port = 5432

[port.record]
purpose = "orders" # really

# Who serves.
[[port.allow]]
role = "serving"
direction = "in"
peers = ["apps"]
process = { unit = "postgresql@15-main.service" }

# The end.
"#;

fn file(text: &str) -> PolicyFile {
    PolicyFile { name: "policy.toml".to_owned(), text: text.to_owned() }
}

pub(super) fn try_merge(
    edges: &[Edge],
    text: &str,
    include_violations: bool,
) -> Result<Proposal, MergeError> {
    let (rows, seen) = (numbered(edges), seen(edges));
    let asked = Asked { rows: &rows, seen: &seen, include_violations, context: &LEARN };
    merge(&asked, &file(text), &[])
}

#[track_caller]
pub(super) fn merged(edges: &[Edge], text: &str, include_violations: bool) -> Proposal {
    try_merge(edges, text, include_violations).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// Whether all lines of the one are lines of the other, in their order.
pub(super) fn has_all_lines(whole: &str, lines: &str) -> bool {
    let mut whole = whole.lines();
    lines.lines().all(|line| whole.any(|other| other == line))
}

fn edges() -> Vec<Edge> {
    let backup = exact("backup.service", "/usr/bin/pg_dump", "backup");
    let mut cache = row(
        Direction::In,
        "10.0.2.11",
        exact("redis.service", "/usr/bin/redis-server", "redis"),
        violation(),
    );
    cache.key.port =
        std::sync::Arc::new(crate::ledger::PortKey { name: "redis".into(), number: 6379, declared: false });
    cache.key.policy = None;
    vec![
        row(Direction::In, "10.0.2.11", server(), declared()),
        row(Direction::In, "10.0.2.12", server(), violation()),
        row(Direction::Out, "10.0.9.9", backup, declared()),
        cache,
    ]
}

#[test]
fn a_policy_gets_what_it_lacks_and_keeps_every_byte() {
    let proposal = merged(&edges(), MINE, false);
    assert_eq!((proposal.ports, proposal.rules, proposal.beside), (1, 2, 1), "{}", proposal.text);
    assert!(has_all_lines(&proposal.text, MINE), "{}", proposal.text);
    insta::assert_snapshot!(proposal.text);
}

#[test]
fn a_merged_policy_is_proposed_nothing_more() {
    let once = merged(&edges(), MINE, false);
    let twice = merged(&edges(), &once.text, false);
    assert_eq!(twice.text, once.text);
    // Until somebody removes what was proposed.
    let unmarked: String = once
        .text
        .lines()
        .filter(|line| !line.starts_with("#proposal"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(merged(&edges(), &unmarked, false).text, unmarked);
}

#[test]
fn an_existing_rule_is_never_changed_only_commented() {
    let proposal = merged(&edges(), MINE, true);
    assert!(!allows(&proposal.text, Direction::In, "10.0.2.12", &server()), "{}", proposal.text);
    let at = |text: &str| proposal.text.find(text).unwrap_or_else(|| panic!("{text}: {}", proposal.text));
    assert!(at("# Who serves.") < at("add to its peers: \"10.0.2.12\""));
    assert!(at("add to its peers: \"10.0.2.12\"") < at("role = \"serving\""));
}

#[test]
fn files_that_are_written_in_one_place_are_added_to_or_said_so() {
    let inline = r#"version = 1
port = [{ name = "customers-db", port = 5432, allow = [{ role = "serving", direction = "in", peers = ["10.0.2.11"], process = { unit = "postgresql@15-main.service" } }] }]"#;
    let backup =
        row(Direction::Out, "10.0.9.9", exact("backup.service", "/usr/bin/pg_dump", "backup"), declared());
    let proposal = merged(std::slice::from_ref(&backup), inline, false);
    assert!(
        proposal.text.starts_with(inline) && proposal.text.contains("[[allow]]\nport = \"customers-db\""),
        "{}",
        proposal.text
    );
    let (rows, seen) = (numbered(&edges()), seen(&edges()));
    let asked = Asked { rows: &rows, seen: &seen, include_violations: false, context: &LEARN };
    let error = merge(&asked, &file(inline), &[]).expect_err("no table can be added").to_string();
    assert!(error.contains("policy.toml writes `port` as a value"), "{error}");
    for (text, key) in [
        ("version = 1\nport = []\n", "port"),
        ("version = 1\nallow = []\n[[port]]\nname = \"customers-db\"\nport = 5432\nallow = []\n", "allow"),
    ] {
        let error = try_merge(std::slice::from_ref(&backup), text, false)
            .expect_err("no table can be added")
            .to_string();
        assert!(error.contains(&format!("writes `{key}` as a value")), "{error}");
    }
    let empty = "version = 1\n[[port]]\nname = \"customers-db\"\nport = 5432\nallow = []\n";
    let proposal = try_merge(std::slice::from_ref(&backup), empty, false).expect("it fits at the end");
    assert!(proposal.text.contains("[[allow]]\nport = \"customers-db\""), "{}", proposal.text);
    // Line ends stay as they are.
    let crlf = MINE.replace('\n', "\r\n");
    let proposal = merged(&edges(), &crlf, false);
    assert!(!proposal.text.replace("\r\n", "").contains('\n'), "{:?}", proposal.text);
}

#[test]
fn what_the_ledger_cannot_say_is_not_allowed() {
    let asks = MINE.replace("unit = \"postgresql@15-main.service\"", "cgroup = \"/system.slice/*\"");
    let was_declared = row(Direction::In, "10.0.2.11", server(), declared());
    assert_eq!(merged(&[was_declared], &asks, false).text, asks, "its rule asks for what is not kept");
    let undecided = row(Direction::In, "10.0.2.11", server(), VerdictKey::Undecided { nearest: None });
    let proposal = merged(&[undecided], &asks, false);
    assert_eq!((proposal.rules, proposal.commented), (0, 1), "{}", proposal.text);
    assert!(proposal.text.contains("the ledger cannot say"), "{}", proposal.text);
}

/// A drop-in gets what the whole policy lacks, and the other files stay as they are.
#[test]
fn a_drop_in_names_the_port_of_another_file() {
    let (rows, seen) = (numbered(&edges()), seen(&edges()));
    let asked = Asked { rows: &rows, seen: &seen, include_violations: false, context: &LEARN };
    let main = PolicyFile { name: "main.toml".to_owned(), text: MINE.to_owned() };
    let proposal = merge(&asked, &file("version = 1\n"), std::slice::from_ref(&main)).expect("a policy");
    assert!(
        proposal.text.contains("[[allow]]\nport = \"customers-db\"\nrole = \"backup\""),
        "{}",
        proposal.text
    );
    assert!(proposal.text.contains("# [[allow]]\n# port = \"customers-db\""), "{}", proposal.text);
    assert_eq!((proposal.rules, proposal.commented, proposal.beside), (2, 1, 0), "{}", proposal.text);
    let again = merge(&asked, &file(&proposal.text), std::slice::from_ref(&main)).expect("a policy");
    assert_eq!(again.text, proposal.text);
}

/// A second declaration of a number would move connections from one to the other.
#[test]
fn a_port_served_elsewhere_is_not_declared_here_by_itself() {
    let remote = "version = 1\n[[port]]\nname = \"db\"\nport = 5432\nservice = [\"10.0.9.9\"]\n";
    let proposal = merged(&[row(Direction::In, "10.0.2.11", server(), declared())], remote, false);
    assert_eq!((proposal.ports, proposal.rules), (0, 0), "{}", proposal.text);
    assert!(proposal.text.contains("# [[port]]"), "{}", proposal.text);
}

#[test]
fn a_file_with_mistakes_is_refused_with_its_problems() {
    let (rows, seen) = (numbered(&edges()), seen(&edges()));
    let asked = Asked { rows: &rows, seen: &seen, include_violations: false, context: &LEARN };
    let error = merge(&asked, &file("version = 1\nprot = 1\n"), &[]).expect_err("a mistake").to_string();
    assert!(error.contains("prot"), "{error}");
}
