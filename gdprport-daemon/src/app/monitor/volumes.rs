//! What rules with a `volume` have moved: when flows are judged again for it, and under which policy it goes on.
//!
//! Belongs here: the monitor's part. Adding up is `core::volume`'s; what the ledger had before is asked by `app::keeper`.

use gdprport_core::policy::Policy;
use gdprport_core::volume::{Known, Volumes};
use jiff::Timestamp;

use super::monitor::Monitor;
use crate::host::process::TaskLookup;

impl<K: TaskLookup> Monitor<K> {
    /// Begins windows, and judges the flows of rules again that came beyond their volume or are within it again: first the one that
    /// brought its rule there, as its violation is the one that is reported.
    pub(in crate::app) fn compare_volumes(&mut self, now: Timestamp) {
        if !self.volumes.as_mut().is_some_and(|volumes| volumes.changed(now)) {
            return;
        }
        self.evidence.forget_judgements();
        for first in [true, false] {
            let Self { flows, evidence, active_policy, volumes, changes, .. } = self;
            let Some(volumes) = volumes.as_ref() else { return };
            let mut context = evidence.context(active_policy, now).with(Some(volumes));
            flows.reevaluate_those(|flow| volumes.concerns(flow, first), &mut context, changes);
            self.publish_changes(now);
        }
        if let Some(volumes) = &mut self.volumes {
            volumes.judged();
        }
    }

    /// Adds what the ledger knows of the windows that go on.
    pub(in crate::app) fn add_volumes(&mut self, known: &[Known], begin: Timestamp, now: Timestamp) {
        if let Some(volumes) = &mut self.volumes {
            volumes.add(known, begin);
        }
        self.compare_volumes(now);
    }

    /// The sums go on under another policy.
    pub(super) fn limit_volumes(&mut self, policy: &Policy, now: Timestamp) {
        let run = (self.flows.capacity(), self.began_ns);
        self.volumes = Volumes::under(policy, self.volumes.take(), run, now);
    }

    /// Flows whose ports have limits since a moment ago count from what they have moved by now.
    pub(super) fn adopt_volumes(&mut self) {
        if let Some(volumes) = &mut self.volumes {
            self.flows.iter().for_each(|flow| volumes.adopt(flow));
        }
    }
}
