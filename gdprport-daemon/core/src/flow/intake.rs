//! Taking records in: how a flow begins, becomes known better, and ends.

use std::sync::Arc;

use gdprport_common::SocketRole;

use super::posture::{UNSEEN, Watch};
use super::table::{Entry, Table, change, judge, last_change};
use super::{Change, ChangeKind, Context, Flow, UNJUDGED};
use crate::community_id::CommunityId;
use crate::decode::{Ending, Record, SocketEvent};
use crate::identity::OwnerRef;
use crate::model::{Direction, Outcome, Posture};

impl Table {
    /// Takes a record in. Records about listeners, executables and cgroups are not flows and are ignored.
    pub fn ingest(&mut self, record: &Record<'_>, cx: &mut impl Context, out: &mut Vec<Change>) {
        match record {
            Record::Connected(event) => self.begin(event, Direction::Out, cx, out),
            Record::Arrived(event) => self.begin(event, Direction::In, cx, out),
            Record::Accepted(event) => self.accepted(event, cx, out),
            Record::Acceptor { cookie, owner } => self.acceptor(*cookie, owner, cx, out),
            Record::Ended(event, ending) => self.ended(event, ending, cx, out),
            Record::Payload { cookie, sent, offset, bytes } => {
                self.payload((*cookie, *sent, *offset), bytes, cx, out);
            }
            Record::Listening(_) | Record::ListenerEnded(_) | Record::Exec { .. } | Record::Cgroup { .. } => {
            }
        }
    }

    fn begin(
        &mut self,
        event: &SocketEvent,
        direction: Direction,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        // Of a connect that was under way before the daemon the record has no owner.
        let attempt = self.attempts.take(event.cookie);
        let flow = Flow {
            opened_ns: Some(event.time_ns),
            process: cx.who(&event.owner).or_else(|| attempt?.process),
            ..bare(event, direction, Outcome::Established)
        };
        self.insert(flow, Watch::Silent, event.time_ns, cx, out);
        if let Some(bytes) = self.early.take(event.cookie) {
            self.payload((event.cookie, true, 0), &bytes, cx, out);
        }
        self.pair(event.cookie);
        let known = match direction {
            Direction::In => false,
            // The other end of a connection within this host arrives a moment later.
            Direction::Out => !is_local(event),
        };
        if known {
            self.report_opening(event.cookie, out);
        } else if let Some(entry) = self.flows.get(&event.cookie) {
            let due = event.time_ns.saturating_add(self.limits.settle_ns);
            self.settling.push_back((due, event.cookie, entry.generation));
        }
    }

    fn accepted(&mut self, event: &SocketEvent, cx: &mut impl Context, out: &mut Vec<Change>) {
        if !self.flows.contains_key(&event.cookie) {
            // Its beginning was lost, evicted, or before our time. In a full table it is what was evicted a moment ago,
            // and would drive out the next one that waits for its acceptor: its end will tell.
            if self.flows.len() >= self.limits.flows {
                return;
            }
            let posture = Some(Arc::new(Posture::unknown(UNSEEN)));
            let flow = Flow { found: true, posture, ..bare(event, Direction::In, Outcome::Established) };
            self.insert(flow, Watch::Over, event.time_ns, cx, out);
            self.pair(event.cookie);
        }
        self.acceptor(event.cookie, &event.owner, cx, out);
    }

    /// The flow's own process is known. A flow that is not in the table is not made up: its end will tell.
    fn acceptor(&mut self, cookie: u64, owner: &OwnerRef, cx: &mut impl Context, out: &mut Vec<Change>) {
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        entry.flow.process = cx.who(owner);
        let was_pending = entry.pending;
        judge(&mut entry.flow, cx);
        if !was_pending {
            out.push(change(ChangeKind::Updated, entry));
        }
        let process = entry.flow.process.clone();
        let (local, peer, netns) = (entry.flow.local, entry.flow.peer, entry.flow.netns_cookie);
        let other = self.pairs.other_end(local, peer, netns);
        if let Some(other) = other
            && let Some(entry) = self.flows.get_mut(&other)
        {
            entry.flow.peer_process = process;
        }
        self.report_opening(cookie, out);
        if let Some(other) = other {
            self.report_opening(other, out);
        }
    }

    fn ended(&mut self, event: &SocketEvent, ending: &Ending, cx: &mut impl Context, out: &mut Vec<Change>) {
        let failed = !matches!(ending.outcome, Outcome::Closed | Outcome::Reset);
        if !failed {
            self.report_opening(event.cookie, out);
        }
        let mut entry = match self.remove(event.cookie) {
            Some(entry) => entry,
            None => {
                let attempt = self.attempts.take(event.cookie);
                if !failed {
                    // A socket from before the daemon, whose end was told already by the kernel's notice of it.
                    if event.owner.role == SocketRole::None && attempt.is_none() {
                        return;
                    }
                    self.counters.opening_missed += 1;
                }
                let direction =
                    attempt.as_ref().map_or_else(|| direction_of(event, cx), |flow| flow.direction);
                let process = cx.who(&event.owner).or_else(|| attempt?.process);
                let posture = (!failed).then(|| Arc::new(Posture::unknown(UNSEEN)));
                let mut flow = Flow { process, posture, ..bare(event, direction, ending.outcome) };
                judge(&mut flow, cx);
                Entry::unreported(flow)
            }
        };
        if !failed {
            entry.conclude_posture(&mut self.postures, cx);
        }
        let flow = &mut entry.flow;
        if flow.opened_ns.is_none() && ending.since_ns != 0 {
            flow.opened_ns = Some(ending.since_ns);
        }
        flow.ended_ns = Some(event.time_ns);
        flow.outcome = ending.outcome;
        // A socket from before the kernel side has no role; then the table knows better.
        let end = role_direction(event.owner.role).unwrap_or(flow.direction);
        flow.bytes_sent = Some(ending.bytes_sent(end));
        flow.bytes_received = ending.bytes_received;
        flow.rtt_us = ending.rtt_us;
        flow.retransmits = Some(ending.retransmits);
        out.push(last_change(if failed { ChangeKind::Failed } else { ChangeKind::Closed }, entry));
    }
}

/// A flow with what every record tells.
fn bare(event: &SocketEvent, direction: Direction, outcome: Outcome) -> Flow {
    Flow {
        id: CommunityId::tcp(event.local, event.peer),
        cookie: event.cookie,
        direction,
        local: event.local,
        peer: event.peer,
        opened_ns: None,
        ended_ns: None,
        process: None,
        peer_process: None,
        posture: None,
        verdict: Arc::clone(&UNJUDGED),
        outcome,
        bytes_sent: None,
        bytes_received: None,
        rtt_us: None,
        retransmits: None,
        netns_cookie: event.owner.netns_cookie,
        found: false,
    }
}

fn is_local(event: &SocketEvent) -> bool {
    event.peer.ip.is_loopback() || event.peer.ip == event.local.ip
}

/// Which end the socket was, told by its role and, where that is not known, by which port is watched.
fn direction_of(event: &SocketEvent, cx: &impl Context) -> Direction {
    role_direction(event.owner.role)
        .unwrap_or_else(|| if cx.is_watched(event.local.port) { Direction::In } else { Direction::Out })
}

/// Which end a socket of this role is.
const fn role_direction(role: SocketRole) -> Option<Direction> {
    match role {
        SocketRole::None => None,
        SocketRole::Connected => Some(Direction::Out),
        SocketRole::Bound | SocketRole::Accepted | SocketRole::Seeded => Some(Direction::In),
    }
}
