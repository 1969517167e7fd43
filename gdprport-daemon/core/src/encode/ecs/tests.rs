//! Documents against the field list of ECS.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::ecs;
use crate::encode::tests::{hostile, strict};
use crate::event::{Event, samples};

struct Field {
    kind: &'static str,
    array: bool,
    allowed: Vec<&'static str>,
}

/// Fields by name; `event.category=X` has the types that are expected with it.
fn fields() -> BTreeMap<&'static str, Field> {
    let list = include_str!("testdata/ecs-9.4.0.tsv");
    let rows = list.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut cells = line.split('\t');
        let name = cells.next().expect("a name");
        let kind = cells.next().expect("a type");
        let array = cells.next() == Some("array");
        let allowed = cells.next().map(|list| list.split(',').collect()).unwrap_or_default();
        (name, Field { kind, array, allowed })
    });
    rows.collect()
}

fn document(event: &Event) -> Value {
    let mut record = Vec::new();
    ecs(event, &mut record);
    strict::json(&record)
}

/// Problems of the values under a name.
fn check(name: &str, value: &Value, fields: &BTreeMap<&str, Field>, problems: &mut Vec<String>) {
    if name == "gdprport" || name.starts_with("gdprport.") {
        return;
    }
    let Some(field) = fields.get(name) else {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    check(&name, value, fields, problems);
                }
            }
            _ => problems.push(format!("{name} is no field of ECS")),
        }
        return;
    };
    let values = match value {
        Value::Array(values) if field.array => values.clone(),
        _ if field.array => return problems.push(format!("{name} has to be an array")),
        value => vec![value.clone()],
    };
    for value in values {
        let text = value.as_str();
        let fits = match field.kind {
            "keyword" | "constant_keyword" | "match_only_text" => text.is_some(),
            "long" => value.as_u64().is_some() || value.as_i64().is_some(),
            "ip" => text.is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            "date" => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            "object" => value.is_object(),
            _ => false,
        };
        if !fits {
            problems.push(format!("{name} is no {}: {value}", field.kind));
        }
        if !field.allowed.is_empty() && text.is_none_or(|text| !field.allowed.contains(&text)) {
            problems.push(format!("{name} must not be {value}"));
        }
    }
}

fn valid(events: &[Event]) {
    let fields = fields();
    for event in events {
        let document = document(event);
        let mut problems = Vec::new();
        check("", &document, &fields, &mut problems);
        let texts = |name: &str| -> Vec<String> {
            let values = document["event"][name].as_array().expect("an array");
            values.iter().map(|value| value.as_str().expect("a text").to_owned()).collect()
        };
        for category in texts("category") {
            let expected = &fields[&*format!("event.category={category}")].allowed;
            for kind in texts("type").iter().filter(|kind| !expected.contains(&&***kind)) {
                problems.push(format!("event.type {kind} is not expected with {category}"));
            }
        }
        assert!(problems.is_empty(), "{}: {problems:#?}\n{document:#}", event.body.kind());
    }
}

#[test]
fn every_field_is_one_of_ecs_or_our_own() {
    valid(&hostile::events());
    valid(&hostile::with_text(hostile::NASTY));
    valid(&hostile::with_text(""));
    valid(&hostile::with_extremes());
}

#[test]
fn bytes_and_ends_are_by_who_connected() {
    let event = samples::event(crate::event::Kind::FlowClose);
    let document = document(&event);
    let flow = &event.body.flow().expect("a flow").flow;
    assert_eq!(document["network"]["direction"], "ingress");
    assert_eq!(document["source"]["ip"], flow.peer.ip.to_string());
    assert_eq!(document["source"]["bytes"], flow.bytes_received.expect("known"));
    assert_eq!(document["destination"]["bytes"], flow.bytes_sent.expect("known"));
    assert_eq!(document["network"]["community_id"], flow.id.to_string());
}

/// In Elasticsearch `app` and `app.kubernetes.io/name` could not both be fields.
#[test]
fn no_name_of_a_field_has_a_dot() {
    fn names(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.keys().cloned());
                map.values().for_each(|value| names(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    for event in hostile::events().iter().chain(&hostile::with_text(".")).chain(&hostile::with_text("  ")) {
        let mut found = BTreeSet::new();
        names(&document(event), &mut found);
        assert!(found.iter().all(|name| !name.contains('.') && !name.trim().is_empty()), "{found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_gives_a_valid_document(text in hostile::text()) {
        valid(&hostile::with_text(&text));
    }
}
