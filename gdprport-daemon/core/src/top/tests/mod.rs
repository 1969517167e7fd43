//! What a live view must never say.

mod ended;
mod filter;
mod grouping;
mod rates;
mod rows;

use std::sync::Arc;

use crate::event::Port;
use crate::flow::Flow;
use crate::model::{Attribution, Direction, Endpoint, Posture, PostureState, Process};
use crate::shared::Shared;
use crate::top::{FlowGroups, Grouping, Member};
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// A port that is watched, by its place.
fn port(place: usize) -> Shared<Port> {
    let name = ["customers-db", "sessions", "hr"][place % 3];
    let number = [5_432, 6_379, 636][place % 3];
    Shared::new(Port { name: name.into(), number, protocol: None })
}

fn process(pid: u32, exe: &str, unit: Option<&str>) -> Shared<Process> {
    Shared::new(Process {
        pid,
        exe: Some(exe.into()),
        unit: unit.map(Into::into),
        uid: 1_001,
        user: Some("etl".into()),
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    })
}

fn violation() -> Verdict {
    Verdict::Violation {
        reasons: vec![Reason {
            id: ReasonId::UndeclaredPeer,
            detail: "10.9.0.1 is in none of the peers".to_owned(),
        }],
        nearest: Some(Nearest { role: "backup".into(), failed: vec!["peers".to_owned()] }),
    }
}

fn declared() -> Verdict {
    Verdict::Declared { rule: "orders-api".into() }
}

fn flow(cookie: u64, place: usize, peer: &str, process: Option<Shared<Process>>, verdict: Verdict) -> Flow {
    let local = Endpoint::new("10.0.2.15".parse().expect("an address"), port(place).number);
    let peer = Endpoint::new(peer.parse().expect("an address"), 40_000);
    let mut flow = Flow::new(cookie, Direction::In, local, peer);
    flow.process = process;
    flow.port_index = Some(place);
    flow.verdict = Shared::new(verdict);
    flow.opened_ns = Some(cookie * 1_000_000_000);
    flow.posture = Some(Shared::new(Posture::new(PostureState::Tls13, "ServerHello")));
    (flow.bytes_sent, flow.bytes_received) = (Some(10), Some(1));
    flow
}

fn add(grouping: &mut Grouping, flow: &Flow) -> bool {
    let port = port(flow.port_index.unwrap_or(0));
    let member = Member { port: &port, peer: flow.peer.ip, accepted: None };
    grouping.add(flow, member, || Some(Arc::from("db.example")))
}

fn finish(grouping: Grouping) -> FlowGroups {
    grouping.finish(false, usize::MAX, |ns| {
        jiff::Timestamp::from_nanosecond(i128::from(ns)).expect("in the calendar")
    })
}
