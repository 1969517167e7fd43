//! The record for programs.

#![expect(clippy::disallowed_methods, reason = "tests read files of the checkout")]

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema");

fn records() -> Records {
    let rows = numbered(vec![
        edge(("db", 5432, true), "10.0.2.7/32", by("apps"), PostureState::Tls13),
        edge(("db", 5432, true), "198.51.100.7/32", violation(), PostureState::Plaintext),
        edge(("redis", 6379, false), "::1/128", violation(), PostureState::Unknown),
    ]);
    gathered(&observed(), &rows)
}

#[test]
fn the_schemas_of_records_are_checked_in_and_current() {
    for (name, schema) in [("record", json_schema()), ("own-record", Own::json_schema())] {
        let file = format!("{FOLDER}/{name}.schema.json");
        let current = serde_json::to_string_pretty(&schema).expect("plain data") + "\n";
        if std::env::var_os("GDPRPORT_BLESS").is_some() {
            std::fs::write(&file, &current).expect("docs/schema is writable");
        }
        let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(checked_in == current, "{file} is not current: run the tests with GDPRPORT_BLESS=1");
    }
}

fn own(controller: Option<crate::policy::Controller>) -> Own {
    Own {
        format: Own::FORMAT,
        host: "db-1".into(),
        version: "0.1.0".into(),
        made: about().made,
        configured: true,
        controller,
        peers: ShownAs::Pseudonyms,
        users: ShownAs::AsIs,
        ledger: Some(KeptFor { seconds: 34_560_000, bytes: 268_435_456 }),
        spool: None,
        evidence: Some(KeptLog { path: "/data/log".to_owned(), seconds: 7_776_000, bytes: 1 << 30 }),
        file: None,
        journald: true,
        receivers: vec![
            OwnReceiver {
                name: Some("siem".into()),
                to: Some(SentTo { kind: "syslog", place: "siem.example.org:6514".to_owned() }),
            },
            OwnReceiver { name: None, to: None },
        ],
        metrics: false,
    }
}

#[test]
fn the_monitors_own_record_is_valid_by_its_schema() {
    let validator = jsonschema::validator_for(&Own::json_schema()).expect("a valid schema");
    for controller in [None, policy(POLICY).controller] {
        let value = serde_json::to_value(own(controller)).expect("plain data");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert_eq!(value["ledger"]["seconds"], 34_560_000);
        assert_eq!(value["evidence"]["seconds"], 7_776_000);
        assert!(!value.to_string().contains("countries"), "a path of the host is no part of a record");
    }
}

#[test]
fn a_record_is_valid_by_its_schema() {
    let validator = jsonschema::validator_for(&json_schema()).expect("a valid schema");
    for records in [records(), gather(About { policy: None, ..about() }, None, None, &|_| None)] {
        let value = serde_json::to_value(Document::of(&records)).expect("plain data");
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn a_program_tells_declared_from_observed() {
    let value = serde_json::to_value(Document::of(&records())).expect("plain data");
    let db = &value["activities"][0];
    assert_eq!(db["declared"]["record"]["purpose"], "order fulfilment");
    assert_eq!(db["declared"]["record"]["subjects"], serde_json::Value::Null, "not declared");
    assert_eq!(db["declared"]["record"]["recipients"], serde_json::json!([]), "declared to be none");
    assert_eq!(db["observed"]["all"]["rows"], serde_json::json!([1, 2]));
    assert_eq!(value["undeclared"][0]["declared"], serde_json::Value::Null);
    assert_eq!(value["activities"][1]["observed"]["all"], serde_json::Value::Null);
    let text = value.to_string();
    assert!(!text.contains("countries"), "a path of the host is no part of a record");
}

/// What may be moved is declared, what was moved is observed; names of other ends are declared.
#[test]
fn a_program_reads_limits_and_names_where_they_were_declared() {
    let text = "version = 1\n[peers]\nweb = [\"10.0.2.0/24\", \"db1.\"]\n[[port]]\nname = \"db\"\nport = 5432\n[[port.allow]]\n\
        role = \"apps\"\ndirection = \"in\"\npeers = [\"web\"]\nvolume = { per = \"1d\", max = \"1KiB\" }\n";
    let volume = crate::ledger::VolumeHour {
        hour: at("2026-11-28T08:00:00Z"),
        port: Arc::new(PortKey { name: "db".into(), number: 5432, declared: true }),
        direction: Direction::In,
        rule: Some("apps".into()),
        flows: 3,
        bytes_sent: 2_000,
        bytes_received: 48,
    };
    let observed = Observed { volume: vec![volume], ..observed() };
    let records =
        gather(about(), Some(&policy(text)), Some(Past { observed: &observed, rows: &[] }), &|_| None);
    let value = serde_json::to_value(Document::of(&records)).expect("plain data");
    let db = &value["activities"][0];
    assert_eq!(db["declared"]["rules"][0]["volume"], serde_json::json!({ "per": "1d", "max": 1_024 }));
    let most = serde_json::json!({
        "bytes": 2_048, "bound": "at-least", "from": "2026-11-28T00:00:00Z", "to": "2026-11-29T00:00:00Z", "windows": 1, "beyond": 1
    });
    assert_eq!(db["observed"]["rules"][0]["most"], most);
    let names = serde_json::json!([{ "name": "web", "peers": ["10.0.2.0/24", "db1."] }]);
    assert_eq!(value["named_peers"], names);
}
