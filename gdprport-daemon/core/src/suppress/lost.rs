//! Events that a sink has lost: sums by what they have in common, for its own stream once it works again.
//!
//! Nothing is kept beside a line while nothing is lost: what a lost line was about is read from the line itself, which is ours.
//! That takes 6 to 9 µs for one of 1.2 KB (two busy processors), a third to a half of one at 50,000 lost lines a second.
//! It is paid only while a sink loses, by whoever loses: the sink's thread where a write failed, the loop where a
//! queue is full.
//! Sums are bounded like those of a storm (`overload`), and a sum that is lost too goes back into the sums.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::groups::{Bounds, Groups, Level};
use super::kind::Class;
use super::member::Member;
use super::peers::everybody;
use crate::event::{
    Body, Coarse, CountedBy, Event, FlowEvent, FlowSummary, GaveUp, Kind, Overload, OverloadWhy, StandsFor,
    Summary, Violation,
};
use crate::model::Outcome;
use crate::overload::OverloadCounts;
use crate::shared::Shared;
use crate::verdict::{ReasonSet, Verdict};

/// What is kept of one loss: of each outcome 16 sums of a port and 32 over all ports, with a `violation` beside each that has
/// some; and one more of each port and outcome for what exceeds that. Of one kind (process, rule, reasons) 8 peers have a sum of
/// their own, 16 if they are violations, then 4 networks. About 1 KB each, without those of ports 130 KB.
static BOUNDS: Bounds = Bounds { of_port: 16, all: 32, peers, networks: 4 };

const fn peers(class: Class) -> u16 {
    match class {
        Class::Declared | Class::Undecided => 8,
        Class::Violation | Class::Accepted => 16,
    }
}

/// Events about no flow that are kept as they are: as many listeners in violation, and as many others. What exceeds it is only in
/// the sink's counters.
const KEPT: usize = 64;

/// Bytes of a line in which its time and kind stand, before any text that somebody else chose. 180 are the most there are.
const HEAD: usize = 256;

/// What a sink has lost for one reason, until it is taken.
#[derive(Debug)]
pub struct Lost {
    sink: Arc<str>,
    reason: Arc<str>,
    groups: Groups,
    /// By the places of the groups.
    sums: Vec<Sum>,
    violations: Vec<Body>,
    others: Vec<Body>,
    /// The time of the oldest.
    from: Option<Timestamp>,
}

/// What was lost of one group.
#[derive(Debug)]
struct Sum {
    by: CountedBy,
    /// Events that were lost.
    events: u64,
    counts: OverloadCounts,
    updated: u64,
    /// `violation` events, and the first of them.
    violations: u64,
    violation: Option<Box<FlowEvent>>,
    findings: u64,
    first: Timestamp,
    last: Timestamp,
    /// Of sums that were lost.
    gave_up: Vec<GaveUp>,
    peers_at_least: u64,
}

impl Sum {
    fn new(time: Timestamp) -> Self {
        Self {
            by: CountedBy::Peer,
            events: 0,
            counts: OverloadCounts::default(),
            updated: 0,
            violations: 0,
            violation: None,
            findings: 0,
            first: time,
            last: time,
            gave_up: Vec::new(),
            peers_at_least: 0,
        }
    }
}

impl Lost {
    /// Nothing yet, of a sink, for a reason: both as gaps name them.
    #[must_use]
    pub fn new(sink: &str, reason: &str) -> Self {
        Self {
            sink: sink.into(),
            reason: reason.into(),
            groups: Groups::bounded(&BOUNDS),
            sums: Vec::new(),
            violations: Vec::new(),
            others: Vec::new(),
            from: None,
        }
    }

    /// Adds a line that was lost, one of [`native`](crate::encode::native). A line that is none is not added.
    pub fn line(&mut self, line: &[u8]) {
        let Some((kind, time)) = head(line) else { return };
        match kind {
            Kind::FlowOpen | Kind::FlowFail | Kind::FlowClose | Kind::FlowUpdate | Kind::FlowPosture => {
                if let Ok(event) = serde_json::from_slice(line) {
                    self.flow(kind, &event, time);
                }
            }
            // Of a flow, or of something else.
            Kind::Violation | Kind::Finding => match serde_json::from_slice(line) {
                Ok(event) => self.flow(kind, &event, time),
                Err(_) => self.whole(line),
            },
            Kind::FlowSummary => {
                if let Ok(event) = serde_json::from_slice(line) {
                    self.summary(&event);
                }
            }
            Kind::Coverage | Kind::SinkLost | Kind::SinkTest | Kind::EvidenceCheckpoint => {}
            Kind::ListenerOpen
            | Kind::ListenerFail
            | Kind::ListenerClose
            | Kind::PolicyApplied
            | Kind::DaemonStart
            | Kind::DaemonStop => self.whole(line),
        }
    }

    fn whole(&mut self, line: &[u8]) {
        if let Ok(event) = serde_json::from_slice::<Event>(line) {
            self.event(&event);
        }
    }

    /// The same of an event.
    pub fn event(&mut self, event: &Event) {
        let (kind, body) = (event.body.kind(), &event.body);
        if let Some(flow) = body.flow() {
            return self.flow(kind, flow, event.time);
        }
        match body {
            Body::FlowSummary(summary) => self.summary(summary),
            // A later one has the same counters, and grown gaps; or covers more of the log.
            Body::Coverage(_) | Body::SinkLost(_) | Body::SinkTest(_) | Body::EvidenceCheckpoint(_) => {}
            _ => self.keep(body.clone(), event.time),
        }
    }

    fn keep(&mut self, body: Body, time: Timestamp) {
        let kept = if body.kind() == Kind::Violation { &mut self.violations } else { &mut self.others };
        if kept.len() < KEPT {
            self.from = Some(self.from.map_or(time, |from| from.min(time)));
            kept.push(body);
        }
    }

    fn flow(&mut self, kind: Kind, event: &FlowEvent, time: Timestamp) {
        let ip = event.flow.peer.ip;
        let Some(sum) = self.sum((Level::Peer, ip.into()), &Member::from(event), Some(ip), time) else {
            return;
        };
        sum.events += 1;
        let counts = &mut sum.counts;
        match kind {
            Kind::FlowOpen => counts.opened += 1,
            Kind::FlowFail => {
                counts.failed += 1;
                let unsent = matches!(event.flow.outcome, Outcome::Denied | Outcome::DeniedByPolicy);
                counts.denied += u64::from(unsent);
            }
            Kind::FlowClose => counts.add(&OverloadCounts {
                closed: 1,
                bytes_sent: event.flow.bytes_sent.unwrap_or(0),
                bytes_received: event.flow.bytes_received.unwrap_or(0),
                ..OverloadCounts::default()
            }),
            Kind::FlowUpdate | Kind::FlowPosture => sum.updated += 1,
            Kind::Violation => {
                // Of one that stood for others that were lost, those are in its summary.
                sum.violations += 1;
                sum.violation.get_or_insert_with(|| Box::new(event.clone()));
            }
            _ => sum.findings += 1,
        }
    }

    /// Adds a sum that was lost, of whatever origin.
    fn summary(&mut self, event: &FlowSummary) {
        let Summary { group, opened, closed, failed, updated, violations, findings, .. } = &event.summary;
        let Summary { denied, bytes_sent, bytes_received, first, last, coarse, overload, .. } =
            &event.summary;
        let verdict = common_verdict(event);
        let everything = everybody(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let finest = group.as_ref().map_or((Level::Port, everything), |group| {
            let peer = IpNet::from(group.peer_ip);
            match group.peer_prefix {
                None => (Level::Peer, peer),
                Some(0) => (Level::Everybody, everybody(group.peer_ip)),
                Some(bits) => (Level::Network, IpNet::new(group.peer_ip, bits).unwrap_or(peer)),
            }
        });
        let peer = group.as_ref().filter(|group| group.peer_prefix.is_none()).map(|group| group.peer_ip);
        let Some(sum) = self.sum(finest, &Member::of_summary(event, &verdict), peer, *first) else { return };
        sum.first = sum.first.min(*first);
        sum.last = sum.last.max(*last);
        sum.events += 1;
        sum.updated = sum.updated.saturating_add(*updated);
        sum.violations = sum.violations.saturating_add(*violations);
        sum.findings = sum.findings.saturating_add(*findings);
        let mut counts = OverloadCounts {
            opened: *opened,
            closed: *closed,
            failed: *failed,
            denied: *denied,
            bytes_sent: *bytes_sent,
            bytes_received: *bytes_received,
            ..OverloadCounts::default()
        };
        if let Some(overload) = overload {
            counts.denied = counts.denied.saturating_add(overload.denied);
            counts.fin_unknown = overload.fin_unknown;
            counts.ends_of_described = overload.ends_of_described;
            counts.described_bytes_sent = overload.described_bytes_sent;
            counts.described_bytes_received = overload.described_bytes_received;
            counts.evicted = overload.evicted;
            sum.by = sum.by.max(overload.counted_by);
            if overload.why == OverloadWhy::SinkLost {
                sum.events = sum.events.saturating_add(overload.groups);
            }
        }
        sum.counts.add(&counts);
        if let Some(coarse) = coarse {
            sum.peers_at_least = sum.peers_at_least.max(coarse.peers_at_least);
            add_gave_up(&mut sum.gave_up, &coarse.gave_up);
        }
    }

    /// The sum that something belongs to, of whose peers one may be known.
    fn sum(
        &mut self,
        finest: (Level, IpNet),
        member: &Member<'_>,
        peer: Option<IpAddr>,
        time: Timestamp,
    ) -> Option<&mut Sum> {
        let place = self.groups.place(finest, member, 0, time);
        let slot = self.groups.slots.get_mut(place)?;
        slot.reasons = slot.reasons.with(ReasonSet::from(&**member.verdict));
        if let (Some(peers), Some(peer)) = (&mut slot.peers, peer) {
            peers.add(peer);
        }
        if self.sums.len() <= place as usize {
            self.sums.push(Sum::new(time));
        }
        self.from = Some(self.from.map_or(time, |from| from.min(time)));
        let sum = self.sums.get_mut(place as usize)?;
        sum.first = sum.first.min(time);
        sum.last = sum.last.max(time);
        Some(sum)
    }

    /// What was lost, each exactly once: first what is no sum, then a `violation` before the sum that it stands for.
    pub fn take(&mut self, now: Timestamp) -> Vec<Body> {
        let Self { sink, reason, groups, sums, violations, others, from } =
            std::mem::replace(self, Self::new(&self.sink, &self.reason));
        let mut bodies = others;
        bodies.extend(violations);
        let from = from.unwrap_or(now);
        for (place, mut sum) in (0..).zip(sums) {
            if let Some(violation) = sum.violation.take() {
                let overload = StandsFor { why: OverloadWhy::SinkLost, connections: sum.violations };
                let violation = FlowEvent { overload: Some(overload), ..*violation };
                bodies.push(Body::Violation(Box::new(Violation::Flow(violation))));
                // That is one of them.
                sum.violations -= 1;
            }
            let overload = Overload {
                why: OverloadWhy::SinkLost,
                sink: Some(Arc::clone(&sink)),
                reason: Some(Arc::clone(&reason)),
                counted_by: sum.by,
                groups: sum.events,
                denied: sum.counts.denied,
                fin_unknown: sum.counts.fin_unknown,
                ends_of_described: sum.counts.ends_of_described,
                described_bytes_sent: sum.counts.described_bytes_sent,
                described_bytes_received: sum.counts.described_bytes_received,
                evicted: sum.counts.evicted,
            };
            let summary = summed(&groups, place, sum, overload, (from, now));
            bodies.extend(summary.map(|summary| Body::FlowSummary(Box::new(summary))));
        }
        bodies
    }
}

fn summed(
    groups: &Groups,
    place: u32,
    sum: Sum,
    overload: Overload,
    (from, to): (Timestamp, Timestamp),
) -> Option<FlowSummary> {
    let slot = groups.slots.get(place)?;
    let family = slot.family.and_then(|family| groups.families.get(family));
    let Sum { counts, updated, violations, findings, first, last, gave_up, peers_at_least, .. } = sum;
    let mut coarse = slot.coarse();
    if !gave_up.is_empty() {
        let coarse = coarse.get_or_insert(Coarse { gave_up: Vec::new(), peers_at_least: 0 });
        add_gave_up(&mut coarse.gave_up, &gave_up);
        coarse.peers_at_least = coarse.peers_at_least.max(peers_at_least);
    }
    let OverloadCounts { opened, closed, failed, bytes_sent, bytes_received, .. } = counts;
    let summary = Summary {
        from,
        to: to.max(last),
        group: family.map(|family| family.kind.group(slot.peer)),
        events: [opened, closed, failed, updated, violations, findings]
            .into_iter()
            .fold(0, u64::saturating_add),
        opened,
        closed,
        ended: 0,
        failed,
        denied: 0,
        would_deny: 0,
        updated,
        violations,
        findings,
        bytes_sent,
        bytes_received,
        first,
        last,
        auto: None,
        coarse,
        overload: Some(overload),
    };
    Some(FlowSummary {
        port: Shared::clone(&slot.port),
        summary,
        verdict: slot.verdict(),
        accepted: slot.accepted.clone(),
        policy: slot.policy.clone(),
    })
}

/// The verdict of what a summary counts, which not every summary says.
fn common_verdict(event: &FlowSummary) -> Shared<Verdict> {
    if let Some(verdict) = &event.verdict {
        return Shared::clone(verdict);
    }
    let Summary { group, auto, overload, .. } = &event.summary;
    let rule = group.as_ref().and_then(|group| group.rule.clone());
    // Of `auto` and of storms only flows that several rules declare have no verdict in common.
    let is_declared = rule.is_some() || auto.is_some() || overload.is_some();
    let verdict = if is_declared {
        Verdict::Declared { rule: rule.unwrap_or_default() }
    } else {
        let missing = vec!["their summary does not say which of them are declared".to_owned()];
        Verdict::Undecided { missing, nearest: None }
    };
    verdict.into()
}

fn add_gave_up(to: &mut Vec<GaveUp>, more: &[GaveUp]) {
    to.extend(more.iter().filter(|one| !to.contains(one)).copied().collect::<Vec<_>>());
}

/// Kind and time of a line.
fn head(line: &[u8]) -> Option<(Kind, Timestamp)> {
    let head = line.get(..HEAD).unwrap_or(line);
    let value = |key: &[u8]| {
        let at = head.windows(key.len()).position(|window| window == key)? + key.len();
        let end = head[at..].iter().position(|byte| *byte == b'"')?;
        std::str::from_utf8(&head[at..at + end]).ok()
    };
    let kind = value(b"\"kind\":\"")?;
    let kind = *Kind::ALL.iter().find(|known| known.as_str() == kind)?;
    Some((kind, value(b"\"time\":\"")?.parse().ok()?))
}
