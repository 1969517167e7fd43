//! A flow with what was reported about it.

use super::change::{Change, ChangeKind, Standing};
use super::context::{Context, Judgement};
use super::postures::Postures;
use super::types::Flow;
use super::undecided::Inspection;
use crate::model::Nat;
use crate::verdict::ReasonSet;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) flow: Flow,
    pub(super) inspection: Inspection,
    /// Not reported yet: waits to settle.
    pub(super) pending: bool,
    /// Its owner is as well known as it will be soon: it is reported as soon as nothing else is awaited.
    pub(super) owner_settled: bool,
    /// Whether it is ended because the policy denies it.
    pub(super) ending: Ending,
    /// The verdict as it was last reported.
    reported: Option<Standing>,
    /// The reasons that were reported since the flow violates the policy.
    reported_reasons: ReasonSet,
    /// Distinguishes this use of a cookie in the queues from an earlier one.
    pub(super) generation: u64,
}

/// Whether a flow is ended because the policy denies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody has asked for it.
    NotAsked,
    /// It was asked for.
    Asked,
    /// The kernel has said that it was, at this time; boottime ns.
    Done(u64),
}

impl Entry {
    /// A flow that enters the table.
    pub(super) const fn new(flow: Flow, inspection: Inspection, generation: u64) -> Self {
        let reported_reasons = ReasonSet::EMPTY;
        Self {
            flow,
            inspection,
            pending: true,
            owner_settled: false,
            ending: Ending::NotAsked,
            reported: None,
            reported_reasons,
            generation,
        }
    }

    /// A flow that is not in the table, to be reported once.
    pub(super) const fn unreported(flow: Flow) -> Self {
        let mut entry = Self::new(flow, Inspection::Over, 0);
        entry.pending = false;
        entry
    }

    /// What is reported of a flow that goes on.
    pub(super) fn change(&mut self, kind: ChangeKind) -> Change {
        let was = self.reported.replace(Standing::from(&*self.flow.verdict));
        let reasons = ReasonSet::from(&*self.flow.verdict);
        let new_reasons = reasons.without(self.reported_reasons);
        self.reported_reasons =
            if reasons.is_empty() { reasons } else { self.reported_reasons.with(reasons) };
        Change { kind, flow: self.flow.clone(), new_reasons, was }
    }

    /// What is reported of a flow that left the table.
    pub(super) fn last_change(mut self, kind: ChangeKind) -> Change {
        // The verdict is the same: in both cases it is not known.
        if self.flow.nat == Some(Nat::Pending) {
            self.flow.nat = Some(Nat::Unknown);
        }
        let new_reasons = ReasonSet::from(&*self.flow.verdict).without(self.reported_reasons);
        Change { kind, flow: self.flow, new_reasons, was: self.reported }
    }

    /// At the end, when its counts and outcome are there: the posture as far as it was seen, or why none was.
    pub(super) fn conclude_posture(&mut self, postures: &mut Postures, cx: &mut impl Context) {
        let posture = match std::mem::replace(&mut self.inspection, Inspection::Over) {
            Inspection::Silent if self.flow.is_empty() => postures.no_data(),
            Inspection::Silent => postures.silent(),
            Inspection::Tracking(tracker) => postures.share(tracker.conclude()),
            Inspection::Over => return,
        };
        if self.flow.posture.as_ref() == Some(&posture) {
            return;
        }
        self.flow.posture = Some(posture);
        if cx.depends_on_posture(&self.flow.facts()) {
            judge(&mut self.flow, cx);
        }
    }
}

/// Judges a flow; true if the verdict changed.
pub(super) fn judge(flow: &mut Flow, cx: &mut impl Context) -> bool {
    let Judgement { verdict, port } = cx.judge(flow);
    flow.port_index = port;
    let changed = flow.verdict != verdict;
    if changed {
        flow.verdict = verdict;
    }
    changed
}
