//! Strangers by the events about them: connections in violation that are over before anybody lists what is open.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use super::group::{FlowGroup, GroupId, GroupPeer, RowKey, Standings};
use crate::event::{Body, Event, FlowEvent, FlowSummary, Violation};
use crate::model::{Direction, Nat, PostureState};
use crate::verdict::Verdict;

/// Groups that are remembered; of more, the one whose last event is longest ago is forgotten.
const MOST: usize = 1_024;

#[derive(Debug)]
struct Stranger {
    group: FlowGroup,
    ended: u64,
    last: Timestamp,
}

/// Strangers by the events about them, bounded.
#[derive(Debug, Default)]
pub struct Ended {
    strangers: HashMap<RowKey, Stranger>,
}

impl Ended {
    /// Takes an event. Only those about flows in violation count.
    pub fn event(&mut self, event: &Event) {
        let (about, ends) = match &event.body {
            Body::FlowClose(flow) | Body::FlowFail(flow) => (flow, 1),
            Body::FlowOpen(flow) | Body::FlowUpdate(flow) | Body::FlowPosture(flow) => (flow, 0),
            Body::Violation(violation) => match &**violation {
                Violation::Flow(flow) => return self.flow(flow, 0, event.time),
                Violation::Listener(_) => return,
            },
            Body::FlowSummary(summary) => return self.summary(summary),
            _ => return,
        };
        self.flow(about, ends, event.time);
    }

    fn flow(&mut self, event: &FlowEvent, ends: u64, time: Timestamp) {
        if !matches!(*event.verdict, Verdict::Violation { .. }) {
            return;
        }
        let group = group_of(event);
        let stranger = self.strangers.entry(RowKey::of(&group)).or_insert_with(|| Stranger {
            group: group.clone(),
            ended: 0,
            last: time,
        });
        stranger.ended = stranger.ended.saturating_add(ends);
        stranger.last = stranger.last.max(time);
        stranger.group = group;
        if self.strangers.len() > MOST {
            self.forget_one();
        }
    }

    /// What was summed up counts where its first event, which is always sent, has made a stranger known; one that began
    /// before anybody followed has no process that could be shown.
    fn summary(&mut self, event: &FlowSummary) {
        let Some(Verdict::Violation { .. }) = event.verdict.as_deref() else { return };
        let Some(group) = &event.summary.group else { return };
        let ends = event.summary.closed.saturating_add(event.summary.failed);
        let is_it = |stranger: &&mut Stranger| {
            let of = &stranger.group;
            let process = of.process.as_deref();
            of.port.number == event.port.number
                && of.direction == group.direction
                && of.peer.ip == group.peer_ip
                && group.peer_prefix.is_none()
                && process.and_then(|process| process.exe.as_ref()) == group.exe.as_ref()
                && process.and_then(|process| process.unit.as_ref()) == group.unit.as_ref()
        };
        if let Some(stranger) = self.strangers.values_mut().find(is_it) {
            stranger.ended = stranger.ended.saturating_add(ends);
            stranger.last = stranger.last.max(event.summary.last);
        }
    }

    fn forget_one(&mut self) {
        let oldest = self.strangers.iter().min_by_key(|(_, stranger)| stranger.last);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.strangers.remove(&key);
        }
    }

    /// Those of which an event came at this time or later: what is known of each, how many connections ended, and when the
    /// last event came.
    pub(super) fn since(
        &self,
        since: Timestamp,
    ) -> impl Iterator<Item = (&RowKey, (&FlowGroup, u64, Timestamp))> {
        let recent = self.strangers.iter().filter(move |(_, stranger)| stranger.last >= since);
        recent.map(|(key, stranger)| (key, (&stranger.group, stranger.ended, stranger.last)))
    }
}

/// The address that the policy compares.
fn peer(event: &FlowEvent) -> IpAddr {
    let behind = event.flow.nat.as_ref().and_then(Nat::translation).and_then(|nat| nat.peer);
    match (event.flow.direction, behind) {
        (Direction::In, Some(client)) => client.ip,
        _ => event.flow.peer.ip,
    }
}

fn group_of(event: &FlowEvent) -> FlowGroup {
    let state = event.posture.as_ref().map_or(PostureState::Unknown, |posture| posture.state);
    let unattributed = "who called connect or accept was not seen, or is not shown by events";
    FlowGroup {
        id: GroupId::new(0),
        port: event.port.clone(),
        direction: event.flow.direction,
        peer: GroupPeer { ip: peer(event), name: event.flow.peer.name.clone() },
        process: event.process.clone(),
        unattributed: event.process.is_none().then(|| unattributed.into()),
        flows: 0,
        standings: Standings::default(),
        posture: BTreeMap::from([(state, 0)]),
        bytes_sent: event.flow.bytes_sent.unwrap_or(0),
        bytes_received: event.flow.bytes_received.unwrap_or(0),
        uncounted: 0,
        oldest: event.flow.opened,
        sample: event.flow.cookie,
        verdict: event.verdict.clone(),
        accepted: event.accepted.clone(),
    }
}
