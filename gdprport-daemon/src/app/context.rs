//! What the flow table asks of the rest: who a process is, what the policy says.

use std::sync::Arc;

use gdprport_common::{ExecRecord, TaskIdentity};
use jiff::Timestamp;

use crate::core::flow::{Context, Flow};
use crate::core::identity::OwnerRef;
use crate::core::model::Process;
use crate::core::policy::{Facts, Names, Policy};
use crate::core::posture::{Protocol, Tracker};
use crate::core::verdict::Verdict;
use crate::host::probes::Probes;
use crate::host::process::{Resolver, TaskLookup};

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
    /// Now.
    pub now: Timestamp,
}

impl Context for Judge<'_> {
    fn who(&mut self, owner: &OwnerRef) -> Option<Arc<Process>> {
        Some(self.resolver.resolve(owner, self.tasks)).filter(|process| process.pid != 0)
    }

    fn judge(&mut self, facts: &Facts<'_>) -> Verdict {
        self.policy.evaluate(facts, self.names, self.now)
    }

    fn tracker(&self, flow: &Flow) -> Tracker {
        let port = self.policy.port_of(&flow.facts(), self.names);
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
