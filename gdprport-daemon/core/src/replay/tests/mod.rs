//! Promises of the past judged again, as tests.

mod alike;
mod honest;
mod judged;

use std::sync::Arc;

use jiff::Timestamp;

use super::{Change, Judge, Replay, replay};
use crate::ledger::{Counts, Edge, EdgeKey, Identity, PortKey, PostureKey, VerdictKey};
use crate::model::{Attribution, Direction, PostureState};
use crate::policy::{Source, outline};

const POLICY: &str = r#"
version = 1
[[port]]
name = "db"
port = 5432
tls = { min = "1.2" }
[[port.allow]]
role = "apps"
direction = "in"
peers = ["10.0.2.0/25", "10.0.9.0/24"]
process = { unit = "postgresql@15-main.service" }
[[port.allow]]
role = "cgroups"
direction = "in"
peers = ["10.0.4.1"]
process = { cgroup = "/system.slice/a.service" }
"#;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[track_caller]
fn judge(text: &str) -> Judge {
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned() };
    let (outline, policy) = outline(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    Judge::new(policy, &outline, at("2026-11-29T12:00:00Z"))
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

fn declared(rule: &str) -> VerdictKey {
    VerdictKey::Declared { rule: rule.into() }
}

fn edge(number: u16, peer: &str, identity: Identity, verdict: VerdictKey, state: PostureState) -> Edge {
    let key = EdgeKey {
        port: Arc::new(PortKey { name: "db".into(), number, declared: true }),
        direction: Direction::In,
        identity: Arc::new(identity),
        peer: peer.parse().expect("a network"),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey { state, version: None, cipher: None, certificate_until: None }),
        policy: Some("sha256:1dc4".into()),
    };
    let counts =
        Counts { flows: 3, moved: 0, opened: 3, closed: 3, failed: 0, bytes_sent: 10, bytes_received: 20 };
    let (first, last) = (at("2026-11-28T08:00:00Z"), at("2026-11-28T09:00:00Z"));
    Edge { day: "2026-11-28".parse().expect("a day"), key, counts, first, last }
}

fn of(edges: &[Edge], policy: &str) -> Replay {
    replay((1..).zip(edges), &judge(policy))
}

/// The changes, ascending, each with its connections.
fn changes(edges: &[Edge]) -> Vec<(Change, u64)> {
    of(edges, POLICY).totals.iter().map(|total| (total.change, total.volume.flows)).collect()
}
