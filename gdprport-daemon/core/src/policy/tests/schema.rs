//! The JSON Schema is checked in, current, and agrees with the parser.

#![expect(clippy::disallowed_methods, reason = "tests read files of the checkout")]

use rstest::rstest;
use serde_json::{Value, json};

use super::super::json_schema;
use super::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/policy.schema.json");

#[test]
fn the_checked_in_schema_is_current() {
    let current = serde_json::to_string_pretty(&json_schema()).expect("JSON") + "\n";
    if std::env::var_os("GDPRPORT_BLESS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(FILE).parent().expect("a folder")).expect("the folder");
        std::fs::write(FILE, &current).expect("the schema is written");
    }
    let checked_in = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(checked_in == current, "{FILE} is out of date: run the tests with GDPRPORT_BLESS=1");
}

/// TOML as an editor shows it to the schema: times are texts.
fn as_json(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(time) => json!(time.to_string()),
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::Table(table) => {
                table.into_iter().map(|(key, value)| (key, convert(value))).collect()
            }
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(flag) => json!(flag),
        }
    }
    convert(toml::from_str(text).expect("TOML"))
}

fn accepts(text: &str) -> bool {
    jsonschema::validator_for(&json_schema()).expect("a schema").is_valid(&as_json(text))
}

#[test]
fn the_reference_policy_fits_the_schema() {
    let validator = jsonschema::validator_for(&json_schema()).expect("a schema");
    let errors: Vec<_> =
        validator.iter_errors(&as_json(flows::EXAMPLE)).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
}

#[rstest]
#[case::no_version("")]
#[case::other_version("version = 2")]
#[case::unknown_key("version = 1\nports = []")]
#[case::nameless_port("version = 1\n[[port]]\nport = 1")]
#[case::port_zero("version = 1\n[[port]]\nname = \"x\"\nport = 0")]
#[case::port_as_text("version = 1\n[[port]]\nname = \"x\"\nport = \"http\"")]
#[case::service("version = 1\n[[port]]\nname = \"x\"\nport = 1\nservice = \"remote\"")]
#[case::mode("version = 1\n[[port]]\nname = \"x\"\nport = 1\nmode = \"block\"")]
#[case::on_unknown("version = 1\n[[port]]\nname = \"x\"\nport = 1\nenforce = { on_unknown = \"ask\" }")]
#[case::enforce_key("version = 1\n[[port]]\nname = \"x\"\nport = 1\nenforce = { deny = true }")]
#[case::tls_weak("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { min = \"1.1\" }")]
#[case::tls_number("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { min = 1.3 }")]
#[case::tls_empty("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = {}")]
#[case::tls_text("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = \"1.3\"")]
#[case::tls_required("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { required = true }")]
#[case::tls_contradiction(
    "version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { min = \"1.2\", required = false }"
)]
#[case::tls_without_why("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { required = false }")]
#[case::tls_without_words(
    "version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { required = false, why = \"\" }"
)]
#[case::tls_why_of_nothing("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { why = \"x\" }")]
#[case::tls_why_of_min("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { min = \"1.2\", why = \"x\" }")]
#[case::tls_unknown_key("version = 1\n[[port]]\nname = \"x\"\nport = 1\ntls = { max = \"1.3\" }")]
#[case::protocol("version = 1\n[[port]]\nname = \"x\"\nport = 1\nprotocol = \"http\"")]
#[case::emit("version = 1\n[[port]]\nname = \"x\"\nport = 1\nemit = { every = \"1s\" }")]
#[case::empty_listen("version = 1\n[[port]]\nname = \"x\"\nport = 1\nlisten = []")]
#[case::rule_without_peers(
    "version = 1\n[[port]]\nname = \"x\"\nport = 1\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\""
)]
#[case::process_key(
    "version = 1\n[[port]]\nname = \"x\"\nport = 1\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = \"any\"\n\
     process = { comm = \"x\" }"
)]
#[case::volume(
    "version = 1\n[[port]]\nname = \"x\"\nport = 1\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = \"any\"\n\
     volume = {}"
)]
fn what_the_schema_refuses_the_parser_refuses(#[case] text: &str) {
    assert!(!accepts(text), "the schema accepts it");
    assert!(compile(&[source("policy.toml", text)]).is_err(), "the parser accepts it");
}
