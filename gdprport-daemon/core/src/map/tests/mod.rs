//! Promises of the map, as tests: of records as they are, and at random up to and beyond the bounds.

mod drawn;
mod generated;

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::ledger::{
    ContainerIdentity, Counts, Edge as Row, EdgeKey, Identity, Observed, PortKey, PostureKey, VerdictKey,
};
use crate::model::{Attribution, Direction, PostureState};
use crate::records::{About, Past, Records, gather};
use crate::verdict::ReasonId;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn unit(name: &str) -> Identity {
    Identity {
        attribution: Attribution::Exact,
        exe: Some("/usr/bin/program".into()),
        unit: Some(name.into()),
        ..Identity::UNKNOWN
    }
}

fn by(rule: &str) -> VerdictKey {
    VerdictKey::Declared { rule: rule.into() }
}

fn violation() -> VerdictKey {
    VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPeer], nearest: None }
}

/// What a row says.
#[derive(Debug, Clone)]
struct Said {
    port: u16,
    direction: Direction,
    who: Identity,
    peer: String,
    verdict: VerdictKey,
    state: PostureState,
    bytes: u64,
}

fn said(port: u16, peer: &str, verdict: VerdictKey) -> Said {
    Said {
        port,
        direction: Direction::In,
        who: unit("postgresql.service"),
        peer: peer.to_owned(),
        verdict,
        state: PostureState::Tls13,
        bytes: 4_096,
    }
}

fn row(said: Said) -> Row {
    let Said { port, direction, who, peer, verdict, state, bytes } = said;
    let name = format!("service-{port}");
    let key = EdgeKey {
        port: Arc::new(PortKey { name: name.into(), number: port, declared: true }),
        direction,
        identity: Arc::new(who),
        peer: peer.parse().expect("a network"),
        verdict: Arc::new(verdict),
        posture: Arc::new(PostureKey { state, version: None, cipher: None, certificate_until: None }),
        policy: None,
    };
    let counts =
        Counts { flows: 3, closed: 3, bytes_sent: bytes, bytes_received: bytes / 2, ..Counts::default() };
    let (first, last) = (at("2026-11-28T08:00:00Z"), at("2026-11-28T09:00:00Z"));
    Row { day: jiff::civil::date(2026, 11, 28), key, counts, first, last }
}

fn records(rows: Vec<Said>) -> Records {
    let about = About {
        host: "db-1".into(),
        version: "0.1.0".into(),
        made: at("2026-11-29T12:00:00Z"),
        asked: at("2026-11-19T12:00:00Z"),
        from: at("2026-11-20T00:00:00Z"),
        to: at("2026-11-29T12:00:00Z"),
        policy: None,
        pseudonyms: false,
        no_ledger: None,
    };
    let observed = Observed {
        from: about.from,
        to: about.to,
        edges: Vec::new(),
        listeners: Vec::new(),
        coverage: Vec::new(),
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    };
    let rows: Vec<(i64, Row)> = (1..).zip(rows.into_iter().map(row)).collect();
    let country = |net: &ipnet::IpNet| net.addr().to_string().starts_with("198.").then(|| "DE".into());
    gather(about, None, Some(Past { observed: &observed, rows: &rows }), &country)
}
