//! The schemas of what reports write for programs, as `docs/schema/` has them, and that what is written is valid by them.
//!
//! Does not belong here: those of the record itself, which are `gdprport_core::records`'s.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema");

fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

/// Compares the schema with the one of `docs/schema/`, and a file with it.
pub(super) fn holds<T: JsonSchema>(name: &str, written: &str) {
    let schema = schema::<T>();
    let file = format!("{FOLDER}/{name}.schema.json");
    let current = serde_json::to_string_pretty(&schema).expect("plain data") + "\n";
    if std::env::var_os("GDPRPORT_BLESS").is_some() {
        std::fs::write(&file, &current).expect("docs/schema is writable");
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(checked_in == current, "{file} is not current: run the tests with GDPRPORT_BLESS=1");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let value: Value = serde_json::from_str(written).expect("JSON");
    let errors: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}
