//! Promises of the forms for other tools. That the tools' own libraries read them is promised in the end-to-end tests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::record::samples::{EVIL, hostile, nothing, records};
use super::super::samples::written;
use super::super::words::Lang;
use gdprport_core::records::Records;

/// Terms of other vocabularies, by name.
const TERMS: &str = include_str!("dpv-terms.txt");

fn dpv(records: &Records, lang: Lang) -> String {
    written(|out| super::dpv(records, lang, out))
}

fn fides(records: &Records) -> String {
    written(|out| super::fides(records, out))
}

fn linked(records: &Records) -> Value {
    serde_json::from_str(&dpv(records, Lang::En)).expect("JSON")
}

/// Every key of every object, and every text.
fn walk<'v>(value: &'v Value, keys: &mut BTreeSet<&'v str>, texts: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                keys.insert(key);
                walk(value, keys, texts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, keys, texts)),
        Value::String(text) => {
            texts.insert(text);
        }
        _ => {}
    }
}

fn graph(document: &Value) -> &[Value] {
    document["@graph"].as_array().expect("a graph")
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    assert_eq!(fides(&records()), fides(&records()));
    assert_eq!(dpv(&records(), Lang::De), dpv(&records(), Lang::De));
}

/// A term that a vocabulary does not have would be read as nothing.
#[test]
fn every_term_is_one_that_the_vocabulary_has() {
    let known: BTreeSet<&str> = TERMS.lines().filter(|line| !line.starts_with('#')).collect();
    let others = ["dct:", "dcat:", "prov:", "gdprport:", "@", "xsd:"];
    for records in [records(), hostile(), nothing()] {
        let document = linked(&records);
        let (mut keys, mut texts) = (BTreeSet::new(), BTreeSet::new());
        walk(&document["@graph"], &mut keys, &mut texts);
        let terms = texts
            .into_iter()
            .filter(|text| ["dpv:", "eu-gdpr:", "dpcat:"].iter().any(|of| text.starts_with(of)));
        for term in keys.into_iter().chain(terms) {
            assert!(known.contains(term) || others.iter().any(|of| term.starts_with(of)), "{term}");
        }
    }
}

/// What was observed is in the graph of that name, and what is declared is not.
#[test]
fn linked_data_keeps_declared_and_observed_apart() {
    let document = linked(&records());
    let (seen, declared): (Vec<&Value>, Vec<&Value>) =
        graph(&document).iter().partition(|node| node["@graph"].is_array());
    let [seen] = seen.as_slice() else { panic!("one graph of what was observed: {seen:?}") };
    let (mut keys, mut texts) = (BTreeSet::new(), BTreeSet::new());
    walk(&seen["@graph"], &mut keys, &mut texts);
    assert!(keys.contains("gdprport:connections") && keys.contains("gdprport:ledger_rows"), "{keys:?}");
    assert!(!keys.contains("dpv:hasPurpose") && !texts.contains("order fulfilment"), "{texts:?}");
    let (mut keys, mut texts) = (BTreeSet::new(), BTreeSet::new());
    declared.into_iter().for_each(|node| walk(node, &mut keys, &mut texts));
    assert!(keys.contains("dpv:hasPurpose") && texts.contains("order fulfilment"), "{keys:?}");
    assert!(!keys.contains("gdprport:connections") && !texts.contains("198.51.100.0/24"), "{keys:?}");
}

#[test]
fn only_what_is_known_to_be_encrypted_is_a_measure() {
    let document = linked(&records());
    let seen = graph(&document).iter().find(|node| node["@graph"].is_array()).expect("what was observed");
    let first = &seen["@graph"][0];
    let of = |key: &str| {
        first[key]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| it["gdprport:state"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("dpv:hasTechnicalMeasure"), ["tls1.3", "starttls-upgraded"]);
    assert_eq!(of("gdprport:notEncrypted"), ["plaintext", "unknown"]);
}

#[test]
fn a_processor_processes_for_the_named_controllers() {
    let document = linked(&records());
    let mail = graph(&document).iter().find(|node| node["dct:title"] == "shop-mail").expect("declared");
    assert_eq!(mail["dpv:hasDataController"][0]["dpv:hasName"], "Shop AG");
    let operator = mail["dpv:hasDataProcessor"].as_str().expect("the operator");
    assert!(
        graph(&document).iter().any(|node| node["@id"] == operator && node["dpv:hasName"] == "Example GmbH")
    );
    assert!(fides(&records()).contains("responsibility:\n      - \"Processor\""));
}

#[test]
fn names_of_attackers_are_texts_and_nothing_else() {
    let plain = linked(&records());
    let evil = linked(&hostile());
    let keys = |value| {
        let (mut keys, mut texts) = (BTreeSet::new(), BTreeSet::new());
        walk(value, &mut keys, &mut texts);
        // A country is in the hostile record only.
        let keys = keys.into_iter().filter(|key| *key != "gdprport:country");
        keys.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(keys(&plain), keys(&evil), "no key comes from outside");
    let (mut all, mut texts) = (BTreeSet::new(), BTreeSet::new());
    walk(&evil, &mut all, &mut texts);
    for id in texts.iter().filter(|text| text.starts_with("urn:gdprport:host:")) {
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:%".contains(&byte)), "{id}");
    }
    let manifest = fides(&hostile());
    for line in manifest.lines().filter(|line| !line.starts_with('#')) {
        let begin = line.trim_start().trim_start_matches("- ");
        let key = begin.split([':', ' ']).next().unwrap_or_default();
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let is_value = ["-", "\""].iter().any(|sign| begin.starts_with(sign)) || begin.parse::<u64>().is_ok();
        assert!(is_key || is_value, "{line}");
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
    }
    assert!(EVIL.contains('\u{1b}') && manifest.contains("\\U0000001b"), "it stands there as text");
}

#[test]
fn what_nobody_declared_is_not_in_a_manifest() {
    let manifest = fides(&records());
    let mail = manifest.split("shop-mail on db-1").nth(1).expect("a system");
    for absent in
        ["legal_basis_for_processing", "does_international_transfers", "processes_special_category_data"]
    {
        assert!(!mail.contains(absent), "{absent}: {mail}");
    }
    let redis = manifest.split("not-declared.redis.6379\"").nth(1).expect("a system");
    assert!(redis.contains("privacy_declarations: []") && redis.contains("- \"not-declared\""), "{redis}");
    assert!(!fides(&nothing()).contains("fides_key"), "nothing is declared and nothing was seen");
}

#[test]
fn what_has_the_same_name_is_numbered() {
    let values = vec![
        serde_json::json!({ "@id": "a" }),
        serde_json::json!({ "@id": "a" }),
        serde_json::json!({ "@id": "a:2" }),
    ];
    let mut unique = super::seen::Unique::new("@id", ":");
    let values: Vec<Value> = values.into_iter().map(|value| unique.named(value)).collect();
    let names: Vec<&str> = values.iter().filter_map(|value| value["@id"].as_str()).collect();
    assert_eq!(names, ["a", "a:2", "a:2:2"]);
}

/// Two names that differ have two keys.
#[test]
fn every_system_has_a_key_of_its_own() {
    for records in [records(), hostile()] {
        let manifest = fides(&records);
        let systems = manifest.split("\nsystem:\n").nth(1).expect("systems");
        let keys: Vec<&str> =
            systems.lines().filter_map(|line| line.strip_prefix("    fides_key: ")).collect();
        let different: BTreeSet<&str> = keys.iter().copied().collect();
        assert_eq!(keys.len(), different.len(), "{keys:?}");
        assert!(keys.iter().all(|key| key.len() <= 256), "{keys:?}");
    }
}
