//! The configuration of Splunk: its expressions on our lines.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use gdprport_core::encode::Encoding;
use gdprport_core::event::{Event, samples};
use gdprport_tests::need;
use gdprport_tests::skip::installed;
use serde_json::{Value, json};

use crate::records::{file, record, text};

/// Settings by stanza.
fn stanzas(name: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut current = None;
    for line in text(name).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(stanza) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            assert!(
                all.insert(stanza.to_owned(), BTreeMap::new()).is_none(),
                "{name}: {stanza} stands twice"
            );
            current = Some(stanza.to_owned());
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{name}: {line}"));
        let stanza = all.get_mut(current.as_ref().expect("a stanza comes first")).expect("it was added");
        assert!(stanza.insert(key.to_owned(), value.to_owned()).is_none(), "{name}: {key} stands twice");
    }
    all
}

/// What expressions find in lines: of each, all groups of all matches. Python's expressions are near to Splunk's (PCRE).
fn find(python: &std::path::Path, cases: &[(String, String)]) -> Vec<Vec<Vec<Option<String>>>> {
    const SCRIPT: &str = "import json, re, sys
print(json.dumps([[list(m.groups()) + [m.end()] for m in re.finditer(e, l)] for e, l in json.load(sys.stdin)]))";
    let mut child = Command::new(python)
        .args(["-I", "-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(json!(cases).to_string().as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let found: Vec<Vec<Vec<Value>>> = serde_json::from_slice(&output.stdout).expect("JSON");
    let group = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let all = found.into_iter();
    all.map(|of_case| of_case.into_iter().map(|of_match| of_match.into_iter().map(group).collect()).collect())
        .collect()
}

/// Events, and one whose texts try to be something else.
fn events() -> Vec<Event> {
    let mut events = samples::events();
    let mut hostile = samples::forbidden();
    samples::change_process(&mut hostile, |process| {
        process.exe = Some("/tmp/a rt=1 src=6.6.6.6|b=\\\"time\":\"1".into());
    });
    let body = gdprport_core::event::Body::FlowOpen(Box::new(hostile));
    events.push(samples::stamper().stamp(samples::now(), body));
    events
}

#[test]
fn splunk_takes_time_and_host_from_our_lines() {
    let python = need!(installed(&["/usr/bin/python3"], "python3"));
    let (props, transforms) = (stanzas("splunk/props.conf"), stanzas("splunk/transforms.conf"));
    let settings = &props["gdprport"];
    let host = &transforms[&settings["TRANSFORMS-gdprport"]];
    for event in events() {
        let line = record(Encoding::Native, &event);
        assert!(line.len() < settings["TRUNCATE"].parse().expect("a number"), "{line}");
        let cases = [(settings["TIME_PREFIX"].clone(), line.clone()), (host["REGEX"].clone(), line.clone())];
        let found = find(&python, &cases);
        let begin: usize = found[0][0][0].as_ref().expect("where it ends").parse().expect("a number");
        let length: usize = settings["MAX_TIMESTAMP_LOOKAHEAD"].parse().expect("a number");
        let time: jiff::Timestamp = line[begin..begin + length].parse().expect("a time");
        assert_eq!(time, event.time, "samples have no finer digits");
        assert_eq!(found[1][0][0].as_deref(), Some(&*event.host.name), "{line}");
    }
}

#[test]
fn splunk_reads_every_key_of_our_cef() {
    let python = need!(installed(&["/usr/bin/python3"], "python3"));
    let (props, transforms) = (stanzas("splunk/props.conf"), stanzas("splunk/transforms.conf"));
    let settings = &props["gdprport:cef"];
    for name in settings["REPORT-gdprport"].split(", ") {
        assert!(transforms.contains_key(name), "{name}");
    }
    for event in events() {
        let line = record(Encoding::Cef, &event);
        let cases = [
            (settings["TIME_PREFIX"].clone(), line.clone()),
            (transforms["gdprport_cef_header"]["REGEX"].clone(), line.clone()),
            (transforms["gdprport_cef_extension"]["REGEX"].clone(), line.clone()),
        ];
        let found = find(&python, &cases);
        let begin: usize = found[0][0][0].as_ref().expect("where it ends").parse().expect("a number");
        assert_eq!(line[begin..begin + 13], event.time.as_millisecond().to_string());
        assert_eq!(found[1][0][1].as_deref(), Some(event.body.kind().as_str()));
        let pairs: BTreeMap<&str, &str> = found[2]
            .iter()
            .map(|groups| (groups[0].as_deref().expect("a key"), groups[1].as_deref().expect("a value")))
            .collect();
        assert_eq!(pairs.len(), found[2].len(), "each key once: {line}");
        assert_eq!(pairs["externalId"], event.id.to_string());
        assert!(pairs.contains_key("msg") && pairs["cat"] == event.body.kind().as_str(), "{line}");
        if let Some(flow) = event.body.flow() {
            assert_eq!(pairs["cs5"].replace("\\=", "="), flow.flow.id.to_string());
            assert!(pairs.get("src").is_none_or(|src| *src != "6.6.6.6"), "{line}");
        }
    }
    assert!(file("splunk/props.conf").exists());
}
