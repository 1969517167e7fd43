//! Promises of a draft, as tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::incident::{AskedPort, Deadline, Incident, Then, gather};
use gdprport_core::ledger::{ListenerRow, PolicyPeriod, PortKey, VerdictKey, VolumeHour};
use gdprport_core::model::{Direction, Endpoint};
use gdprport_core::pack::versions;
use gdprport_core::policy::{Source, outline};
use gdprport_core::verdict::ReasonId;
use jiff::Timestamp;

use super::super::json::pretty;
use super::super::record::markdown;
use super::super::record::samples::{self, EVIL, POLICY, html};
use super::super::samples::written;
use super::super::schemas::holds;
use super::super::words::Lang;
use super::{Document, page};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn made(evil: Option<&str>, aware: Option<Timestamp>) -> Incident {
    let or = |text: &'static str| evil.unwrap_or(text);
    let rows = samples::edges(evil);
    let mut observed = samples::observed(evil);
    let port = Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true });
    let listener = |ip: &str, verdict| ListenerRow {
        port: Arc::clone(&port),
        local: Endpoint { ip: ip.parse().expect("an address"), port: 5432 },
        identity: Arc::clone(&rows[3].1.key.identity),
        verdict: Arc::new(verdict),
        first: at("2026-11-01T08:00:00Z"),
        last: at("2026-11-28T08:00:00Z"),
        open: false,
    };
    observed.listeners = vec![
        listener("127.0.0.1", VerdictKey::Declared { rule: or("listen").into() }),
        listener(
            "0.0.0.0",
            VerdictKey::Violation { reasons: vec![ReasonId::ExposedListener], nearest: None },
        ),
    ];
    observed.volume = vec![VolumeHour {
        hour: at("2026-11-28T08:00:00Z"),
        port: Arc::clone(&port),
        direction: Direction::In,
        rule: evil.map(Into::into),
        flows: 3,
        bytes_sent: 20_412,
        bytes_received: 2_916,
    }];
    let period = |digest: &str, from: &str, to: Option<&str>| PolicyPeriod {
        digest: Some(digest.into()),
        from: at(from),
        to: to.map(at),
    };
    observed.policies = vec![
        period("sha256:0aaa", "2026-11-01T08:00:00Z", Some("2026-11-02T08:00:00Z")),
        period("sha256:0bbb", "2026-11-02T08:00:00Z", None),
    ];
    let source = Source { name: or("policy.toml").to_owned(), text: POLICY.to_owned() };
    let (now, _) = outline(std::slice::from_ref(&source)).expect("a valid policy");
    let texts: BTreeMap<Arc<str>, Vec<Source>> = [("sha256:0bbb".into(), vec![source])].into();
    let versions = versions(&observed.policies, &texts);
    let mut about = samples::records().about;
    (about.asked, about.to) = (at("2026-09-29T00:00:00Z"), at("2026-11-28T12:00:00Z"));
    about.host = or("db-1.example.org").into();
    let then = Then { observed: &observed, rows: &rows, versions: &versions };
    let deadline = Deadline::new(None, now.controller.as_ref(), aware);
    gather(AskedPort::Number(5432), about, deadline, now.controller, Some(then))
}

fn english(incident: &Incident) -> String {
    markdown(&page(incident, Lang::En))
}

#[test]
fn a_draft_looks_like_this() {
    insta::assert_snapshot!(english(&made(None, None)));
}

#[test]
fn what_was_not_watched_stands_there() {
    let text = english(&made(None, None));
    for part in ["before the ledger began", "not watched", "ledger:killed", "every network of this host"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("All of the time was watched"), "{text}");
    assert!(text.contains("known by its digest only"), "{text}");
}

/// The command line, then the policy, then the law.
#[test]
fn a_deadline_is_the_one_that_is_named_nearest() {
    let policy = "version = 1\n[controller]\nname = \"A\"\ncontact = \"x\"\nnotify_within = \"24h\"\n";
    let source = Source { name: "policy.toml".to_owned(), text: policy.to_owned() };
    let controller = outline(&[source]).expect("a valid policy").0.controller;
    let hours = |asked: Option<u64>, controller| {
        Deadline::new(asked.map(Duration::from_hours), controller, None).within.as_secs() / 3_600
    };
    assert_eq!(hours(Some(96), controller.as_ref()), 96);
    assert_eq!(hours(None, controller.as_ref()), 24);
    assert_eq!(hours(None, None), 72);
}

/// The law may change, and a person has to say since when it counts.
#[test]
fn a_deadline_is_an_option_and_counts_from_a_persons_word() {
    let text = english(&made(None, None));
    assert!(text.contains("72 h after the controller became aware"), "{text}");
    let text = english(&made(None, Some(at("2026-11-29T09:30:00Z"))));
    assert!(text.contains("2026-12-02 09:30 UTC: 72 h after"), "{text}");
    let mut incident = made(None, Some(at("2026-11-29T09:30:00Z")));
    incident.deadline.within = Duration::from_secs(96 * 3_600);
    assert!(english(&incident).contains("2026-12-03 09:30 UTC: 96 h after"));
    incident.deadline.within = Duration::MAX;
    assert_eq!(incident.deadline.ends(), None);
    assert!(!english(&incident).is_empty());
}

#[test]
fn nothing_that_a_person_has_to_write_is_guessed() {
    for (lang, mark) in [(Lang::En, "When did"), (Lang::De, "Wann wurde"), (Lang::Fr, "Quand le")] {
        let text = markdown(&page(&made(None, None), lang));
        assert!(text.contains(mark), "{text}");
        assert!(html(&page(&made(None, None), lang)).contains("class=\"fill\""), "{lang:?}");
    }
}

/// A title with nothing below it leaves a reader to guess whether something is missing.
#[test]
fn no_part_of_a_draft_is_empty() {
    let about = samples::nothing().about;
    let deadline = Deadline::new(None, None, None);
    let nothing = gather(AskedPort::Number(5432), about, deadline, None, None);
    for incident in [made(None, None), nothing] {
        for lang in [Lang::En, Lang::De, Lang::Fr] {
            for section in page(&incident, lang).sections {
                assert!(!section.is_empty(), "{lang:?}: {}", section.title);
            }
        }
    }
}

#[test]
fn texts_from_outside_are_texts() {
    let incident = made(Some(EVIL), None);
    for lang in [Lang::En, Lang::De, Lang::Fr] {
        let page = page(&incident, lang);
        let (html, text) = (html(&page), markdown(&page));
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(!text.contains("<script") && !text.contains("[x](javascript"), "{text}");
        assert!(!html.contains('\u{202e}') && !text.contains('\u{1b}'));
    }
    let json = serde_json::to_string(&Document::of(&incident)).expect("JSON");
    serde_json::from_str::<serde_json::Value>(&json).expect("JSON");
}

#[test]
fn the_same_gives_the_same_bytes() {
    let json = |incident: &Incident| serde_json::to_string(&Document::of(incident)).expect("JSON");
    assert_eq!(json(&made(None, None)), json(&made(None, None)));
    assert_eq!(english(&made(None, None)), english(&made(None, None)));
}

#[test]
fn a_draft_for_programs_is_valid_by_its_schema() {
    for incident in [made(None, None), made(Some(EVIL), Some(at("2026-11-29T09:30:00Z")))] {
        holds::<Document<'_>>("incident", &written(|out| pretty(&Document::of(&incident), out)));
    }
}
