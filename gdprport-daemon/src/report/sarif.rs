//! An audit in SARIF 2.1.0 (OASIS Standard with Errata 01), as strict receivers want it: every result has a physical location
//! with a relative path, a stable `ruleId`, and fingerprints that do not change from day to day.
//!
//! The few objects of the format that are needed are written here: a crate of all of them would be larger than the rest of
//! this layer, and would let a result without a location compile.

use gdprport_core::audit::{Accepted, Audit, Evidence, Finding, FindingId, Proposal, Severity, Subject};
use gdprport_core::policy::Place;
use gdprport_core::text::is_control_or_bidi;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// Of the standard with its errata; receivers compare it as a text.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Where the findings are explained.
const HELP: &str = "/usr/share/doc/gdprport/docs/audit.md on a host with gdprport";

/// What a result is about, beside its place: §3.27, properties that receivers show or keep.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    severity: Severity,
    subject: &'a Subject,
    evidence: &'a [Evidence],
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<&'a Proposal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_since: Option<Timestamp>,
}

/// The log. `version` is the program's.
pub(crate) fn sarif(audit: &Audit, version: &str) -> Value {
    let results: Vec<Value> = audit.findings.iter().chain(&audit.accepted).map(result).collect();
    let notes: Vec<Value> =
        audit.not_judged.iter().flat_map(|not| not.ids.iter().map(|id| note(*id, &not.why))).collect();
    let rules: Vec<Value> = FindingId::ALL.into_iter().map(rule).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "gdprport", "version": version, "semanticVersion": version, "rules": rules } },
            // Runs of one host replace each other, and none of another host's.
            "automationDetails": { "id": format!("gdprport-audit/{}/", segment(&audit.host)) },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "endTimeUtc": audit.at.to_string(),
                "toolExecutionNotifications": notes,
            }],
            "results": results,
            "properties": {
                "host": clean(&audit.host),
                "policy": audit.policy,
                "since": audit.since,
            },
        }],
    })
}

fn rule(id: FindingId) -> Value {
    let about = id.about();
    let law = if about.law.is_empty() { String::new() } else { format!(" Serves: {}.", about.law) };
    let help = format!("{} {}{law} See {HELP}.", about.when, about.remedy);
    json!({
        "id": id.as_str(),
        "name": name(id),
        "shortDescription": { "text": about.title },
        "fullDescription": { "text": about.when },
        "help": { "text": help },
        "defaultConfiguration": { "level": level(about.usual) },
        "properties": { "tags": ["gdpr", "security"], "precision": "very-high" },
    })
}

/// The id as an identifier: `UndeclaredListener` (§3.49.7).
fn name(id: FindingId) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    id.as_str().split('-').map(word).collect()
}

fn result(found: &Finding) -> Value {
    let index = FindingId::ALL.iter().position(|id| *id == found.id).unwrap_or_default();
    let mut value = json!({
        "ruleId": found.id.as_str(),
        "ruleIndex": index,
        "level": level(found.severity),
        "message": { "text": message(found) },
        "locations": [{
            "physicalLocation": physical(found.place.as_ref()),
            "logicalLocations": logical(&found.subject),
        }],
        // The first is the one that GitHub compares; the second is ours, with its version.
        "partialFingerprints": { "primaryLocationLineHash": found.fingerprint, "gdprport/v1": found.fingerprint },
        "properties": Properties {
            severity: found.severity,
            subject: &found.subject,
            evidence: &found.evidence,
            proposal: found.proposal.as_ref(),
            known_since: found.known_since,
        },
    });
    if let Some(accepted) = &found.accepted {
        value["suppressions"] = json!([suppression(accepted)]);
    }
    value
}

/// §3.35: outside of the code, in the policy.
fn suppression(accepted: &Accepted) -> Value {
    let why = format!("{} (accepted by {} until {})", accepted.why, accepted.by, accepted.until);
    json!({
        "kind": "external",
        "status": "accepted",
        "justification": clean(&why),
        "location": { "physicalLocation": physical(Some(&accepted.place)) },
    })
}

fn note(id: FindingId, why: &str) -> Value {
    json!({
        "level": "note",
        "message": { "text": text(&format!("{id} was not judged: {why}")) },
        "associatedRule": { "id": id.as_str() },
    })
}

/// SARIF knows three levels of what fails (§3.27.10).
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn message(found: &Finding) -> String {
    let mut message = found.message.trim_end_matches('.').to_owned();
    message.push('.');
    if let Some(proposal) = &found.proposal {
        message.push(' ');
        message.push_str(proposal.what.trim_end_matches('.'));
        message.push('.');
    }
    text(&message)
}

/// Text of a message: braces are doubled, as they would name arguments (§3.11.5), and nothing is a link (§3.11.6).
fn text(message: &str) -> String {
    clean(message)
        .replace('{', "{{")
        .replace('}', "}}")
        .replace('\\', "\\\\")
        .replace('[', "\\[")
        .replace(']', "\\]")
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if is_control_or_bidi(c) { '\u{fffd}' } else { c }).collect()
}

fn physical(place: Option<&Place>) -> Value {
    let (file, line, column) =
        place.map_or(("policy.toml", 1, 1), |place| (&*place.file, place.line, place.column));
    json!({
        "artifactLocation": { "uri": relative(file) },
        "region": { "startLine": line.max(1), "startColumn": column.max(1) },
    })
}

/// A path as a relative URI (RFC 3986 §4.2): without a root, without steps upwards, every byte that is none of a path's percent
/// encoded.
fn relative(path: &str) -> String {
    let steps = path.split('/').filter(|step| !matches!(*step, "" | "." | ".."));
    let uri = steps.map(segment).collect::<Vec<_>>().join("/");
    if uri.is_empty() { "policy.toml".to_owned() } else { uri }
}

fn segment(step: &str) -> String {
    let mut encoded = String::with_capacity(step.len());
    for byte in step.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// What it is about in the policy and on the host, from the port inwards. Never empty, as some receivers want a name.
fn logical(subject: &Subject) -> Vec<Value> {
    let mut path = String::new();
    let mut locations = Vec::new();
    let mut add = |kind: &str, name: Option<String>| {
        if let Some(name) = name {
            path = if path.is_empty() { clean(&name) } else { format!("{path}/{}", clean(&name)) };
            locations.push(json!({ "name": clean(&name), "fullyQualifiedName": path, "kind": kind }));
        }
    };
    let port = match (&subject.port, subject.number) {
        (Some(port), _) => Some(port.to_string()),
        (None, number) => number.map(|number| number.to_string()),
    };
    add("resource", port.or_else(|| Some("policy".to_owned())));
    add("member", subject.rule.as_ref().map(ToString::to_string));
    add("value", subject.address.as_ref().map(ToString::to_string));
    add("function", subject.process.as_ref().map(ToString::to_string));
    add("value", subject.detail.as_ref().map(ToString::to_string));
    locations
}
