//! Events that were counted instead of sent.

use jiff::Timestamp;

use crate::event::*;
use crate::model::{Direction, PostureState, TlsVersion};
use crate::shared::Shared;
use crate::verdict::Verdict;

use super::exceptions;

fn time(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// Of a declared pool, by a fixed period.
pub fn fixed(port: Shared<Port>, policy: Option<PolicyRef>) -> FlowSummary {
    FlowSummary {
        port,
        summary: Summary {
            from: time("2026-11-23T13:19:00Z"),
            to: time("2026-11-23T13:20:00.123456Z"),
            group: Some(Group {
                rule: Some("orders-api".into()),
                exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
                unit: Some("postgresql@15-main.service".into()),
                user: Some("postgres".into()),
                ..Group::of_peer(Direction::In, "10.0.2.7".parse().expect("an address"))
            }),
            events: 13,
            opened: 7,
            closed: 6,
            failed: 0,
            ended: 0,
            denied: 0,
            would_deny: 0,
            updated: 0,
            violations: 0,
            findings: 0,
            bytes_sent: 120_000,
            bytes_received: 4_096,
            first: time("2026-11-23T13:19:00.5Z"),
            last: time("2026-11-23T13:19:58Z"),
            auto: None,
            coarse: None,
            overload: None,
        },
        verdict: None,
        accepted: None,
        policy,
    }
}

/// What `auto` says of a group.
fn auto(because: Because, until: bool) -> SummedUp {
    SummedUp {
        because,
        most: 20,
        since: time("2026-11-23T13:05:12Z"),
        until: until.then(|| time("2026-11-23T13:20:00.123456Z")),
    }
}

/// Of a pool that was busy and is quiet again, of a stranger that goes on, of a scan, and of what found no room.
pub(super) fn bodies(fixed: &FlowSummary, forbidden: &Shared<Verdict>) -> Vec<Body> {
    let declared = |rule: &str| Some(Verdict::Declared { rule: rule.into() }.into());
    let mut pool = fixed.clone();
    pool.verdict = declared("orders-api");
    pool.summary.auto = Some(auto(Because::BusyTogether, true));
    if let Some(group) = &mut pool.summary.group {
        group.container = Some("db".into());
        group.workload = Some("orders".into());
        group.namespace = Some("shop".into());
        group.posture =
            Some(GroupPosture { state: PostureState::StarttlsUpgraded, version: Some(TlsVersion::Tls13) });
    }
    let mut stranger = fixed.clone();
    stranger.verdict = Some(forbidden.clone());
    stranger.summary.auto = Some(auto(Because::Busy, false));
    stranger.summary.group = Some(Group {
        exe: Some("/usr/bin/python3.11".into()),
        uid: Some(1_001),
        ..Group::of_peer(Direction::Out, "203.0.113.7".parse().expect("an address"))
    });
    (stranger.summary.failed, stranger.summary.violations) = (7_120, 7_127);
    (stranger.summary.findings, stranger.summary.events) = (2, 14_262);
    let mut scan = stranger.clone();
    let gave_up = vec![GaveUp::Peer];
    scan.summary.coarse = Some(Coarse { gave_up, peers_at_least: 211 });
    if let Some(group) = &mut scan.summary.group {
        group.peer_ip = "203.0.113.0".parse().expect("an address");
        group.peer_prefix = Some(24);
    }
    let mut accepted = stranger.clone();
    accepted.accepted = Some(exceptions::accepted());
    let mut rest = scan.clone();
    rest.summary.group = None;
    rest.summary.coarse = Some(Coarse { gave_up: GaveUp::ALL.to_vec(), peers_at_least: 1_204 });
    let mut overflow = fixed.clone();
    overflow.summary.group = None;
    let all = [pool, stranger, scan, accepted, rest, overflow];
    all.into_iter().map(|summary| Body::FlowSummary(Box::new(summary))).collect()
}
