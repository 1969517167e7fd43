//! Batches for tests.

use std::sync::Arc;

use gdprport_core::ledger::{Batch, Counts, Edge, EdgeKey, Entry, Identity, PortKey, PostureKey, VerdictKey};
use gdprport_core::model::{Attribution, Direction};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time, in seconds after 2026-11-29 00:00 UTC.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_910_400 + seconds).expect("in range")
}

/// An identity by its executable.
pub(super) fn identity(exe: &str) -> Arc<Identity> {
    Arc::new(Identity {
        attribution: Attribution::Exact,
        exe: Some(exe.into()),
        uid: Some(70),
        user: Some("postgres".into()),
        ..Identity::UNKNOWN
    })
}

/// A declared port.
pub(super) fn port() -> Arc<PortKey> {
    Arc::new(PortKey { name: "orders".into(), number: 5432, declared: true })
}

/// Flows of a peer that a rule allows, first seen at a time.
pub(super) fn edge(peer: &str, seconds: i64, flows: u64) -> Edge {
    edge_of(&identity("/usr/bin/postgres"), peer, seconds, flows)
}

/// The same of somebody else.
pub(super) fn edge_of(identity: &Arc<Identity>, peer: &str, seconds: i64, flows: u64) -> Edge {
    let ip: std::net::IpAddr = peer.parse().expect("an address");
    let first = at(seconds);
    Edge {
        day: TimeZone::UTC.to_datetime(first).date(),
        key: EdgeKey {
            port: port(),
            direction: Direction::In,
            identity: Arc::clone(identity),
            peer: ip.into(),
            verdict: Arc::new(VerdictKey::Declared { rule: "app".into() }),
            posture: Arc::new(PostureKey::of(None)),
            policy: Some("d1".into()),
        },
        counts: Counts {
            flows,
            moved: flows / 2,
            opened: flows,
            closed: 0,
            failed: 0,
            bytes_sent: flows * 10,
            bytes_received: flows * 3,
        },
        first,
        last: first,
    }
}

/// A batch of flows.
pub(super) fn batch(seconds: i64, edges: Vec<Edge>) -> Batch {
    Batch { until: at(seconds), edges, ..Batch::default() }
}

/// A batch with which a run begins.
pub(super) fn began(seconds: i64, run: &str, boot: &str) -> Batch {
    let entry =
        Entry::Began { run: run.into(), version: "0.1.0".into(), boot_id: boot.into(), at: at(seconds) };
    Batch { until: at(seconds), entries: vec![entry], ..Batch::default() }
}
