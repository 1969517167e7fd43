//! Promises of what there is for controls, as tests.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::audit::Audit;
use crate::ledger::Observed;
use crate::pack::{Handed, LogPart};
use crate::records::{About, Past, Records, gather};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    at("2026-11-29T12:00:00Z")
}

fn audit() -> Audit {
    Audit {
        at: now(),
        since: None,
        host: "db-1".into(),
        policy: None,
        findings: Vec::new(),
        accepted: Vec::new(),
        not_judged: Vec::new(),
    }
}

fn observed() -> Observed {
    Observed {
        from: at("2026-11-26T12:00:00Z"),
        to: now(),
        edges: Vec::new(),
        listeners: Vec::new(),
        coverage: Vec::new(),
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    }
}

fn records(observed: Option<&Observed>) -> Records {
    let about = About {
        host: "db-1".into(),
        version: "0.1.0".into(),
        made: now(),
        asked: at("2026-08-31T12:00:00Z"),
        from: at("2026-11-26T12:00:00Z"),
        to: now(),
        policy: None,
        pseudonyms: false,
        no_ledger: observed.is_none().then(|| "there is none".into()),
    };
    gather(about, None, observed.map(|observed| Past { observed, rows: &[] }), &|_| None)
}

fn facts<'a>(
    records: &'a Records,
    observed: Option<&'a Observed>,
    span: Option<LedgerSpan>,
    audit: &'a Audit,
) -> Facts<'a> {
    Facts { records, observed, rows: &[], span, versions: &[], audit, log: None, is_signed: false }
}

#[test]
fn without_a_ledger_and_a_policy_there_is_nothing() {
    let (records, audit) = (records(None), audit());
    for framework in answers(&Framework::ALL, &facts(&records, None, None, &audit)) {
        for of in &framework.controls {
            let answer = &of.answer;
            assert_eq!(answer.standing(), Standing::Nothing, "{}: {answer:?}", of.control.number);
            assert!(!answer.lacks.is_empty(), "{}: it says why", of.control.number);
        }
    }
}

#[test]
fn a_ledger_of_three_days_is_nothing_for_twelve_months() {
    let (observed, audit) = (observed(), audit());
    let records = records(Some(&observed));
    let of = |days: i64| {
        let begin = now().checked_sub(SignedDuration::from_hours(24 * days)).expect("in range");
        let span = Some(LedgerSpan { begin, end: now() });
        let pci = answers(&[Framework::Pci], &facts(&records, Some(&observed), span, &audit));
        let found = pci[0].controls.iter().find(|of| of.control.number == "10.5.1").cloned();
        found.expect("it is one of ours").answer
    };
    assert_eq!(of(3).standing(), Standing::Nothing);
    assert!(of(3).lacks[0].contains("3 days"), "{:?}", of(3));
    assert_eq!(of(400).standing(), Standing::InPart);
}

#[test]
fn what_was_not_watched_is_no_evidence_of_anything() {
    let (observed, audit) = (observed(), audit());
    let records = records(Some(&observed));
    for framework in answers(&Framework::ALL, &facts(&records, Some(&observed), None, &audit)) {
        for of in &framework.controls {
            assert_eq!(of.answer.standing(), Standing::Nothing, "{}: {:?}", of.control.number, of.answer);
        }
    }
}

#[test]
fn a_log_of_checkpoints_is_evidence_only_where_it_has_some() {
    let (observed, audit) = (observed(), audit());
    let records = records(Some(&observed));
    let standing = |log: Option<&LogPart>, number: &str| {
        let facts = Facts { log, ..facts(&records, Some(&observed), None, &audit) };
        let pci = answers(&[Framework::Pci], &facts);
        let found = pci[0].controls.iter().find(|of| of.control.number == number).cloned();
        found.expect("it is one of ours").answer.standing()
    };
    let handed = Handed {
        origin: "gdprport/db-1".into(),
        size: 1,
        root: String::new(),
        time: now(),
        sequence: 0,
        note: String::new(),
    };
    let log = LogPart { checkpoints: vec![handed], ..LogPart::default() };
    for number in ["10.3.2", "10.3.4"] {
        assert_eq!(standing(None, number), Standing::Nothing);
        assert_eq!(standing(Some(&LogPart::default()), number), Standing::Nothing);
        assert_eq!(standing(Some(&log), number), Standing::InPart, "nobody raises an alert");
    }
}

#[test]
fn a_framework_is_found_by_its_name_only() {
    for framework in Framework::ALL {
        assert_eq!(framework.id().parse(), Ok(framework));
        assert_eq!(format!(" {} ", framework.id().to_uppercase()).parse(), Ok(framework));
        assert!(framework.controls().next().is_some(), "{framework:?} has controls");
    }
    let error = "hipaa".parse::<Framework>().expect_err("it is none of ours");
    assert!(error.contains("gdpr, pci, nis2, dora, iso27001, soc2"), "{error}");
}

/// Texts of some frameworks are not free: each control is a number and words of our own.
#[test]
fn controls_are_numbers_and_few_words() {
    let mut known = BTreeSet::new();
    for control in Framework::ALL.into_iter().flat_map(Framework::controls) {
        assert!(known.insert((control.framework, control.number)), "{} stands there twice", control.number);
        assert!(control.asks.len() <= 90, "{}: {}", control.number, control.asks);
    }
}
