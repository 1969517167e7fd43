//! Promises of the decision, and what their tests share.

mod auto;
mod fixed;
mod lost;
mod overload;
mod periods;
mod reference;
mod room;

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::{Decision, Suppressor, With};
use crate::event::{Body, FlowEvent, FlowKind, FlowSummary, samples};
use crate::model::Outcome;
use crate::policy::Emit;
use crate::shared::Shared;
use crate::verdict::Verdict;

const KINDS: [FlowKind; 5] =
    [FlowKind::Open, FlowKind::Fail, FlowKind::Close, FlowKind::Update, FlowKind::Posture];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_440_000 + second).expect("in range")
}

fn from_peer(mut flow: FlowEvent, peer: u16) -> FlowEvent {
    let [a, b] = peer.to_be_bytes();
    flow.flow.peer.ip = IpAddr::V4(Ipv4Addr::new(10, 0, a, b));
    flow
}

fn open(peer: u16) -> FlowEvent {
    from_peer(samples::declared(Outcome::Established), peer)
}

fn undecided() -> FlowEvent {
    FlowEvent {
        verdict: Shared::new(Verdict::Undecided { missing: vec!["the owner".to_owned()], nearest: None }),
        process: None,
        ..samples::declared(Outcome::Established)
    }
}

/// Offers an event that nothing comes with.
fn offer(
    suppressor: &mut Suppressor,
    kind: FlowKind,
    flow: &FlowEvent,
    emit: Emit,
    time: Timestamp,
) -> Decision {
    suppressor.offer(kind, With::default(), flow, emit, time)
}

fn summaries(bodies: Vec<Body>) -> Vec<FlowSummary> {
    bodies
        .into_iter()
        .map(|body| match body {
            Body::FlowSummary(summary) => *summary,
            other => panic!("not a summary: {other:?}"),
        })
        .collect()
}
