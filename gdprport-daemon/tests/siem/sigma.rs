//! The Sigma rules: sound by Sigma's own checks, and true of our events.

use std::io::Write as _;
use std::process::{Command, Stdio};

use gdprport_core::event::{Body, Event, Kind, Violation, samples};
use gdprport_core::verdict::ReasonId;
use gdprport_tests::need;
use gdprport_tests::receivers::provided;
use serde_json::json;

use crate::records::{document, file, run, violation};

/// The rules that an event has to be found by.
fn expected(event: &Event) -> Vec<&'static str> {
    match &event.body {
        Body::Violation(violation) if event.body.accepted().is_none() => {
            let verdict = match &**violation {
                Violation::Flow(flow) => &*flow.verdict,
                Violation::Listener(listener) => &listener.verdict,
            };
            let rules: std::collections::BTreeSet<_> =
                verdict.reasons().iter().filter_map(|reason| rule(reason.id)).collect();
            rules.into_iter().collect()
        }
        Body::Coverage(event) if event.coverage.lost() > 0 || !event.coverage.gaps.is_empty() => {
            vec!["sensor-blind"]
        }
        Body::SinkLost(_) => vec!["sensor-blind"],
        Body::DaemonStop(event) if !event.daemon.kept => vec!["sensor-blind"],
        _ => Vec::new(),
    }
}

/// The rule for a reason; a port that nobody declared and a rule that has ended are for audits.
fn rule(id: ReasonId) -> Option<&'static str> {
    match id {
        ReasonId::UndeclaredProcess | ReasonId::Unattributable => Some("undeclared-process"),
        ReasonId::UndeclaredPeer | ReasonId::UndeclaredDirection => Some("undeclared-peer"),
        ReasonId::Plaintext | ReasonId::WeakTls | ReasonId::TlsRefused | ReasonId::NotTls => {
            Some("not-encrypted")
        }
        ReasonId::ExposedListener | ReasonId::UndeclaredListener => Some("exposed-listener"),
        ReasonId::VolumeExceeded => Some("volume-exceeded"),
        ReasonId::UndeclaredPort | ReasonId::RuleExpired => None,
    }
}

#[test]
fn sigma_accepts_the_rules() {
    let sigma = need!(provided("venv/bin/sigma"));
    let checks = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/siem/sigma-checks.yml");
    let said = run(Command::new(sigma)
        .args(["check", "--fail-on-issues", "--validation-config", checks])
        .arg(file("sigma")));
    assert!(said.contains("Found 0 errors, 0 condition errors and 0 issues"), "{said}");
}

#[test]
fn each_rule_finds_its_violation_and_nothing_declared() {
    let python = need!(provided("venv/bin/python"));
    let mut stopped = samples::event(Kind::DaemonStop);
    let Body::DaemonStop(stop) = &mut stopped.body else { panic!("asked for a daemon.stop") };
    stop.daemon.kept = false;
    let made = ReasonId::ALL.into_iter().map(violation).chain([stopped]);
    let events: Vec<Event> = samples::events().into_iter().chain(made).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/siem/sigma.py");
    let mut child = Command::new(python)
        .arg("-I")
        .arg(script)
        .arg(file("sigma"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut cases = String::new();
    for event in &events {
        cases += &json!({ "document": document(event), "rules": expected(event) }).to_string();
        cases.push('\n');
    }
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(cases.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("6 rules"), "{said}");
    for name in [
        "undeclared-process",
        "undeclared-peer",
        "not-encrypted",
        "exposed-listener",
        "volume-exceeded",
        "sensor-blind",
    ] {
        assert!(events.iter().any(|event| expected(event).contains(&name)), "nothing is expected of {name}");
    }
}
