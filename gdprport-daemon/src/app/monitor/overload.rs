//! Connections that the kernel side had no room to report one by one: judged and counted as what they have in common.
//!
//! Belongs here: what a collection does to the monitor, and what is sent of it. Does not belong here: when it is asked for
//! (`app::overload`), what a group proves (`core::overload`), how many summaries there may be (`core::suppress`).

use std::collections::HashMap;

use gdprport_core::decode::overload::{OverloadGroup, OverloadOwner};
use gdprport_core::event::{Body, CountedBy};
use gdprport_core::flow::{Context as _, Flow, Judgement, Table};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::Process;
use gdprport_core::overload::{self, Part, of_end, parts};
use gdprport_core::policy::{ActivePolicy, Facts};
use gdprport_core::shared::Shared;
use gdprport_core::suppress::Counted;
use gdprport_core::verdict::{Accepted, Verdict};
use jiff::Timestamp;

use super::evidence::Judge;
use super::flow_event::peer_name;
use super::monitor::Monitor;
use crate::host::process::TaskLookup;

/// The evidence of what is judged at once: what owners have in common is found once for each.
struct OfGroups<'a> {
    judge: Judge<'a>,
    flows: &'a Table,
    known: HashMap<OverloadOwner, Option<Shared<Process>>>,
}

impl overload::Evidence for OfGroups<'_> {
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        self.judge.process_of(owner)
    }

    fn common(&mut self, owner: &OverloadOwner, time_ns: u64) -> Option<Shared<Process>> {
        let Self { judge, known, .. } = self;
        known.entry(*owner).or_insert_with(|| judge.common(&as_owner(owner, time_ns))).clone()
    }

    fn may_be_translated(&self, flow: &Flow) -> bool {
        self.flows.may_be_translated(flow)
    }

    fn judge(&mut self, facts: &Facts<'_>) -> Judgement {
        self.judge.decide(facts)
    }
}

impl<K: TaskLookup> Monitor<K> {
    /// Judges what was collected, or a part of it. [`Self::send_sums`] sends it.
    pub(super) fn counted(&mut self, groups: &[OverloadGroup], now: Timestamp) {
        let Self { flows, evidence, active_policy, volumes, .. } = self;
        let judge = evidence.context(active_policy, now).with(volumes.as_ref());
        let mut evidence = OfGroups { judge, flows, known: HashMap::new() };
        let mut all = Vec::with_capacity(groups.len());
        for group in groups {
            let (part, specimen) = parts(group, &mut evidence);
            all.extend(specimen);
            all.push(part);
        }
        for part in all {
            self.count(part, now);
        }
        self.counters.overload.groups += groups.len() as u64;
    }

    /// Counts the ends that the input under way has brought of connections whose opening was counted.
    #[inline]
    pub(super) fn count_ends(&mut self, now: Timestamp) {
        for flow in self.flows.take_summed() {
            self.count(of_end(flow), now);
        }
    }

    fn count(&mut self, mut part: Part, now: Timestamp) {
        let Self { publisher, counters, active_policy, tally, sums, volumes, .. } = self;
        if let Some(volumes) = volumes {
            let moved = part.counts.bytes_sent.saturating_add(part.counts.bytes_received);
            volumes.summed(&part.flow, moved, now);
        }
        let Some(port) = part.flow.port_index.and_then(|index| publisher.port(index)) else {
            // As of flows on a port that is no longer watched: those are counted that began.
            counters.unwatched += part.counts.began();
            return;
        };
        let accepted = accepted(active_policy, &part, now);
        counters.overload.counts.add(&part.counts);
        let of_port = counters.port(port.port.number, &port.port.name);
        of_port.summed(&part.counts, &part.flow.verdict, accepted.is_some());
        let names = active_policy.names();
        let (name, one_name) =
            (peer_name(&part.flow, names), part.violation.as_deref().and_then(|flow| peer_name(flow, names)));
        // What was decided by true values stands above. What goes from here on leaves the daemon.
        let peer = match part.by {
            CountedBy::Peer => None,
            CountedBy::Network | CountedBy::Port => Some(publisher.shown_network(part.peer)),
        };
        publisher.show(&mut part.flow);
        let peer = peer.unwrap_or_else(|| part.flow.peer.ip.into());
        if let Some(tally) = tally {
            tally.summed(&part.flow, peer, &part.counts, now);
        }
        // Without a policy nothing is declared, and a violation of all would only say so again.
        let violates = part.counts.began() > 0 && publisher.policy().is_some();
        let one = part.violation.filter(|_| violates).map(|one| {
            let mut one = *one;
            publisher.show(&mut one);
            publisher.event_of(one, one_name, Shared::clone(&port.port), accepted.clone(), now)
        });
        let is_unproven = port.demands_tls && matches!(*part.flow.verdict, Verdict::Undecided { .. });
        let clock = publisher.clock();
        let counted = Counted {
            by: part.by,
            peer,
            counts: part.counts,
            first: clock.timestamp(part.first_ns),
            last: clock.timestamp(part.last_ns),
            violation: one,
            findings: if is_unproven { part.counts.closed } else { 0 },
        };
        let common = publisher.event_of(part.flow, name, port.port, accepted, now);
        sums.of_kernel(now).add(&common, counted, now);
    }

    /// Sends what was counted since the last call: at most as much as `core::suppress` has bounds for.
    pub(in crate::app) fn send_sums(&mut self, now: Timestamp) {
        let Self { publisher, sums, .. } = self;
        for summed in sums.take(now) {
            if let Some(violation) = summed.violation {
                publisher.flow_violates(&violation, now);
            }
            publisher.send(Body::FlowSummary(Box::new(summed.summary)), now);
        }
    }
}

/// Nobody in particular: what the key of a group has.
const fn as_owner(owner: &OverloadOwner, time_ns: u64) -> OwnerRef {
    let OverloadOwner { role, withheld, exec_id, cgroup_id, uid, gid, euid, egid } = *owner;
    OwnerRef {
        tgid: 0,
        parent_tgid: 0,
        uid,
        gid,
        euid,
        egid,
        exec_id,
        cgroup_id,
        netns_cookie: 0,
        start_ns: 0,
        time_ns,
        comm: [0; 16],
        role,
        withheld,
    }
}

/// The exceptions that accept the violation of all of them.
fn accepted(policy: &ActivePolicy, part: &Part, now: Timestamp) -> Option<Shared<Accepted>> {
    let Verdict::Violation { reasons, .. } = &*part.flow.verdict else { return None };
    if !policy.has_exceptions() {
        return None;
    }
    let port = policy.policy().port_at(part.flow.port_index?)?;
    policy.accepted(&part.facts(), port, reasons.iter().map(|reason| reason.id), now)
}
