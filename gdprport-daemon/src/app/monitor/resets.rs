//! Flows that are ended because the policy denies them: which ones, and what became of it.
//!
//! Whether the policy asks for it is the core's (`ActivePolicy::existing`, `ends_for_posture`), how a connection is ended
//! `host::ending`'s. Nothing is ended while connects are not decided: what comes back would be let in again.

use std::collections::HashSet;

use gdprport_common::EnforceOwnKey;
use gdprport_core::flow::{Change, ChangeKind, Flow, Standing, Table};
use gdprport_core::model::Direction;
use gdprport_core::policy::{ActivePolicy, Existing, PortInfo};
use jiff::Timestamp;

use crate::control::api::EndingStatus;
use crate::host::clock::boottime_ns;
use crate::host::ending::{Done, Endings, Outcome, Wanted};
use crate::host::sockets::Target;

/// Connections that are handed over at once.
const AT_ONCE: usize = 4_096;

/// Has flows ended, and knows what became of them.
#[derive(Debug, Default)]
pub(in crate::app) struct Resets {
    /// Who ends them; `None`: nobody, as for a scan.
    pub(super) endings: Option<Endings>,
    /// Connects are decided, and a port asks for `posture = "reset"`.
    pub(super) posture: bool,
    /// The same of `existing = "reset"`.
    pub(super) existing: bool,
    /// Flows that were open when the policy came into force, of which was not known yet whether it denies them. At most as many
    /// as the table holds.
    pub(super) undecided: HashSet<u64>,
    /// Since the policy came into force other flows may be found that were open before.
    pub(super) awaits: bool,
    /// Connects of the daemon's own deliverer, which are not ended either.
    pub(in crate::app) own: Vec<EnforceOwnKey>,
    /// Flows that could not be ended and are open; at most as many as the table holds.
    going_on: HashSet<u64>,
    pub(super) counts: EndingStatus,
}

impl Resets {
    /// What was asked for so far.
    #[must_use]
    pub(in crate::app) fn status(&self) -> EndingStatus {
        EndingStatus { going_on: self.going_on.len() as u64, ..self.counts.clone() }
    }

    /// Another policy comes: nothing is ended until connects are decided by it, nor for the one before.
    pub(super) fn policy_comes(&mut self) {
        (self.posture, self.existing, self.awaits) = (false, false, false);
        self.undecided.clear();
    }

    /// Looks at a flow that has changed.
    pub(super) fn changed(
        &mut self,
        change: &Change,
        flows: &mut Table,
        policy: &ActivePolicy,
        now: Timestamp,
    ) {
        let cookie = change.flow.cookie;
        if matches!(change.kind, ChangeKind::Closed | ChangeKind::Failed | ChangeKind::Removed(_)) {
            // Every connection comes here, and hardly ever is anything in these: a removal hashes even then.
            for some in [&mut self.undecided, &mut self.going_on] {
                if !some.is_empty() {
                    some.remove(&cookie);
                }
            }
            return;
        }
        // What a reload demands of flows that were open is `existing`'s.
        let turned_out = matches!(change.kind, ChangeKind::Opened | ChangeKind::PostureKnown);
        let denied = |port: &PortInfo| {
            policy.ends_for_posture(&change.flow.facts(), port, &change.flow.verdict, now)
                && !self.is_own(&change.flow)
        };
        let for_posture = self.posture
            && turned_out
            && change.is_new_violation()
            && port_of(&change.flow, policy).is_some_and(denied);
        if for_posture {
            self.end(&[change.flow.cookie], flows);
        }
        if self.undecided.contains(&cookie) {
            self.look(cookie, &change.flow, flows, policy, now);
        }
    }

    /// Looks at a flow whose first bytes came, before it has settled: a server that is slow to accept need not be waited for. An
    /// exception may be for who that will be.
    pub(super) fn bytes_came(
        &mut self,
        cookie: u64,
        flows: &mut Table,
        policy: &ActivePolicy,
        now: Timestamp,
    ) {
        if !self.posture || policy.has_exceptions() {
            return;
        }
        let Some((flow, false)) = flows.settled(cookie) else { return };
        let ends =
            |port| policy.ends_for_posture(&flow.facts(), port, &flow.verdict, now) && !self.is_own(flow);
        if port_of(flow, policy).is_some_and(ends) {
            self.end(&[cookie], flows);
        }
    }

    /// Looks at a flow that was found and is older than the policy.
    pub(super) fn found(&mut self, cookie: u64, flows: &mut Table, policy: &ActivePolicy, now: Timestamp) {
        if self.existing
            && self.awaits
            && let Some(flow) = flows.get(cookie).cloned()
        {
            self.undecided.insert(cookie);
            self.look(cookie, &flow, flows, policy, now);
        }
    }

    /// Looks again at one that was open when the policy came into force.
    fn look(&mut self, cookie: u64, flow: &Flow, flows: &mut Table, policy: &ActivePolicy, now: Timestamp) {
        if Standing::from(&*flow.verdict) == Standing::Undecided {
            return;
        }
        self.undecided.remove(&cookie);
        if self.existing && self.fate(flow, policy, now) == Some(Existing::Ended) {
            self.end(&[cookie], flows);
        }
    }

    /// Has flows ended that are not to be yet.
    pub(super) fn end(&mut self, cookies: &[u64], flows: &mut Table) {
        let Some(endings) = &self.endings else { return };
        let mut wanted = Vec::new();
        for cookie in cookies {
            if let Some(flow) = flows.get(*cookie).map(of_flow)
                && flows.begin_ending(*cookie)
            {
                self.going_on.remove(cookie);
                self.counts.asked += 1;
                wanted.push(flow);
            }
        }
        let mut refused = Vec::new();
        for some in wanted.chunks(AT_ONCE) {
            refused.extend(endings.end(some.to_vec()).err().unwrap_or_default());
        }
        for wanted in refused {
            self.failed(
                wanted.target.cookie,
                "too many connections are to be ended at once".to_owned(),
                flows,
            );
        }
    }

    /// What becomes of a flow that is open as the policy comes into force; `None`: it does not deny it.
    pub(super) fn fate(&self, flow: &Flow, policy: &ActivePolicy, now: Timestamp) -> Option<Existing> {
        let fate = policy.existing(&flow.facts(), port_of(flow, policy)?, &flow.verdict, now)?;
        Some(if self.is_own(flow) { Existing::Kept } else { fate })
    }

    fn is_own(&self, flow: &Flow) -> bool {
        let uid = flow.process.as_ref().map(|process| process.uid);
        let port = u32::from(flow.peer.port);
        flow.direction == Direction::Out
            && self.own.iter().any(|own| uid == Some(own.uid) && port == own.port)
    }

    fn failed(&mut self, cookie: u64, why: String, flows: &mut Table) {
        if self.counts.failed == 0 {
            tracing::error!("a connection that the policy denies could not be ended: {why}");
        }
        self.counts.failed += 1;
        self.counts.error = Some(why);
        flows.give_up_ending(cookie);
        if flows.get(cookie).is_some() {
            self.going_on.insert(cookie);
        }
    }

    /// What became of some.
    pub(super) fn done(&mut self, done: Vec<Done>, flows: &mut Table) {
        let now_ns = boottime_ns();
        for (cookie, outcome) in done {
            match outcome {
                Outcome::Ended => {
                    self.counts.ended += 1;
                    flows.ended_as_asked(cookie, now_ns);
                }
                Outcome::Gone => {
                    self.counts.gone += 1;
                    flows.give_up_ending(cookie);
                }
                Outcome::Failed(why) => self.failed(cookie, why.to_string(), flows),
            }
        }
    }
}

pub(super) fn port_of<'p>(flow: &Flow, policy: &'p ActivePolicy) -> Option<&'p PortInfo> {
    policy.policy().port_at(flow.port_index?)
}

fn of_flow(flow: &Flow) -> Wanted {
    Wanted {
        target: Target { cookie: flow.cookie, local: flow.local, peer: flow.peer },
        netns_cookie: flow.netns_cookie,
        pid: flow.process.as_ref().map_or(0, |process| process.pid),
    }
}
