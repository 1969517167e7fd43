//! Promises of the record of processing, as tests.

mod gathered;
mod generated;
mod written;

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::ledger::{
    Counts, CoverageHours, Edge, EdgeKey, GapRow, Identity, Observed, PortKey, PostureKey, VerdictKey,
};
use crate::model::{Attribution, Direction, PostureState, TlsVersion};
use crate::policy::{Outline, Source, outline};
use crate::verdict::ReasonId;

const POLICY: &str = r#"
version = 1
[controller]
name = "Example GmbH"
contact = "privacy@example.org"
[[port]]
name = "db"
port = "5432-5433"
tls = { min = "1.2" }
[port.record]
purpose = "order fulfilment"
recipients = []
[[port.allow]]
role = "apps"
direction = "in"
peers = ["10.0.2.0/24"]
[[port.allow]]
role = "reports"
direction = "in"
peers = ["10.0.9.0/24"]
[[port]]
name = "mail"
port = 25
[port.record]
on_behalf_of = ["Shop AG"]
"#;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[track_caller]
fn policy(text: &str) -> Outline {
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned() };
    outline(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}")).0
}

fn about() -> About {
    About {
        host: "db-1".into(),
        version: "0.1.0".into(),
        made: at("2026-11-29T12:00:00Z"),
        asked: at("2026-11-19T12:00:00Z"),
        from: at("2026-11-20T00:00:00Z"),
        to: at("2026-11-29T12:00:00Z"),
        policy: Some("sha256:1dc4".into()),
        pseudonyms: false,
        no_ledger: None,
    }
}

fn postgres() -> Identity {
    Identity {
        attribution: Attribution::Exact,
        exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
        unit: Some("postgresql@15-main.service".into()),
        uid: Some(107),
        user: Some("postgres".into()),
        ..Identity::UNKNOWN
    }
}

fn by(rule: &str) -> VerdictKey {
    VerdictKey::Declared { rule: rule.into() }
}

fn undecided() -> VerdictKey {
    VerdictKey::Undecided { nearest: None }
}

fn violation() -> VerdictKey {
    VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPeer], nearest: None }
}

fn edge(port: (&str, u16, bool), peer: &str, verdict: VerdictKey, state: PostureState) -> Edge {
    let key = EdgeKey {
        port: Arc::new(PortKey { name: port.0.into(), number: port.1, declared: port.2 }),
        direction: Direction::In,
        identity: Arc::new(postgres()),
        peer: peer.parse().expect("a network"),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey {
            state,
            version: (state == PostureState::Tls13).then_some(TlsVersion::Tls13),
            cipher: None,
            certificate_until: None,
        }),
        policy: Some("sha256:1dc4".into()),
    };
    let counts =
        Counts { flows: 3, moved: 0, opened: 0, closed: 3, failed: 0, bytes_sent: 10, bytes_received: 20 };
    let (first, last) = (at("2026-11-28T08:00:00Z"), at("2026-11-28T09:00:00Z"));
    Edge { day: "2026-11-28".parse().expect("a day"), key, counts, first, last }
}

fn observed() -> Observed {
    Observed {
        from: at("2026-11-20T00:00:00Z"),
        to: at("2026-11-29T12:00:00Z"),
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

fn numbered(edges: Vec<Edge>) -> Vec<(i64, Edge)> {
    (1..).zip(edges).collect()
}

fn gathered(observed: &Observed, rows: &[(i64, Edge)]) -> Records {
    gather(about(), Some(&policy(POLICY)), Some(Past { observed, rows }), &|_| None)
}
