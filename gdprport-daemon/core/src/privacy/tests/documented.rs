//! The page on privacy lists every field of an event about a flow or a listener, so that a new one is not forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::event::json_schema;

/// What can be said of a field.
const TREATMENTS: [&str; 6] = ["kept", "peer", "user", "text", "id", "address in text"];

/// Adds the paths of all fields below, those of `peer_process` as those of `process`.
fn fields(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/$defs/");
        return fields(root, &root["$defs"][name], path, found);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for one in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            fields(root, one, path, found);
        }
    }
    if let Some(items) = schema.get("items") {
        fields(root, items, path, found);
    }
    for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let name = if name == "peer_process" { "process" } else { name };
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let before = found.len();
        fields(root, of, &path, found);
        if found.len() == before && !found.iter().any(|known| known.starts_with(&format!("{path}."))) {
            found.insert(path);
        }
    }
}

#[test]
fn the_page_says_of_every_field_what_becomes_of_it() {
    let schema = json_schema();
    let mut found = BTreeSet::new();
    for kind in ["FlowEvent", "ListenerEvent", "FlowSummary", "FindingEvent"] {
        fields(&schema, &schema["$defs"][kind], "", &mut found);
    }
    assert!(
        found.contains("flow.peer.ip") && found.contains("process.container.stated_by.user"),
        "{found:#?}"
    );
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/privacy.md"));
    let mut documented: BTreeMap<&str, &str> = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let names = cells[0].split(',').map(|name| name.trim().trim_matches('`'));
        documented.extend(names.map(|name| (name, cells[1])));
    }
    let missing: Vec<&String> =
        found.iter().filter(|field| !documented.contains_key(field.as_str())).collect();
    assert!(missing.is_empty(), "docs/privacy.md does not say what becomes of {missing:#?}");
    let gone: Vec<&&str> = documented.keys().filter(|field| !found.contains(**field)).collect();
    assert!(gone.is_empty(), "docs/privacy.md names {gone:#?}, which no event has");
    for (field, treatment) in documented {
        assert!(TREATMENTS.contains(&treatment), "{field}: {treatment}");
    }
}
