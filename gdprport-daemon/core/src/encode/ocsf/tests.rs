//! Events against the schemas of their classes.

use std::collections::BTreeMap;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use super::ocsf;
use crate::encode::tests::{hostile, strict};
use crate::event::{Event, Kind, samples};
use crate::model::Outcome;

/// A validator for each class.
fn classes() -> BTreeMap<u64, (Value, Validator)> {
    let all: Value = serde_json::from_str(include_str!("testdata/ocsf-1.8.0.json")).expect("JSON");
    let classes = all["classes"].as_object().expect("an object");
    classes
        .iter()
        .map(|(uid, schema)| {
            let mut schema = schema.clone();
            schema["$defs"] = all["$defs"].clone();
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            (uid.parse().expect("a number"), (schema, validator))
        })
        .collect()
}

fn written(event: &Event) -> Value {
    let mut record = Vec::new();
    ocsf(event, &mut record);
    strict::json(&record)
}

/// Attributes that the schema calls deprecated.
fn deprecated(value: &Value, schema: &Value, root: &Value, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => schema,
    };
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let attribute = &schema["properties"][name];
                if attribute["deprecated"] == true {
                    found.push(name.clone());
                }
                deprecated(value, attribute, root, found);
            }
        }
        Value::Array(values) => {
            values.iter().for_each(|value| deprecated(value, &schema["items"], root, found));
        }
        _ => {}
    }
}

fn valid(events: &[Event], classes: &BTreeMap<u64, (Value, Validator)>) {
    for event in events {
        let value = written(event);
        let class = value["class_uid"].as_u64().expect("a number");
        let (schema, validator) = &classes[&class];
        let mut problems: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        deprecated(&value, schema, schema, &mut problems);
        assert!(problems.is_empty(), "{}: {problems:#?}\n{value:#}", event.body.kind());
        let activity = value["activity_id"].as_u64().expect("a number");
        assert_eq!(value["type_uid"], class * 100 + activity, "type_uid = class_uid × 100 + activity_id");
    }
}

#[test]
fn every_event_is_valid_by_the_schema_of_its_class() {
    let classes = classes();
    valid(&hostile::events(), &classes);
    valid(&hostile::with_text(hostile::NASTY), &classes);
    valid(&hostile::with_text(""), &classes);
    valid(&hostile::with_extremes(), &classes);
}

#[test]
fn the_schema_refuses_what_it_does_not_know() {
    let classes = classes();
    let mut value = written(&samples::event(Kind::FlowOpen));
    let (_, validator) = &classes[&4001];
    assert!(validator.is_valid(&value));
    value["connection_info"]["colour"] = "red".into();
    assert!(!validator.is_valid(&value));
}

#[test]
fn totals_are_cumulative_and_out_is_from_the_source() {
    let event = samples::event(Kind::FlowClose);
    let value = written(&event);
    let flow = &event.body.flow().expect("a flow").flow;
    assert_eq!(value.get("traffic"), None, "nothing is known of what was new");
    // Accepted here: the source is the peer.
    assert_eq!(value["cumulative_traffic"]["bytes_out"], flow.bytes_received.expect("known"));
    assert_eq!(value["cumulative_traffic"]["bytes_in"], flow.bytes_sent.expect("known"));
    assert_eq!(value["observation_point_id"], 2);
    assert_eq!(value["connection_info"]["community_uid"], flow.id.to_string());
}

#[test]
fn violations_of_one_flow_are_one_finding() {
    let violation = written(&samples::event(Kind::Violation));
    let again = written(&samples::event(Kind::Violation));
    assert_eq!(violation["finding_info"]["uid"], again["finding_info"]["uid"]);
    assert_eq!(violation["disposition_id"], 15);
    assert_eq!(violation["is_alert"], true);
    assert_eq!(written(&samples::event(Kind::FlowOpen))["disposition_id"], 17);
}

#[test]
fn what_the_policy_denied_was_blocked() {
    let denied =
        |event: &&Event| event.body.flow().is_some_and(|event| event.flow.outcome == Outcome::DeniedByPolicy);
    let events = samples::events();
    let blocked: Vec<_> = events.iter().filter(denied).map(written).collect();
    assert!(blocked.len() > 1, "an attempt and its violation");
    for event in blocked {
        assert_eq!((&event["action_id"], &event["disposition_id"]), (&2.into(), &2.into()), "{event}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_gives_a_valid_event(text in hostile::text()) {
        valid(&hostile::with_text(&text), &classes());
    }
}
