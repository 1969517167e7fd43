//! What is handed over to be recorded, and what is refused.

use crate::audit::{
    Audit, Evidence, Finding, FindingId, Judged, MAX_FINDINGS, NotJudged, Recording, Severity, is_changed,
};
use crate::event::samples;
use crate::event::samples::findings::finding;

fn audit(findings: Vec<Finding>, not_judged: Vec<NotJudged>) -> Audit {
    Audit {
        at: samples::now(),
        since: None,
        host: "db-1".into(),
        policy: Some("sha256:3f1c".into()),
        findings,
        accepted: vec![finding()],
        not_judged,
    }
}

fn refused(change: impl FnOnce(&mut Recording)) -> String {
    let mut recording = Recording::of(&audit(vec![finding()], Vec::new()), false);
    change(&mut recording);
    let json = serde_json::to_vec(&recording).expect("plain data");
    Recording::parse(&json).expect_err("nonsense")
}

#[test]
fn a_recording_has_what_is_accepted_and_what_was_judged() {
    let not_judged =
        vec![NotJudged { ids: vec![FindingId::UnusedRule], partly: false, why: "no ledger".to_owned() }];
    let recording = Recording::of(&audit(Vec::new(), not_judged), false);
    assert_eq!(recording.findings, [finding()]);
    assert_eq!(recording.judged.ids.len(), FindingId::ALL.len() - 1);
    assert!(recording.judged.covers(&finding()));
    assert!(!recording.judged.covers(&Finding { id: FindingId::UnusedRule, ..finding() }));
    let json = serde_json::to_vec(&recording).expect("plain data");
    assert_eq!(Recording::parse(&json), Ok(recording));
}

#[test]
fn what_only_watching_shows_is_judged_by_watching() {
    let mut shadow = Finding { id: FindingId::ShadowService, ..finding() };
    shadow.evidence = vec![Evidence { what: "known by".into(), value: "first bytes".to_owned() }];
    let judged = |watched| Judged { ids: vec![FindingId::ShadowService], watched };
    assert!(!judged(false).covers(&shadow) && judged(true).covers(&shadow));
    shadow.evidence[0].value = "executable, first bytes".to_owned();
    assert!(judged(false).covers(&shadow), "its executable says it too");
}

#[test]
fn nonsense_is_refused_by_name() {
    let long = || "x".repeat(9_000);
    let of = |n: usize| vec![finding(); n];
    assert!(refused(|all| all.findings = of(MAX_FINDINGS + 1)).contains("too many"));
    assert!(refused(|all| all.judged.ids = [FindingId::ALL, FindingId::ALL].concat()).contains("twice"));
    assert!(refused(|all| all.policy = Some(long().into())).contains("digest"));
    assert!(refused(|all| all.findings[1].id = FindingId::UnusedRule).contains("finding 2: its fingerprint"));
    assert!(refused(|all| all.findings[0].message = long()).contains("finding 1: a text"));
    let evidence = Evidence { what: "flows".into(), value: "1".to_owned() };
    assert!(refused(|all| all.findings[0].evidence = vec![evidence; 65]).contains("evidence"));
    let tables = |all: &mut Recording| {
        all.findings[0].proposal.as_mut().expect("the sample has one").toml = Some("#".repeat(300_000));
    };
    assert!(refused(tables).contains("proposal"));
    for wrong in ["", "[]", "{}", r#"{"judged":{"ids":["no-such"]},"findings":[]}"#] {
        assert!(Recording::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let unknown = r#"{"judged":{"ids":[]},"findings":[],"later":1}"#;
    assert!(Recording::parse(unknown.as_bytes()).expect_err("unknown").contains("later"));
}

#[test]
fn counts_and_sentences_that_grow_are_no_change() {
    let before = finding();
    let mut now = Finding { message: "13 flows of customers-db were not encrypted".to_owned(), ..finding() };
    now.evidence[0].value = "13".to_owned();
    now.place = None;
    assert!(!is_changed(&before, &now));
    let steady = |value: &str| {
        let what = "bound to".into();
        Finding { evidence: vec![Evidence { what, value: value.to_owned() }], ..finding() }
    };
    assert!(is_changed(&steady("127.0.0.1:5433"), &steady("0.0.0.0:5433")));
    assert!(is_changed(&before, &steady("127.0.0.1:5433")), "another kind");
    assert!(is_changed(&before, &Finding { accepted: None, ..finding() }));
    assert!(is_changed(&before, &Finding { severity: Severity::Low, ..finding() }));
}
