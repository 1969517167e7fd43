//! The JSON Schema of the policy file, for editors and other tools.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::file::RawPolicy;

/// The JSON Schema (draft 2020-12) of one policy file. It accepts what the parser accepts in one file, but for what
/// only all files together show (references, clashes, bounds).
#[must_use]
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<RawPolicy>();
    schema.insert("title".to_owned(), "gdprport policy".into());
    schema.to_value()
}

/// TOML has no null: a key that is optional is left out.
fn without_null(schema: &mut Schema) {
    let null = Value::from("null");
    let mut only = None;
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [one] = &types[..] {
            only = Some(one.clone());
        }
    }
    if let Some(one) = only {
        schema.insert("type".to_owned(), one);
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let mut only = None;
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| one.get("type") != Some(&null));
        if let [one] = &any[..] {
            only = Some(one.clone());
        }
    }
    if let Some(Value::Object(one)) = only {
        schema.remove("anyOf");
        for (key, value) in one {
            schema.insert(key, value);
        }
    }
}
