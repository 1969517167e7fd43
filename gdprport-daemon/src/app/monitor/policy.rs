//! What another policy, or other addresses of its names, do to what is watched.

use std::sync::Arc;

use gdprport_core::event::PolicyRef;
use gdprport_core::ledger::{ListenerEvent, PortKey};
use gdprport_core::policy::{ActivePolicy, Policy};
use jiff::Timestamp;

use super::monitor::{Monitor, Unwatched};
use crate::host::process::TaskLookup;

/// Another policy, or other addresses of its names.
impl<K: TaskLookup> Monitor<K> {
    /// Evaluates by another policy from now on. Flows and listeners of ports that it does not watch are given up: they
    /// are counted, and what was not reported of them yet is, by the policy that they were judged by. That they go on
    /// is not reported one by one: they did not close, and a busy port would send more events at once than a sink has
    /// room for. Everything else stands as it was judged until [`Self::reevaluate`].
    pub fn set_policy(&mut self, policy: Arc<Policy>, now: Timestamp) -> Unwatched {
        let flows = self.flows.retain(|flow| policy.port(flow.port()).is_some(), &mut self.changes);
        self.publish(now);
        self.resets.policy_comes();
        let moved = self.leave_ports(&policy, now);
        let listeners = self.listeners.retain(|listener| policy.port(listener.local.port).is_some());
        self.counters.unwatched_listeners += listeners as u64;
        self.publisher.set_policy(&policy);
        self.limit_volumes(&policy, now);
        self.active_policy = self.active_policy.with_policy(policy);
        self.count_by_policy();
        for listener in &moved {
            self.count_listener(listener, ListenerEvent::Judged, now);
        }
        Unwatched { flows, listeners }
    }

    /// Evaluates by the same policy with other addresses of its host names from now on.
    pub fn set_names(&mut self, next: ActivePolicy, now: Timestamp) {
        self.active_policy = next;
        self.reevaluate(now);
    }

    /// Evaluates everything that is open again and reports what changed.
    pub fn reevaluate(&mut self, now: Timestamp) {
        self.evidence.forget_judgements();
        let Self { flows, evidence, active_policy, volumes, changes, .. } = self;
        flows.reevaluate(&mut evidence.context(active_policy, now).with(volumes.as_ref()), changes);
        self.adopt_volumes();
        self.publish(now);
        self.judge_listeners(false, now);
    }

    /// Counts by the present policy and its ports.
    pub(super) fn count_by_policy(&mut self) {
        let Some(tally) = &mut self.tally else { return };
        let ports = self.active_policy.watched().map(|port| PortKey {
            name: Arc::clone(&port.name),
            number: port.number,
            declared: port.declared,
        });
        let policy = self.publisher.policy();
        tally.set_policy(policy.as_ref().map(|PolicyRef { digest }| digest), ports);
    }
}
