//! Findings of audits come, change, go and come back.

use std::sync::mpsc::channel;

use gdprport_core::audit::{Change, Evidence, Finding, FindingId, Judged, Severity, Subject};

use super::super::Ledger;
use super::scene::{Scene, finish};

fn finding(fingerprint: &str, severity: Severity, flows: u64) -> Finding {
    Finding {
        id: FindingId::UnusedRule,
        severity,
        fingerprint: fingerprint.into(),
        subject: Subject::default(),
        message: "a rule allowed nothing".into(),
        evidence: vec![Evidence { what: "flows".into(), value: flows.to_string() }],
        place: None,
        proposal: None,
        accepted: None,
        known_since: None,
    }
}

fn record(ledger: &Ledger, findings: Vec<Finding>) -> Vec<(Change, String)> {
    record_judged(ledger, findings, &FindingId::ALL, true)
}

fn record_judged(
    ledger: &Ledger,
    findings: Vec<Finding>,
    ids: &[FindingId],
    watched: bool,
) -> Vec<(Change, String)> {
    let (sender, receiver) = channel();
    ledger.record(findings, Judged { ids: ids.to_vec(), watched }, move |changes| drop(sender.send(changes)));
    let changes = receiver.recv().expect("an answer").expect("stored");
    changes.iter().map(|change| (change.change, change.finding.fingerprint.to_string())).collect()
}

#[test]
fn findings_come_change_go_and_come_back() {
    let scene = Scene::new();
    let ledger = scene.open();
    let is = |change, fingerprint: &str| (change, fingerprint.to_owned());
    let (low, high) = (Severity::Low, Severity::High);
    let both = |flows| vec![finding("a", low, flows), finding("b", low, flows)];
    assert_eq!(record(&ledger, both(1)), [is(Change::New, "a"), is(Change::New, "b")]);
    assert_eq!(record(&ledger, both(2)), [], "counts grow");
    assert_eq!(
        record(&ledger, vec![finding("a", high, 2)]),
        [is(Change::Changed, "a"), is(Change::Settled, "b")]
    );
    assert_eq!(record(&ledger, vec![finding("a", high, 2)]), []);
    assert_eq!(
        record(&ledger, vec![finding("b", low, 1), finding("b", high, 1)]),
        [is(Change::Reopened, "b"), is(Change::Settled, "a")],
        "of the same fingerprint the first counts"
    );
    finish(ledger);
    let stored = scene.reader().findings().expect("an answer");
    let history: Vec<_> = stored
        .iter()
        .map(|stored| stored.history.iter().map(|event| &*event.change).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(history, ["new changed settled", "new settled reopened"]);
    assert!(stored[0].settled.is_some() && stored[1].settled.is_none());
    assert!(stored[1].since <= stored[1].judged);
}

#[test]
fn what_was_not_judged_is_not_settled() {
    let scene = Scene::new();
    let ledger = scene.open();
    let other = Finding { id: FindingId::PlaintextSeen, ..finding("b", Severity::High, 1) };
    let mut shadow = Finding { id: FindingId::ShadowService, ..finding("c", Severity::Low, 1) };
    shadow.evidence = vec![Evidence { what: "known by".into(), value: "first bytes".to_owned() }];
    record(&ledger, vec![finding("a", Severity::Low, 1), other, shadow]);
    assert_eq!(record_judged(&ledger, Vec::new(), &[], true), []);
    let ids = [FindingId::PlaintextSeen, FindingId::ShadowService];
    let settled = |fingerprint: &str| [(Change::Settled, fingerprint.to_owned())];
    assert_eq!(record_judged(&ledger, Vec::new(), &ids, false), settled("b"));
    assert_eq!(record_judged(&ledger, Vec::new(), &ids, true), settled("c"), "first bytes were looked at");
    assert_eq!(record(&ledger, Vec::new()), settled("a"));
    finish(ledger);
}
