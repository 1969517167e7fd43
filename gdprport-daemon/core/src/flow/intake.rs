//! Applying records: how a flow begins, becomes known better, and ends.

use gdprport_common::SocketRole;

use super::change::{Change, ChangeKind};
use super::context::Context;
use super::entry::{Ending, Entry, judge};
use super::postures::unseen;
use super::table::Table;
use super::translating::Ended;
use super::types::Flow;
use super::undecided::Inspection;
use crate::decode::{ConnectionEnd, ConnectionRecord, SocketEvent};
use crate::identity::OwnerRef;
use crate::model::{Direction, Nat, Outcome};

impl Table {
    /// Applies a record.
    pub fn ingest(&mut self, record: &ConnectionRecord<'_>, cx: &mut impl Context, out: &mut Vec<Change>) {
        match record {
            ConnectionRecord::Connected(event) => self.begin(event, Direction::Out, cx, out),
            ConnectionRecord::Arrived(event) => self.begin(event, Direction::In, cx, out),
            ConnectionRecord::Accepted(event) => self.accepted(event, cx, out),
            ConnectionRecord::Acceptor { cookie, owner } => self.acceptor(*cookie, owner, cx, out),
            ConnectionRecord::Ended(event, end) => self.ended(event, end, false, cx, out),
            ConnectionRecord::Failed(event, end) => self.ended(event, end, true, cx, out),
            ConnectionRecord::Refused(event, end) => self.refused(event, end, cx, out),
            ConnectionRecord::Payload { cookie, sent, offset, bytes } => {
                self.payload((*cookie, *sent, *offset), bytes, cx, out);
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
        // The record of a connect that predates the daemon has no owner.
        let connecting = self.connecting.take(event.cookie);
        let mut flow = of_event(event, direction);
        flow.opened_ns = Some(event.time_ns);
        flow.process = cx.process_of(&event.owner).or_else(|| connecting?.process);
        flow.owner_withheld = event.owner.withheld;
        self.insert(flow, Inspection::Silent, event.time_ns, cx, out);
        if let Some(bytes) = self.fast_open.take(event.cookie) {
            self.payload((event.cookie, true, 0), &bytes, cx, out);
        }
        self.pair(event.cookie);
        let known = match direction {
            Direction::In => false,
            // The other end of a connection within this host arrives a moment later.
            Direction::Out => !is_local(event),
        };
        if known {
            self.owner_settled(event.cookie, out);
        }
        self.wait_to_settle(event.cookie, event.time_ns);
    }

    fn accepted(&mut self, event: &SocketEvent, cx: &mut impl Context, out: &mut Vec<Change>) {
        let was_lost = !self.flows.contains_key(&event.cookie);
        if was_lost {
            // Its beginning was lost or evicted, or predates the daemon. In a full table it is what was evicted a moment ago,
            // and would drive out the next one that waits for its acceptor: its end will be reported.
            if self.flows.len() >= self.limits.flows {
                return;
            }
            let flow = Flow { found: true, posture: Some(unseen()), ..of_event(event, Direction::In) };
            self.insert(flow, Inspection::Over, event.time_ns, cx, out);
            self.pair(event.cookie);
        }
        self.acceptor(event.cookie, &event.owner, cx, out);
        if was_lost {
            self.wait_to_settle(event.cookie, event.time_ns);
        }
    }

    /// The flow's own process is known. A flow that is not in the table is not made up: its end will be reported.
    fn acceptor(&mut self, cookie: u64, owner: &OwnerRef, cx: &mut impl Context, out: &mut Vec<Change>) {
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        entry.flow.process = cx.process_of(owner);
        entry.flow.owner_withheld = owner.withheld;
        let was_pending = entry.pending;
        judge(&mut entry.flow, cx);
        if !was_pending {
            out.push(entry.change(ChangeKind::Updated));
        }
        let process = entry.flow.process.clone();
        let (local, peer, netns) = (entry.flow.local, entry.flow.peer, entry.flow.netns_cookie);
        let other = self.pairs.other_end(local, peer, netns);
        if let Some(other) = other
            && let Some(entry) = self.flows.get_mut(&other)
        {
            entry.flow.peer_process = process;
        }
        self.owner_settled(cookie, out);
        if let Some(other) = other {
            self.owner_settled(other, out);
        }
    }

    fn ended(
        &mut self,
        event: &SocketEvent,
        end: &ConnectionEnd,
        failed: bool,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        // One without an owner is of a socket that predates the daemon: its notice, which has the owner, reports the end.
        if event.owner.role != SocketRole::None {
            self.departed.mark(event.cookie);
        }
        if end.grouped && !failed {
            let is_known = self.flows.contains_key(&event.cookie) || self.is_connecting(event.cookie);
            if !is_known {
                return self.end_counted(event, end, cx);
            }
            self.counters.described_later += 1;
        }
        let awaits_nat =
            self.flows.get(&event.cookie).is_some_and(|entry| entry.flow.nat == Some(Nat::Pending));
        if !failed && !awaits_nat {
            self.report_opening(event.cookie, out);
        }
        let mut entry = match self.remove(event.cookie) {
            Some(entry) => entry,
            None => {
                let connecting = self.connecting.take(event.cookie);
                if !failed {
                    // A socket that predates the daemon, whose end its destroy notification has reported already.
                    if event.owner.role == SocketRole::None && connecting.is_none() {
                        return;
                    }
                }
                let direction = direction_of(event, failed || connecting.is_some());
                let process = cx.process_of(&event.owner).or_else(|| connecting?.process);
                let posture = (!failed).then(unseen);
                let owner_withheld = event.owner.withheld;
                let mut flow = Flow { process, owner_withheld, posture, ..of_event(event, direction) };
                self.translating.begin(&mut flow);
                judge(&mut flow, cx);
                // The end of one on a port that is no longer watched is not reported, so that nothing is missing.
                self.counters.opening_missed += u64::from(!failed && flow.port_index.is_some());
                Entry::unreported(flow)
            }
        };
        let opening = (entry.pending && !failed).then(|| Box::new(entry.flow.clone()));
        let flow = &mut entry.flow;
        if flow.opened_ns.is_none() && end.since_ns != 0 {
            flow.opened_ns = Some(end.since_ns);
        }
        end.apply(flow, event.time_ns);
        if entry.ending != Ending::NotAsked && end.aborted {
            flow.outcome = Outcome::EndedByPolicy;
        }
        if !failed {
            entry.conclude_posture(&mut self.postures, cx);
        }
        let kind = if failed { ChangeKind::Failed } else { ChangeKind::Closed };
        self.translating.end(Ended::new(entry, kind, opening), out);
    }

    /// A connection that never came to be, so that connection tracking is not asked about it. The cookie is its listener's, and
    /// that of many others.
    fn refused(
        &self,
        event: &SocketEvent,
        end: &ConnectionEnd,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        let mut flow = of_event(event, Direction::In);
        flow.process = cx.process_of(&event.owner);
        flow.owner_withheld = event.owner.withheld;
        flow.opened_ns = Some(event.time_ns);
        flow.nat = self.translating.may_be(&flow).then_some(Nat::Unknown);
        judge(&mut flow, cx);
        end.apply(&mut flow, event.time_ns);
        out.push(Entry::unreported(flow).last_change(ChangeKind::Failed));
    }
}

impl ConnectionEnd {
    /// What the end of a flow says of it.
    pub(super) fn apply(&self, flow: &mut Flow, ended_ns: u64) {
        flow.ended_ns = Some(ended_ns);
        flow.outcome = self.outcome;
        flow.bytes_sent = Some(self.bytes_sent(flow.direction));
        flow.bytes_received = self.bytes_received;
        flow.rtt_us = self.rtt_us;
        flow.retransmits = Some(self.retransmits);
    }
}

/// A flow with what every record carries.
pub(super) fn of_event(event: &SocketEvent, direction: Direction) -> Flow {
    let mut flow = Flow::new(event.cookie, direction, event.local, event.peer);
    flow.netns_cookie = event.owner.netns_cookie;
    flow.would_deny = event.would_deny;
    flow
}

fn is_local(event: &SocketEvent) -> bool {
    event.peer.ip.is_loopback() || event.peer.ip == event.local.ip
}

/// Which end the socket of a connection was whose beginning is not known: one that called connect, or by its role. The
/// end of one without a role is only reported if its connect is known.
pub(super) fn direction_of(event: &SocketEvent, called: bool) -> Direction {
    match event.owner.role {
        SocketRole::None | SocketRole::Connected => Direction::Out,
        _ if called => Direction::Out,
        SocketRole::Bound | SocketRole::Accepted | SocketRole::Seeded => Direction::In,
    }
}
