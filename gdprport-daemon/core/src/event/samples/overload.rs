//! Connections that there was no room to describe.

use crate::event::*;
use crate::model::{Direction, PostureState};
use crate::shared::Shared;
use crate::verdict::Verdict;

fn time(text: &str) -> jiff::Timestamp {
    text.parse().expect("a timestamp")
}

/// What coverage says of them.
pub const fn seen() -> OverloadSeen {
    OverloadSeen { opened: 11, failed: 1, closed: 6, ends_of_described: 2, evicted: 4, described_later: 1 }
}

/// In which nothing was lost.
pub fn gap() -> Gap {
    Gap {
        from: time("2026-11-23T13:19:10Z"),
        to: time("2026-11-23T13:19:11Z"),
        lost: 0,
        bound: None,
        summed: Some(20),
        reason: "kernel-overload".into(),
    }
}

/// Of a pool in a storm, of the stranger that the violation stands for, of what was counted by port alone, of the stranger again as
/// a sink lost it, and of flows that a full table forgot.
pub(super) fn bodies(fixed: FlowSummary, forbidden: FlowEvent) -> Vec<Body> {
    let overload = Overload {
        why: OverloadWhy::KernelOverload,
        sink: None,
        reason: None,
        counted_by: CountedBy::Peer,
        groups: 1,
        denied: 0,
        fin_unknown: 0,
        ends_of_described: 0,
        described_bytes_sent: 0,
        described_bytes_received: 0,
        evicted: 0,
    };
    let mut pool = fixed.clone();
    pool.verdict = Some(
        Verdict::Undecided {
            missing: vec![
                "the encryption is not known (counted as a sum), and at least tls1.2 is demanded".to_owned(),
            ],
            nearest: None,
        }
        .into(),
    );
    (pool.summary.opened, pool.summary.closed, pool.summary.events) = (7_312, 6_904, 14_216);
    if let Some(group) = &mut pool.summary.group {
        (group.rule, group.posture) =
            (None, Some(GroupPosture { state: PostureState::Unknown, version: None }));
    }
    pool.summary.overload = Some(Overload { fin_unknown: 2, ..overload.clone() });
    let mut stranger = fixed.clone();
    stranger.verdict = Some(Shared::clone(&forbidden.verdict));
    let (opened, failed, violations) = (808, 4, 811);
    (stranger.summary.opened, stranger.summary.failed, stranger.summary.violations) =
        (opened, failed, violations);
    (stranger.summary.closed, stranger.summary.events) = (0, opened + failed + violations);
    stranger.summary.group = Some(Group {
        exe: Some("/usr/bin/python3.11".into()),
        ..Group::of_peer(Direction::Out, "203.0.113.7".parse().expect("an address"))
    });
    stranger.summary.overload = Some(Overload { denied: 3, ..overload.clone() });
    let mut port = pool.clone();
    port.summary.group = Some(Group {
        peer_prefix: Some(0),
        ..Group::of_peer(Direction::In, "0.0.0.0".parse().expect("an address"))
    });
    port.summary.coarse =
        Some(Coarse { gave_up: vec![GaveUp::Peer, GaveUp::Network, GaveUp::Process], peers_at_least: 2 });
    port.summary.overload = Some(Overload {
        counted_by: CountedBy::Port,
        groups: 2,
        ends_of_described: 17,
        described_bytes_sent: 4_096,
        described_bytes_received: 512,
        ..overload.clone()
    });
    let mut missed = stranger.clone();
    missed.summary.overload = Some(Overload {
        why: OverloadWhy::SinkLost,
        sink: Some("file".into()),
        reason: Some("io-error".into()),
        groups: 1_624,
        ..overload.clone()
    });
    let mut evicted = fixed;
    (evicted.summary.opened, evicted.summary.closed, evicted.summary.events) = (0, 0, 0);
    (evicted.summary.bytes_sent, evicted.summary.bytes_received) = (0, 0);
    evicted.verdict = Some(Verdict::Declared { rule: "orders-api".into() }.into());
    evicted.summary.overload = Some(Overload { why: OverloadWhy::FlowTableFull, evicted: 40, ..overload });
    let stands_for = Some(StandsFor { why: OverloadWhy::KernelOverload, connections: 812 });
    let violation = FlowEvent { overload: stands_for, ..forbidden };
    let missed_one = FlowEvent {
        overload: Some(StandsFor { why: OverloadWhy::SinkLost, connections: 812 }),
        ..violation.clone()
    };
    let violations = [violation, missed_one].map(|one| Body::Violation(Box::new(Violation::Flow(one))));
    let mut bodies = Vec::from(violations);
    bodies
        .extend([pool, stranger, port, missed, evicted].map(|summary| Body::FlowSummary(Box::new(summary))));
    bodies
}
