//! The index template: every field that we send is mapped, with the type that ECS gives it.

use std::collections::BTreeMap;

use gdprport_core::event::samples;
use serde_json::Value;

use crate::records::{document, text};

fn template(name: &str) -> Value {
    serde_json::from_str(&text(&format!("elastic/{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Types of ECS by field.
fn types() -> BTreeMap<&'static str, &'static str> {
    let list = include_str!("../../core/src/encode/ecs/testdata/ecs-9.4.0.tsv");
    let rows = list.lines().filter(|line| !line.starts_with('#') && !line.contains('='));
    rows.filter_map(|row| {
        row.split_once('\t').map(|(name, rest)| (name, rest.split('\t').next().unwrap_or(rest)))
    })
    .collect()
}

/// Adds what of a value has no mapping, or one that does not take it.
fn unmapped(name: &str, value: &Value, mapping: &Value, found: &mut Vec<String>) {
    if let Value::Array(values) = value {
        return values.iter().for_each(|value| unmapped(name, value, mapping, found));
    }
    let fits = match mapping["type"].as_str() {
        Some("flattened") => value.is_object(),
        None | Some("nested") => {
            let Value::Object(map) = value else {
                return found.push(format!("{name} is no object: {value}"));
            };
            for (key, value) in map {
                let name = format!("{name}.{key}");
                match mapping["properties"].get(key) {
                    Some(mapping) => unmapped(&name, value, mapping, found),
                    None => found.push(format!("{name} is not mapped")),
                }
            }
            true
        }
        Some("keyword" | "constant_keyword" | "match_only_text") => value.is_string(),
        Some("long") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("ip") => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
        // RFC 3339, or a day.
        Some("date") => value.as_str().is_some_and(|text| {
            text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::Date>().is_ok()
        }),
        Some(_) => false,
    };
    if !fits {
        found.push(format!("{name} is no {}: {value}", mapping["type"]));
    }
}

#[test]
fn every_field_that_is_sent_is_mapped() {
    let mapping = &template("gdprport-mappings")["template"]["mappings"];
    let mut found = Vec::new();
    for event in samples::events().into_iter().chain([samples::rich::event()]) {
        unmapped("", &document(&event), mapping, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn mapped_fields_have_the_types_of_ecs() {
    fn walk(name: &str, mapping: &Value, types: &BTreeMap<&str, &str>, count: &mut usize) {
        if name == "gdprport" {
            return;
        }
        if let Some(kind) = mapping["type"].as_str() {
            // ECS calls it an object; its names are anybody's, so that each must not become a field.
            let expected = if name == "container.labels" { "flattened" } else { types[name] };
            assert_eq!(kind, expected, "{name}");
            *count += 1;
        }
        for (key, mapping) in mapping["properties"].as_object().into_iter().flatten() {
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            walk(&name, mapping, types, count);
        }
    }
    let mut count = 0;
    walk("", &template("gdprport-mappings")["template"]["mappings"], &types(), &mut count);
    assert!(count > 50, "{count}");
}

#[test]
fn the_template_takes_our_data_stream() {
    let (template, ilm) = (template("gdprport-index-template"), template("gdprport-ilm"));
    let stream = &document(&samples::events()[0])["data_stream"];
    let part = |name: &str| stream[name].as_str().expect("a text");
    let name = format!("{}-{}-{}", part("type"), part("dataset"), part("namespace"));
    let pattern = template["index_patterns"][0].as_str().expect("a pattern").trim_end_matches('*');
    assert!(name.starts_with(pattern) && template["data_stream"].is_object(), "{name}");
    assert_eq!(template["composed_of"][0], "gdprport-mappings");
    assert_eq!(template["template"]["settings"]["index"]["lifecycle"]["name"], "gdprport");
    assert!(ilm["policy"]["phases"]["hot"]["actions"]["rollover"].is_object());
}
