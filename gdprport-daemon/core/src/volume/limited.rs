//! One rule that may move only so much, and its window.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Bound, RuleVolume};
use crate::figures;
use crate::policy::VolumeLimit;
use crate::shared::Shared;
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

/// One rule, and what it has moved in the window that goes on.
#[derive(Debug)]
pub(super) struct Limited {
    pub port: Arc<str>,
    pub role: Arc<str>,
    pub limit: VolumeLimit,
    from: Timestamp,
    to: Timestamp,
    bytes: u64,
    since: Timestamp,
    /// Whether there may be more than was counted.
    pub at_least: bool,
    /// Whether what the ledger has of the window is still to be added.
    pub wanted: bool,
    /// The verdict on every flow of the rule while it is beyond its volume.
    exceeded: Option<Shared<Verdict>>,
    /// Whether that was reported in this window.
    pub reported: bool,
    /// Whether flows of the rule are to be judged again.
    pub changed: bool,
    /// The flow by which it came beyond.
    pub by: Option<u64>,
}

impl Limited {
    /// A rule of which nothing was counted before now.
    pub(super) fn new(port: &Arc<str>, role: &Arc<str>, limit: VolumeLimit, now: Timestamp) -> Self {
        let (from, to) = limit.per.around(now);
        Self {
            port: Arc::clone(port),
            role: Arc::clone(role),
            limit,
            from,
            to,
            bytes: 0,
            since: now,
            at_least: true,
            wanted: true,
            exceeded: None,
            reported: false,
            changed: false,
            by: None,
        }
    }

    /// The same rule under another policy: it goes on where the window is the same.
    pub(super) fn under(self, limit: VolumeLimit) -> Self {
        if limit == self.limit {
            return self;
        }
        let mut rule = Self { limit, exceeded: None, reported: false, changed: false, by: None, ..self };
        rule.compare();
        rule
    }

    /// Begins the window of this moment, if that is another one.
    pub(super) fn roll(&mut self, now: Timestamp) {
        if self.from <= now && now < self.to {
            return;
        }
        let (from, to) = self.limit.per.around(now);
        // Only if the window before ended while this run watched, everything of the new one is seen.
        let whole = from == self.to;
        self.since = if whole { from } else { now };
        (self.from, self.to, self.bytes, self.at_least) = (from, to, 0, !whole);
        (self.wanted, self.reported, self.by) = (!whole, false, None);
        self.changed |= self.exceeded.take().is_some();
    }

    /// The rule has moved so much more.
    pub(super) fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.compare();
    }

    /// What the rule moved up to now is in the answer that the ledger will give.
    pub(super) fn forget_sum(&mut self) {
        self.bytes = 0;
    }

    /// Adds what the ledger has of the window, which began to count at `begin`.
    pub(super) fn add_before(&mut self, bytes: u64, begin: Timestamp) {
        self.wanted = false;
        self.since = self.since.min(begin.max(self.from));
        self.add(bytes);
    }

    /// End of the window.
    pub(super) const fn to(&self) -> Timestamp {
        self.to
    }

    /// Begin of the window.
    pub(super) const fn from(&self) -> Timestamp {
        self.from
    }

    /// The verdict on its flows at this moment; `None`: it is not beyond its volume.
    pub(super) fn exceeded(&self, now: Timestamp) -> Option<&Shared<Verdict>> {
        self.exceeded.as_ref().filter(|_| self.from <= now && now < self.to)
    }

    /// What it has moved, and what it may.
    pub(super) fn moved(&self) -> RuleVolume {
        RuleVolume {
            rule: Arc::clone(&self.role),
            bytes: self.bytes,
            bound: self.at_least.then_some(Bound::AtLeast),
            max: self.limit.max,
            per: self.limit.per,
            from: self.from,
            to: self.to,
            since: self.since,
        }
    }

    fn compare(&mut self) {
        if self.bytes <= self.limit.max || self.exceeded.is_some() {
            return;
        }
        let least = if self.at_least { "at least " } else { "" };
        let detail = format!(
            "{} has moved {least}{} since {}; from {} to {} at most {} are declared",
            self.role,
            figures::bytes(self.bytes),
            second(self.since),
            second(self.from),
            second(self.to),
            figures::bytes(self.limit.max)
        );
        let nearest = Nearest { role: Arc::clone(&self.role), failed: vec!["volume".to_owned()] };
        let reasons = vec![Reason { id: ReasonId::VolumeExceeded, detail }];
        self.exceeded = Some(Shared::new(Verdict::Violation { reasons, nearest: Some(nearest) }));
        self.changed = true;
    }
}

fn second(time: Timestamp) -> String {
    time.strftime("%FT%TZ").to_string()
}
