//! Connections that there was no room to describe: sums by what they have in common, as few as a reader can take.
//!
//! They come counted already, by peer or coarser, and as many groups as the kernel side has room for: 12,288 and some. What
//! is sent of one collection is bounded like a scan (`groups`), for each outcome apart, so that no storm hides a stranger.

use jiff::Timestamp;

use super::groups::{Bounds, Groups, Level};
use super::kind::Class;
use super::member::Member;
use super::peers::everybody;
use crate::event::{CountedBy, FlowEvent, FlowSummary, GaveUp, Overload, OverloadWhy, StandsFor, Summary};
use crate::overload::OverloadCounts;
use crate::shared::Shared;
use crate::verdict::ReasonSet;
use ipnet::IpNet;

/// What is sent of one collection, of which there is one a second: of each outcome 64 summaries of a port and 128 over all
/// ports, with a `violation` beside each that has some; and one more of each port and outcome for what exceeds that. Of one
/// kind (process, rule, reasons) 32 peers have a summary of their own, 16 if they are violations, then 8 networks.
static BOUNDS: Bounds = Bounds { of_port: 64, all: 128, peers, networks: 8 };

const fn peers(class: Class) -> u16 {
    match class {
        Class::Declared | Class::Undecided => 32,
        Class::Violation | Class::Accepted => 16,
    }
}

/// Connections that have port, direction, process and verdict in common, and at least the network of their peers or nothing
/// of it.
#[derive(Debug, Clone)]
pub struct Counted {
    /// By what they were counted together.
    pub by: CountedBy,
    /// Their peer, or the network that their peers are in, as it is shown.
    pub peer: IpNet,
    /// What they did.
    pub counts: OverloadCounts,
    /// When the first of it was.
    pub first: Timestamp,
    /// When the last of it was.
    pub last: Timestamp,
    /// One of them that violates the policy, to be reported; `None`: none is, or violations are not reported.
    pub violation: Option<FlowEvent>,
    /// Ends of which a `finding` would be sent.
    pub findings: u64,
}

/// What is sent of connections that have something in common.
#[derive(Debug)]
pub struct Summed {
    /// Their sum.
    pub summary: FlowSummary,
    /// One of them that stands for all that violate the policy.
    pub violation: Option<FlowEvent>,
}

/// Adds up until it is taken.
#[derive(Debug)]
pub struct Overloaded {
    why: OverloadWhy,
    groups: Groups,
    /// By the places of the groups.
    sums: Vec<Sum>,
    from: Timestamp,
}

/// What was added up of one group.
#[derive(Debug)]
struct Sum {
    by: CountedBy,
    groups: u64,
    counts: OverloadCounts,
    violation: Option<Box<FlowEvent>>,
    /// Connections that violate the policy, where violations are reported.
    violations: u64,
    findings: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Overloaded {
    /// Nothing yet; the first period begins at `from`.
    #[must_use]
    pub fn new(why: OverloadWhy, from: Timestamp) -> Self {
        Self { why, groups: Groups::bounded(&BOUNDS), sums: Vec::new(), from }
    }

    /// Whether nothing was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Adds connections. `common`: one of them with all that they have in common, and their verdict.
    pub fn add(&mut self, common: &FlowEvent, counted: Counted, now: Timestamp) {
        let Counted { by, peer, counts, first, last, violation, findings } = counted;
        let finest = match by {
            CountedBy::Peer => (Level::Peer, peer),
            CountedBy::Network if peer.prefix_len() > 0 => (Level::Network, peer),
            CountedBy::Network | CountedBy::Port => (Level::Everybody, everybody(peer.addr())),
        };
        let place = self.groups.place(finest, &Member::from(common), 0, now);
        let Some(slot) = self.groups.slots.get_mut(place) else { return };
        slot.reasons = slot.reasons.with(ReasonSet::from(&*common.verdict));
        if let Some(peers) = &mut slot.peers {
            peers.add(common.flow.peer.ip);
        }
        if self.sums.len() <= place as usize {
            self.sums.push(Sum {
                by,
                groups: 0,
                counts: OverloadCounts::default(),
                violation: None,
                violations: 0,
                findings: 0,
                first,
                last,
            });
        }
        let Some(sum) = self.sums.get_mut(place as usize) else { return };
        sum.by = sum.by.max(by);
        sum.groups = sum.groups.saturating_add(1);
        sum.counts.add(&counts);
        sum.first = sum.first.min(first);
        sum.last = sum.last.max(last);
        sum.findings = sum.findings.saturating_add(findings);
        if let Some(violation) = violation.filter(|_| counts.began() > 0) {
            sum.violations = sum.violations.saturating_add(counts.began());
            sum.violation.get_or_insert_with(|| Box::new(violation));
        }
    }

    /// What was added up, each exactly once.
    pub fn take(&mut self, now: Timestamp) -> Vec<Summed> {
        let why = self.why;
        let Self { groups, sums, from, .. } = std::mem::replace(self, Self::new(why, now));
        let summed = (0..).zip(sums).filter_map(|(place, sum)| summed(&groups, place, sum, why, (from, now)));
        summed.collect()
    }
}

fn summed(
    groups: &Groups,
    place: u32,
    sum: Sum,
    why: OverloadWhy,
    (from, to): (Timestamp, Timestamp),
) -> Option<Summed> {
    let slot = groups.slots.get(place)?;
    let family = slot.family.and_then(|family| groups.families.get(family));
    let Sum { by, counts, violation, violations, findings, first, last, .. } = sum;
    let violation = violation.map(|violation| FlowEvent {
        overload: Some(StandsFor { why, connections: violations }),
        ..*violation
    });
    // One of them is sent.
    let violations = violations - u64::from(violation.is_some());
    let mut coarse = slot.coarse();
    if let Some(coarse) = coarse.as_mut().filter(|_| by == CountedBy::Port)
        && !coarse.gave_up.contains(&GaveUp::Process)
    {
        coarse.gave_up.push(GaveUp::Process);
    }
    let OverloadCounts { opened, closed, failed, .. } = counts;
    let summary = Summary {
        from: from.min(first),
        to: to.max(last),
        group: family.map(|family| family.kind.group(slot.peer)),
        events: [opened, closed, failed, violations, findings].into_iter().fold(0, u64::saturating_add),
        opened,
        closed,
        ended: 0,
        failed,
        denied: 0,
        would_deny: 0,
        updated: 0,
        violations,
        findings,
        bytes_sent: counts.bytes_sent,
        bytes_received: counts.bytes_received,
        first,
        last,
        auto: None,
        coarse,
        overload: Some(Overload {
            why,
            sink: None,
            reason: None,
            counted_by: by,
            groups: sum.groups,
            denied: counts.denied,
            fin_unknown: counts.fin_unknown,
            ends_of_described: counts.ends_of_described,
            described_bytes_sent: counts.described_bytes_sent,
            described_bytes_received: counts.described_bytes_received,
            evicted: counts.evicted,
        }),
    };
    let summary = FlowSummary {
        port: Shared::clone(&slot.port),
        summary,
        verdict: slot.verdict(),
        accepted: slot.accepted.clone(),
        policy: slot.policy.clone(),
    };
    Some(Summed { summary, violation })
}
