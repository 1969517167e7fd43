//! Promises of both renderings.

use gdprport_core::audit::FindingId;
use serde_json::Value;

use super::samples::{audit, hostile, nothing};
use super::{markdown, sarif};

/// The schema of the standard; where it is from stands beside it.
const SCHEMA: &str = include_str!("../../../tests/fixtures/sarif/sarif-schema-2.1.0.json");

fn log(audit: &gdprport_core::audit::Audit) -> Value {
    sarif(audit, "0.1.0")
}

#[test]
fn every_sarif_log_is_valid_by_the_schema_of_the_standard() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("it compiles");
    for audit in [audit(), nothing(), hostile()] {
        let log = log(&audit);
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        assert_eq!(log["$schema"], schema["id"], "the final one");
    }
}

/// What receivers refuse or ignore although the schema allows it.
#[test]
fn every_result_has_what_strict_receivers_want() {
    for audit in [audit(), hostile()] {
        let log = log(&audit);
        let run = &log["runs"][0];
        assert_eq!(log["runs"].as_array().map(Vec::len), Some(1));
        assert!(run.get("originalUriBaseIds").is_none());
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        assert!(rules.iter().all(|rule| !rule["help"]["text"].as_str().unwrap_or_default().is_empty()));
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), audit.findings.len() + audit.accepted.len());
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a path");
            assert!(
                !uri.is_empty() && !uri.starts_with('/') && !uri.contains("..") && !uri.contains(':'),
                "{uri}"
            );
            assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)), "{uri}");
            assert!(place["region"]["startLine"].as_u64() >= Some(1));
            let prints = &result["partialFingerprints"];
            assert_eq!(prints["primaryLocationLineHash"], prints["gdprport/v1"]);
            assert!(!result["message"]["text"].as_str().unwrap_or_default().is_empty());
        }
    }
}

#[test]
fn what_is_accepted_is_suppressed_with_its_reason() {
    let log = log(&audit());
    let results = log["runs"][0]["results"].as_array().expect("results");
    let suppressed: Vec<&Value> =
        results.iter().filter(|result| result.get("suppressions").is_some()).collect();
    let [one] = suppressed[..] else { panic!("one is accepted") };
    assert_eq!((&one["ruleId"], &one["level"]), (&"plaintext-seen".into(), &"error".into()));
    let suppression = &one["suppressions"][0];
    assert_eq!(
        suppression["justification"],
        "the old reporting host is replaced in January (accepted by dpo@example.org until 2027-01-31)"
    );
    assert_eq!(
        suppression["location"]["physicalLocation"]["artifactLocation"]["uri"],
        "etc/gdprport/policy.d/accepted.toml"
    );
}

#[test]
fn a_sarif_log_looks_like_this() {
    let mut log = log(&audit());
    log["runs"][0]["tool"]["driver"]["rules"].as_array_mut().expect("rules").truncate(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).expect("JSON"));
}

#[test]
fn a_page_of_markdown_looks_like_this() {
    insta::assert_snapshot!(markdown(&audit()));
}

#[test]
fn a_page_without_findings_says_what_was_not_judged() {
    let page = markdown(&nothing());
    assert!(
        page.contains("Nothing was found that nobody accepted.") && page.contains("## Not judged"),
        "{page}"
    );
    assert!(page.contains("No ledger was read") && page.contains("There is no policy."), "{page}");
}

/// No tag, link, heading, table cell, code or mention of an attacker's.
#[test]
fn names_of_attackers_are_text_and_nothing_else() {
    let page = markdown(&hostile());
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
    let mut fence: Option<String> = None;
    for line in page.lines() {
        let trimmed = line.trim_start();
        let ticks = trimmed.chars().take_while(|c| *c == '`').count();
        match &fence {
            Some(open) if trimmed == open => fence = None,
            Some(_) => continue,
            None if ticks >= 3 && trimmed.ends_with("toml") => fence = Some("`".repeat(ticks)),
            None => {}
        }
        let outside: String = without_code(line);
        assert!(!outside.contains('<') && !outside.contains("](") && !outside.contains("://"), "{line}");
        assert!(!outside.contains(" @"), "{line}");
        assert!(!trimmed.starts_with("# h1"), "{line}");
    }
    assert!(fence.is_none(), "every block is closed");
}

/// A line without its code spans: a span ends at a run of as many backticks as it began with.
fn without_code(line: &str) -> String {
    // What is escaped is text.
    let mut rest =
        ["\\`", "\\[", "\\]", "\\@"].iter().fold(line.to_owned(), |line, escaped| line.replace(escaped, ""));
    while let Some(begin) = rest.find('`') {
        let ticks = rest[begin..].chars().take_while(|c| *c == '`').count();
        let inner = &rest[begin + ticks..];
        let mut at = 0;
        let end = loop {
            let Some(next) = inner[at..].find('`') else { break None };
            let run = inner[at + next..].chars().take_while(|c| *c == '`').count();
            if run == ticks {
                break Some(at + next + run);
            }
            at += next + run;
        };
        let Some(end) = end else { break };
        rest = format!("{}{}", &rest[..begin], &inner[end..]);
    }
    rest
}

#[test]
fn every_id_is_explained() {
    for id in FindingId::ALL {
        let about = id.about();
        for text in [about.when, about.remedy] {
            assert!(text.ends_with('.') && text.len() > 15, "{id}: {text}");
        }
    }
    let titles: std::collections::BTreeSet<&str> = FindingId::ALL.iter().map(|id| id.about().title).collect();
    assert_eq!(titles.len(), FindingId::ALL.len());
}

/// Each id has a heading of its own.
#[test]
fn the_reference_names_every_finding() {
    let page = include_str!("../../../docs/audit.md");
    for id in FindingId::ALL {
        assert!(page.contains(&format!("### `{id}`\n")), "{id} is not in docs/audit.md");
    }
}
