//! Connections with one verdict.
//!
//! A group proves of all its connections what its key has: the executable, user, group and cgroup that they have in common,
//! and their peer's address or network. It proves no process id, and nothing of the encryption. It also has one of them with
//! everything, the specimen, which is judged for itself too: where that one is in violation, and of the others it is not
//! proven, it is a part of its own.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

use super::counts::OverloadCounts;
use crate::decode::overload::{OverloadGroup, OverloadLevel, OverloadOwner, Specimen};
use crate::decode::{ConnectionEnd, SocketEvent};
use crate::event::CountedBy;
use crate::flow::{Flow, Judgement};
use crate::identity::OwnerRef;
use crate::model::{Direction, Nat, Outcome, Posture, Process};
use crate::policy::Facts;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// Why the encryption of connections is not known that were counted.
const COUNTED: &str = "the connection was counted and not described: there was no room for its records";

/// Why the peer of each is not known of connections that were counted by port.
const BY_PORT: &str = "as the connections were counted together by port";

/// Connections that have everything in common that their verdict rests on.
#[derive(Debug, Clone)]
pub struct Part {
    /// By what they were counted together.
    pub by: CountedBy,
    /// Their peer, or the network that all their peers are in.
    pub peer: IpNet,
    /// One of them, of which only what they have in common counts: port, direction, process and posture. The verdict is that
    /// on all of them.
    pub flow: Flow,
    /// What they did.
    pub counts: OverloadCounts,
    /// When the first of it was, boottime ns.
    pub first_ns: u64,
    /// When the last of it was, boottime ns.
    pub last_ns: u64,
    /// One of them with all that is known of it alone, if it violates the policy.
    pub violation: Option<Box<Flow>>,
}

/// What is known of owners, and what the policy decides.
pub trait Evidence {
    /// The process behind an owner; `None` if there is none that is known.
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>>;
    /// What the owner of a group proves of every process in it at this boottime in ns; `None`: nothing. Without a process id.
    fn common(&mut self, owner: &OverloadOwner, time_ns: u64) -> Option<Shared<Process>>;
    /// Whether the host may translate the addresses of this flow, which nobody was asked about.
    fn may_be_translated(&self, flow: &Flow) -> bool;
    /// The policy's decision.
    fn judge(&mut self, facts: &Facts<'_>) -> Judgement;
}

impl Part {
    /// What the policy judges all of them by.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let facts = self.flow.facts();
        match self.by {
            CountedBy::Peer => facts,
            CountedBy::Network => Facts { peer_within: Some(self.peer), ..facts },
            CountedBy::Port => Facts { peer_missing: Some(BY_PORT), ..facts },
        }
    }

    fn judge(&mut self, evidence: &mut impl Evidence) {
        let Judgement { verdict, port } = evidence.judge(&self.facts());
        (self.flow.verdict, self.flow.port_index) = (verdict, port);
    }
}

/// The connections of a group, and the specimen apart where it is in violation and the others are not.
#[must_use]
pub fn parts(group: &OverloadGroup, evidence: &mut impl Evidence) -> (Part, Option<Part>) {
    let Specimen { socket, end } = &group.specimen;
    let mut specimen = of_specimen(group, socket, end.as_ref(), evidence);
    let common = group.owner.as_ref().and_then(|owner| evidence.common(owner, socket.time_ns));
    let ip = specimen.peer.ip;
    let mut all = Part {
        by: match group.level {
            OverloadLevel::Peer => CountedBy::Peer,
            OverloadLevel::Network => CountedBy::Network,
            OverloadLevel::Port => CountedBy::Port,
        },
        peer: group.peer.unwrap_or_else(|| everybody(ip)),
        flow: Flow {
            process: common,
            owner_withheld: group.owner.and_then(|owner| owner.withheld),
            ..specimen.clone()
        },
        counts: counts(group),
        first_ns: group.first_ns,
        last_ns: group.last_ns,
        violation: None,
    };
    all.judge(evidence);
    let own = evidence.judge(&specimen.facts());
    (specimen.verdict, specimen.port_index) = (own.verdict, own.port);
    if !is_violation(&specimen) {
        return (all, None);
    }
    if is_violation(&all.flow) {
        all.violation = Some(Box::new(specimen));
        return (all, None);
    }
    let alone = began_alone(end.as_ref(), group.direction);
    if alone.is_zero() {
        return (all, None);
    }
    all.counts.take(&alone);
    let one = Part {
        by: CountedBy::Peer,
        peer: ip.into(),
        counts: alone,
        first_ns: socket.time_ns,
        last_ns: socket.time_ns,
        violation: Some(Box::new(specimen.clone())),
        flow: specimen,
    };
    (all, Some(one))
}

/// The end of a flow whose opening was counted in a group: it is counted too.
#[must_use]
pub fn of_end(flow: Flow) -> Part {
    let counts = OverloadCounts {
        closed: 1,
        bytes_sent: flow.bytes_sent.unwrap_or(0),
        bytes_received: flow.bytes_received.unwrap_or(0),
        ..OverloadCounts::default()
    };
    let at_ns = flow.ended_ns.or(flow.opened_ns).unwrap_or(0);
    Part {
        by: CountedBy::Peer,
        peer: flow.peer.ip.into(),
        counts,
        first_ns: at_ns,
        last_ns: at_ns,
        violation: None,
        flow,
    }
}

fn of_specimen(
    group: &OverloadGroup,
    socket: &SocketEvent,
    end: Option<&ConnectionEnd>,
    evidence: &mut impl Evidence,
) -> Flow {
    let direction = group.direction;
    let mut flow = Flow::new(socket.cookie, direction, socket.local, socket.peer);
    flow.netns_cookie = socket.owner.netns_cookie;
    flow.process = evidence.process_of(&socket.owner);
    flow.owner_withheld = socket.owner.withheld;
    flow.opened_ns = Some(socket.time_ns);
    if let Some(end) = end {
        flow.opened_ns = (end.since_ns != 0).then_some(end.since_ns);
        flow.ended_ns = Some(socket.time_ns);
        flow.outcome = end.outcome;
        flow.bytes_sent = Some(end.bytes_sent(direction));
        flow.bytes_received = end.bytes_received;
        flow.rtt_us = end.rtt_us;
        flow.retransmits = Some(end.retransmits);
    }
    // A connect that failed had nothing that could be encrypted.
    let never_open = began_alone(end, direction).failed > 0;
    flow.posture = (!never_open).then(posture);
    flow.nat = evidence.may_be_translated(&flow).then_some(Nat::Unknown);
    flow
}

/// The posture of connections that were counted.
pub(crate) fn posture() -> Shared<Posture> {
    static POSTURE: LazyLock<Shared<Posture>> = LazyLock::new(|| Shared::new(Posture::unknown(COUNTED)));
    Shared::clone(&POSTURE)
}

/// What the occasion of a specimen counts, if a connection began with it.
fn began_alone(end: Option<&ConnectionEnd>, direction: Direction) -> OverloadCounts {
    let mut counts = OverloadCounts::default();
    match end {
        None => counts.opened = 1,
        Some(end) => match end.outcome {
            Outcome::Refused | Outcome::Aborted => counts.failed = 1,
            Outcome::Denied | Outcome::DeniedByPolicy => (counts.failed, counts.denied) = (1, 1),
            // Of a connection that was established the SYN is acknowledged.
            Outcome::TimedOut if direction == Direction::Out && end.acked == 0 => counts.failed = 1,
            Outcome::Established
            | Outcome::Closed
            | Outcome::Reset
            | Outcome::EndedByPolicy
            | Outcome::TimedOut
            | Outcome::Lost => {}
        },
    }
    counts
}

fn counts(group: &OverloadGroup) -> OverloadCounts {
    let sums = &group.sums;
    let denied = sums.denied.saturating_add(sums.denied_by_policy);
    OverloadCounts {
        opened: sums.opened,
        failed: sums.failed.saturating_add(denied),
        denied,
        closed: sums.closed,
        bytes_sent: sums.sent,
        bytes_received: sums.received,
        fin_unknown: sums.fin_unknown,
        ends_of_described: sums.ends_of_described,
        described_bytes_sent: sums.described_sent,
        described_bytes_received: sums.described_received,
        evicted: 0,
    }
}

fn is_violation(flow: &Flow) -> bool {
    matches!(*flow.verdict, Verdict::Violation { .. })
}

/// All peers of the version of this one.
fn everybody(ip: IpAddr) -> IpNet {
    IpNet::new(ip, 0).map_or_else(|_| ip.into(), |network| network.trunc())
}
