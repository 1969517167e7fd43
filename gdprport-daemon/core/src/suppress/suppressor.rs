//! The decision by what the port's `emit` asks for.

use jiff::Timestamp;

use super::auto::Auto;
use super::decision::{Decision, With};
use super::fixed::Fixed;
use crate::event::{Body, FlowEvent, FlowKind};
use crate::policy::Emit;
use crate::verdict::Verdict;

/// Decides event by event and keeps the counts.
#[derive(Debug, Default)]
pub struct Suppressor {
    fixed: Fixed,
    auto: Auto,
    suppressed: u64,
}

impl Suppressor {
    /// Decides about an event of a flow that happened at `time` on a port with this `emit`, and about what comes `with` it;
    /// counts what is suppressed.
    pub fn offer(
        &mut self,
        kind: FlowKind,
        with: With,
        flow: &FlowEvent,
        emit: Emit,
        time: Timestamp,
    ) -> Decision {
        let loud = kind == FlowKind::Violation || matches!(*flow.verdict, Verdict::Violation { .. });
        let decision = match emit {
            Emit::Auto { most } if self.auto.offer(kind, with, flow, most, time) => Decision::Pass,
            Emit::Auto { .. } => Decision::SuppressAll,
            _ if loud => Decision::Pass,
            Emit::Every => Decision::Pass,
            Emit::Violations => match *flow.verdict {
                Verdict::Declared { .. } => Decision::SuppressFlow,
                // The encryption of a flow is not known when it opens; a later event reports it.
                Verdict::Undecided { .. } if kind == FlowKind::Open && flow.posture.is_none() => {
                    Decision::SuppressFlow
                }
                // Unknown is never compliant: it must not be silent like a declared flow.
                Verdict::Undecided { .. } | Verdict::Violation { .. } => Decision::Pass,
            },
            Emit::Summary { every } => {
                self.fixed.add(kind, flow, every, time);
                Decision::SuppressFlow
            }
        };
        self.suppressed += match decision {
            Decision::Pass => 0,
            Decision::SuppressFlow => 1,
            Decision::SuppressAll => 1 + u64::from(with.count()),
        };
        decision
    }

    /// The summaries whose period is over at `now`, each exactly once. Send them as they are, without offering them.
    pub fn due(&mut self, now: Timestamp) -> Vec<Body> {
        let mut summaries = self.fixed.due(now);
        self.auto.due(now, &mut summaries);
        summaries
    }

    /// All summaries, whether their period is over or not: at the end of the daemon.
    pub fn flush(&mut self, now: Timestamp) -> Vec<Body> {
        let mut summaries = self.fixed.flush(now);
        self.auto.flush(now, &mut summaries);
        summaries
    }

    /// Begin of the oldest period of a summary that counts something; `None` while there is nothing to sum up.
    #[must_use]
    pub fn counting_since(&self) -> Option<Timestamp> {
        [self.fixed.counting_since(), self.auto.counting_since()].into_iter().flatten().min()
    }

    /// How many events were suppressed.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// When the next summary of fixed periods is due; `None` while there is nothing to sum up.
    #[cfg(test)]
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.fixed.next_due()
    }
}
