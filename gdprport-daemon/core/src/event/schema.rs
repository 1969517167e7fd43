//! The JSON Schema of an event, made from the types. The checked-in copy is `docs/schema/event.schema.json`.

use schemars::generate::SchemaSettings;

use super::envelope::Event;

/// The JSON Schema (draft 2020-12) of one event. Unknown fields are allowed everywhere: later minor versions
/// add some.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Event>();
    schema.to_value()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests read files of the checkout")]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::event::{Body, Kind, samples};

    fn line(event: &Event) -> serde_json::Value {
        let line = serde_json::to_vec(event).expect("plain data");
        serde_json::from_slice(&line).expect("valid JSON")
    }

    #[test]
    fn the_checked_in_schema_is_current() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/event.schema.json"));
        let current = serde_json::to_string_pretty(&json_schema()).expect("plain data") + "\n";
        if std::env::var_os("GDPRPORT_BLESS").is_some() {
            fs::write(path, &current).expect("docs/schema is writable");
        }
        let checked_in = fs::read_to_string(path).unwrap_or_default();
        assert!(
            checked_in == current,
            "{} is not current: run the tests with GDPRPORT_BLESS=1",
            path.display()
        );
    }

    #[test]
    fn every_kind_is_valid_and_stays_so_with_fields_added_later() {
        let validator = jsonschema::validator_for(&json_schema()).expect("a valid schema");
        for event in samples::events() {
            let mut value = line(&event);
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", event.body.kind());
            value["later"] = "minor version".into();
            value["host"]["later"] = 1.into();
            assert!(validator.is_valid(&value), "{}", event.body.kind());
        }
    }

    #[test]
    fn an_event_without_one_of_its_required_fields_is_invalid() {
        let validator = jsonschema::validator_for(&json_schema()).expect("a valid schema");
        for event in samples::events() {
            let value = line(&event);
            for key in value.as_object().expect("an object").keys() {
                let optional =
                    matches!(key.as_str(), "peer_process" | "posture" | "accepted" | "overload" | "volume")
                        || (key == "port" && matches!(event.body, Body::Coverage(_)))
                        || (key == "verdict" && matches!(event.body, Body::FlowSummary(_)));
                let mut without = value.clone();
                without.as_object_mut().expect("an object").remove(key);
                assert_eq!(validator.is_valid(&without), optional, "{} without {key}", event.body.kind());
            }
        }
    }

    #[test]
    fn a_kind_cannot_pass_for_another_one() {
        let validator = jsonschema::validator_for(&json_schema()).expect("a valid schema");
        let mut stop = line(&samples::event(Kind::DaemonStop));
        stop["kind"] = "flow.open".into();
        assert!(!validator.is_valid(&stop));
        stop["kind"] = "no.such.kind".into();
        assert!(!validator.is_valid(&stop));
    }

    /// Adds the names of all fields and the values of all enumerations and constants.
    fn names(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
        match schema {
            serde_json::Value::Object(map) => {
                if let Some(properties) = map.get("properties").and_then(serde_json::Value::as_object) {
                    found.extend(properties.keys().cloned());
                }
                let values = map.get("enum").and_then(serde_json::Value::as_array).into_iter().flatten();
                let texts = values.chain(map.get("const")).filter_map(serde_json::Value::as_str);
                found.extend(texts.map(str::to_owned));
                map.values().for_each(|value| names(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_samples_show_every_field_of_a_container() {
        let schema = json_schema();
        let fields = schema["$defs"]["Container"]["properties"].as_object().expect("an object");
        let mut missing: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        for event in samples::events() {
            let value = line(&event);
            for process in ["process", "peer_process"] {
                missing.retain(|field| value[process]["container"].get(field).is_none());
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_reference_names_every_field_kind_and_identifier() {
        let reference = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events.md"));
        let mut expected = BTreeSet::new();
        names(&json_schema(), &mut expected);
        assert!(expected.contains("flow.summary") && expected.contains("undeclared-peer"), "{expected:?}");
        let documented = |name: &str| {
            [format!("`{name}`"), format!(".{name}`"), format!("`{name}.")]
                .iter()
                .any(|form| reference.contains(form))
        };
        let missing: Vec<&String> = expected.iter().filter(|name| !documented(name)).collect();
        assert!(missing.is_empty(), "docs/events.md does not name {missing:?}");
    }
}
