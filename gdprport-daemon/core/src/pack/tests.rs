//! Promises of an evidence pack's model, as tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::ledger::{CoverageHours, Observed, PolicyPeriod, PortKey};
use crate::policy::{Effect, Source};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn period(digest: Option<&str>, from: &str, to: Option<&str>) -> PolicyPeriod {
    PolicyPeriod { digest: digest.map(Into::into), from: at(from), to: to.map(at) }
}

fn texts(of: &[(&str, &str)]) -> BTreeMap<Arc<str>, Vec<Source>> {
    of.iter()
        .map(|(digest, text)| {
            let source = Source { name: "/etc/gdprport/policy.toml".to_owned(), text: (*text).to_owned() };
            ((*digest).into(), vec![source])
        })
        .collect()
}

fn policy(peers: &str) -> String {
    format!(
        "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n[[port.allow]]\nrole = \"apps\"\ndirection = \"in\"\npeers = [\"{peers}\"]\n"
    )
}

#[test]
fn a_version_says_what_changed_from_the_one_before() {
    let (one, two) = (policy("10.0.2.0/24"), policy("10.0.0.0/16"));
    let found = versions(
        &[
            period(None, "2026-11-01T00:00:00Z", Some("2026-11-02T00:00:00Z")),
            period(Some("sha256:1"), "2026-11-02T00:00:00Z", Some("2026-11-03T00:00:00Z")),
            period(Some("sha256:1"), "2026-11-03T00:00:10Z", Some("2026-11-04T00:00:00Z")),
            period(Some("sha256:2"), "2026-11-04T00:00:00Z", None),
        ],
        &texts(&[("sha256:1", &one), ("sha256:2", &two)]),
    );
    assert_eq!(found.len(), 3, "a restart is no other version");
    assert_eq!(found[0].change, Change::First);
    assert_eq!(found[1].to, Some(at("2026-11-04T00:00:00Z")));
    let Change::Means(differences) = &found[2].change else { panic!("both are known") };
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].effect, Effect::AllowsMore);
    assert_eq!(last_change(&found), Some(at("2026-11-04T00:00:00Z")));
    assert_eq!(last_change(&found[..1]), None);
}

#[test]
fn a_policy_without_a_text_is_known_by_its_digest_only() {
    let one = policy("10.0.2.0/24");
    let found = versions(
        &[
            period(Some("sha256:1"), "2026-11-02T00:00:00Z", Some("2026-11-03T00:00:00Z")),
            period(Some("sha256:2"), "2026-11-03T00:00:00Z", Some("2026-11-04T00:00:00Z")),
            period(Some("sha256:3"), "2026-11-04T00:00:00Z", None),
        ],
        &texts(&[("sha256:1", &one), ("sha256:3", "version = 99")]),
    );
    assert_eq!(found[1].text, Text::DigestOnly);
    assert_eq!(found[1].change, Change::NotKnown);
    assert!(matches!(found[2].text, Text::Unread { .. }));
    assert_eq!(found[2].change, Change::NotKnown, "what cannot be read is not the same");
}

#[test]
fn minutes_of_a_port_are_those_of_its_hours() {
    let port = |name: &str, number| Arc::new(PortKey { name: name.into(), number, declared: true });
    let hour = |port: &Arc<PortKey>, hour: &str, watched_s, lost| CoverageHours {
        hour: at(hour),
        hours: 1,
        port: Arc::clone(port),
        watched_s,
        seen: 2,
        lost,
    };
    let (db, mail) = (port("db", 5432), port("mail", 25));
    let observed = Observed {
        from: at("2026-11-01T00:00:00Z"),
        to: at("2026-11-01T04:00:00Z"),
        edges: Vec::new(),
        listeners: Vec::new(),
        coverage: vec![
            hour(&db, "2026-11-01T00:00:00Z", 9_999, 0),
            hour(&db, "2026-11-01T02:00:00Z", 1_800, 3),
            hour(&mail, "2026-11-01T03:00:00Z", 600, 0),
        ],
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    };
    let found = coverage(&observed, at("2026-11-01T00:00:00Z"));
    let short: Vec<_> = found.iter().map(|of| (&*of.port.name, of.watched_s, of.period_s, of.lost)).collect();
    assert_eq!(short, [("mail", 600, 14_400, 0), ("db", 5_400, 14_400, 3)]);
    assert_eq!(watched_s(&observed.coverage), 6_000);
}
