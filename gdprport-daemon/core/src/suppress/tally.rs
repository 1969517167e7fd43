//! What was counted instead of sent.

use jiff::Timestamp;

use super::decision::With;
use crate::event::{FlowEvent, FlowKind, Summary};
use crate::model::Outcome;

/// Events of one group since its last summary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    opened: u64,
    closed: u64,
    failed: u64,
    ended: u64,
    denied: u64,
    would_deny: u64,
    updated: u64,
    violations: u64,
    findings: u64,
    bytes_sent: u64,
    bytes_received: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Tally {
    /// Nothing yet; `time`: where the first and last event stand while there is none.
    pub(super) const fn new(time: Timestamp) -> Self {
        Self {
            opened: 0,
            closed: 0,
            failed: 0,
            ended: 0,
            denied: 0,
            would_deny: 0,
            updated: 0,
            violations: 0,
            findings: 0,
            bytes_sent: 0,
            bytes_received: 0,
            first: time,
            last: time,
        }
    }

    /// Nothing yet in another period; while nothing comes, the last event is the one that was last.
    pub(super) const fn next(&self) -> Self {
        Self::new(self.last)
    }

    /// Counts an event of a flow, and what comes with it.
    pub(super) fn add(&mut self, kind: FlowKind, with: With, event: &FlowEvent, time: Timestamp) {
        if self.events() == 0 {
            (self.first, self.last) = (time, time);
        }
        match kind {
            FlowKind::Open => self.opened += 1,
            FlowKind::Fail => self.failed += 1,
            FlowKind::Close => {
                self.closed += 1;
                self.ended += u64::from(event.flow.outcome == Outcome::EndedByPolicy);
                // Only here: the counts of an update are those of the flow so far and would be added twice.
                self.bytes_sent = self.bytes_sent.saturating_add(event.flow.bytes_sent.unwrap_or(0));
                self.bytes_received =
                    self.bytes_received.saturating_add(event.flow.bytes_received.unwrap_or(0));
            }
            FlowKind::Update | FlowKind::Posture => self.updated += 1,
            FlowKind::Violation => self.violations += 1,
        }
        if matches!(kind, FlowKind::Open | FlowKind::Fail) {
            self.denied += u64::from(event.flow.outcome == Outcome::DeniedByPolicy);
            self.would_deny += u64::from(event.flow.would_deny);
        }
        self.violations += u64::from(with.violation);
        self.findings += u64::from(with.finding);
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    /// All that was counted.
    pub(super) const fn events(&self) -> u64 {
        self.opened + self.closed + self.failed + self.updated + self.violations + self.findings
    }

    /// When the last one was, also of a period before.
    pub(super) const fn last(&self) -> Timestamp {
        self.last
    }

    /// As an event has it, of no group.
    pub(super) const fn summary(&self, from: Timestamp, to: Timestamp) -> Summary {
        Summary {
            from,
            to,
            group: None,
            events: self.events(),
            opened: self.opened,
            closed: self.closed,
            failed: self.failed,
            ended: self.ended,
            denied: self.denied,
            would_deny: self.would_deny,
            updated: self.updated,
            violations: self.violations,
            findings: self.findings,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            first: self.first,
            last: self.last,
            auto: None,
            coarse: None,
            overload: None,
        }
    }
}
