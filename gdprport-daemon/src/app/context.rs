//! What the flow table asks of the rest: who a process is, what the policy says.

use std::net::IpAddr;
use std::sync::Arc;

use gdprport_common::{ExecRecord, TaskIdentity};
use jiff::Timestamp;

use crate::host::probes::Probes;
use crate::host::process::{Resolver, TaskLookup};
use gdprport_core::flow::{Context, Flow};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::{Direction, Posture, Process};
use gdprport_core::policy::{Facts, Names, Policy, TlsDemand};
use gdprport_core::posture::{Protocol, Tracker};
use gdprport_core::verdict::Verdict;

/// Everything a record is judged by, borrowed for as long as a batch of records takes.
pub struct Judge<'a> {
    /// Resolves owners.
    pub resolver: &'a mut Resolver,
    /// The kernel side's maps of tasks and executables.
    pub tasks: &'a dyn TaskLookup,
    /// The policy in force.
    pub policy: &'a Policy,
    /// What its names resolve to.
    pub names: &'a Names,
    /// Verdicts that were asked for before.
    pub verdicts: &'a mut Verdicts,
    /// Now.
    pub now: Timestamp,
}

/// Verdicts of one moment: within a batch of records the same few processes talk to the same few peers.
#[derive(Debug, Default)]
pub struct Verdicts {
    at: Option<Timestamp>,
    known: Vec<Known>,
}

/// As many are remembered; more would cost as much to search as a verdict costs.
const VERDICTS: usize = 8;

/// Everything that a verdict hangs on besides the moment, the policy and its names.
#[derive(Debug)]
struct Known {
    direction: Direction,
    port: u16,
    peer: IpAddr,
    process: Option<Arc<Process>>,
    posture: Option<Arc<Posture>>,
    verdict: Arc<Verdict>,
}

impl Known {
    fn is_about(&self, flow: &Flow) -> bool {
        self.port == flow.port()
            && self.direction == flow.direction
            && same(self.process.as_ref(), flow.process.as_ref())
            && same(self.posture.as_ref(), flow.posture.as_ref())
            && self.peer == flow.peer.ip
    }
}

fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl Verdicts {
    /// Forgets all, as when the policy or what its names resolve to has changed.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    fn get(&mut self, flow: &Flow, now: Timestamp, evaluate: impl FnOnce() -> Verdict) -> Arc<Verdict> {
        if self.at != Some(now) || self.known.len() > VERDICTS {
            self.known.clear();
            self.at = Some(now);
        }
        if let Some(known) = self.known.iter().find(|known| known.is_about(flow)) {
            return Arc::clone(&known.verdict);
        }
        let verdict = Arc::new(evaluate());
        self.known.push(Known {
            direction: flow.direction,
            port: flow.port(),
            peer: flow.peer.ip,
            process: flow.process.clone(),
            posture: flow.posture.clone(),
            verdict: Arc::clone(&verdict),
        });
        verdict
    }
}

impl Context for Judge<'_> {
    fn who(&mut self, owner: &OwnerRef) -> Option<Arc<Process>> {
        Some(self.resolver.resolve(owner, self.tasks)).filter(|process| process.pid != 0)
    }

    fn named(&mut self, process: &Process) -> Option<Arc<Process>> {
        self.resolver.named(process)
    }

    fn judge(&mut self, flow: &Flow) -> Arc<Verdict> {
        let evaluate = || self.policy.evaluate(&flow.facts(), self.names, self.now);
        self.verdicts.get(flow, self.now, evaluate)
    }

    fn weighs_posture(&self, facts: &Facts<'_>) -> bool {
        let port = self.policy.port_of(facts, self.names);
        port.is_some_and(|port| matches!(port.tls, TlsDemand::AtLeast(_)))
    }

    fn tracker(&self, facts: &Facts<'_>) -> Tracker {
        let port = self.policy.port_of(facts, self.names);
        Tracker::new(port.and_then(|port| Protocol::by_id(port.protocol.as_deref()?)))
    }

    fn is_watched(&self, port: u16) -> bool {
        self.policy.port(port).is_some()
    }
}

impl TaskLookup for Probes {
    fn identity(&self, tgid: u32) -> Option<TaskIdentity> {
        self.task(tgid)
    }

    fn exec(&self, exec_id: u64) -> Option<ExecRecord> {
        Self::exec(self, exec_id)
    }

    fn netns_cookie(&self) -> Option<u64> {
        Self::netns_cookie(self)
    }
}
