//! The encryption of flows, as their first bytes come in and when they end.

use std::collections::VecDeque;
use std::sync::Arc;

use super::table::{Entry, Table, change, judge};
use super::{Change, ChangeKind, Context};
use crate::model::{Direction, Posture};
use crate::posture::{Side, Tracker};

/// Why a flow from before the daemon has no known encryption: its first bytes had passed.
pub(super) const BEFORE: &str = "opened before watching";
/// The same of a flow whose opening was lost or forgotten.
pub(super) const UNSEEN: &str = "its beginning was not seen";

/// Why a flow has none whose first bytes had to make room.
const GIVEN_UP: &str = "too many undecided at once";

/// What is made of a flow's first bytes.
#[derive(Debug)]
pub(super) enum Watch {
    /// None came yet: most flows of a pool that checks its connections end so.
    Silent,
    /// They may tell more.
    Tracking(Box<Tracker>),
    /// All is told, or nothing ever will be.
    Over,
}

/// How many different postures are shared: a host's services and its clients' settings.
const SHARED: usize = 16;

/// Postures that flows share: those of one service are the same but for its clients' settings, and what is shared is
/// kept, judged and written once.
#[derive(Debug)]
pub(super) struct Postures {
    /// Of every flow that ends without a byte of payload.
    silent: Arc<Posture>,
    told: Vec<Arc<Posture>>,
    /// The place that the next new one takes.
    next: usize,
}

impl Default for Postures {
    fn default() -> Self {
        Self { silent: Arc::new(Tracker::new(None).conclude()), told: Vec::new(), next: 0 }
    }
}

impl Postures {
    fn share(&mut self, posture: Posture) -> Arc<Posture> {
        if let Some(told) = self.told.iter().find(|told| ***told == posture) {
            return Arc::clone(told);
        }
        let posture = Arc::new(posture);
        if self.told.len() < SHARED {
            self.told.push(Arc::clone(&posture));
        } else {
            self.told[self.next % SHARED] = Arc::clone(&posture);
            self.next += 1;
        }
        posture
    }
}

/// What the first bytes of all undecided flows take together, and whose came first.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    bytes: usize,
    /// Cookies and generations, oldest first; of flows that are decided or gone too.
    order: VecDeque<(u64, u64)>,
}

impl Undecided {
    /// Books what a flow's tracker took before and takes now.
    const fn changes(&mut self, before: usize, now: usize) {
        self.bytes = self.bytes.saturating_sub(before).saturating_add(now);
    }

    /// A flow leaves the table.
    pub(super) fn leaves(&mut self, watch: &Watch) {
        self.changes(watch.footprint(), 0);
    }

    /// Sweeps what `lives` does not know any more, before it outnumbers the flows.
    pub(super) fn trim(&mut self, bound: usize, lives: &impl Fn(&u64, &u64) -> bool) {
        if self.order.len() > bound {
            self.order.retain(|(cookie, generation)| lives(cookie, generation));
        }
    }
}

impl Watch {
    fn footprint(&self) -> usize {
        match self {
            Self::Tracking(tracker) => tracker.footprint(),
            Self::Silent | Self::Over => 0,
        }
    }
}

impl Table {
    /// Takes in the beginning of a payload segment. Nothing of it is kept once the encryption is told.
    pub(super) fn payload(
        &mut self,
        (cookie, sent, offset): (u64, bool, u32),
        bytes: &[u8],
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        let Some(entry) = self.flows.get_mut(&cookie) else {
            if sent && offset == 0 {
                self.early.keep(cookie, bytes);
            }
            return;
        };
        let before = entry.watch.footprint();
        if matches!(entry.watch, Watch::Silent) {
            entry.watch = Watch::Tracking(Box::new(cx.tracker(&entry.flow.facts())));
            self.undecided.order.push_back((cookie, entry.generation));
        }
        let Watch::Tracking(tracker) = &mut entry.watch else { return };
        let from = match (entry.flow.direction, sent) {
            (Direction::Out, true) | (Direction::In, false) => Side::Client,
            (Direction::Out, false) | (Direction::In, true) => Side::Server,
        };
        let told = tracker.segment(from, u64::from(offset), bytes);
        if !tracker.wants_more() {
            entry.flow.posture.get_or_insert_with(|| self.postures.share(tracker.conclude()));
            entry.watch = Watch::Over;
        }
        self.undecided.changes(before, entry.watch.footprint());
        if let Some(posture) = told {
            entry.flow.posture = Some(self.postures.share(posture));
            if cx.weighs_posture(&entry.flow.facts()) {
                judge(&mut entry.flow, cx);
            }
            // Until its owner is settled a flow is not reported; its opening then says this too.
            if !entry.pending {
                out.push(change(ChangeKind::PostureKnown, entry));
            }
        }
        self.keep_within_the_budget();
    }

    /// Gives up following the flows that are undecided longest, until the others fit. What was told of them stays, and
    /// what was not is unknown for good.
    fn keep_within_the_budget(&mut self) {
        while self.undecided.bytes > self.limits.undecided_bytes {
            let Some((cookie, generation)) = self.undecided.order.pop_front() else { return };
            let oldest = self.flows.get_mut(&cookie).filter(|entry| entry.generation == generation);
            let Some(entry) = oldest.filter(|entry| matches!(entry.watch, Watch::Tracking(_))) else {
                continue;
            };
            self.undecided.leaves(&entry.watch);
            entry.watch = Watch::Over;
            entry.flow.posture.get_or_insert_with(|| self.postures.share(Posture::unknown(GIVEN_UP)));
            self.counters.given_up += 1;
        }
    }

    /// Whether the books of undecided flows are right.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(crate) fn undecided_fit(&self) -> bool {
        let bytes: usize = self.flows.values().map(|entry| entry.watch.footprint()).sum();
        bytes == self.undecided.bytes && bytes <= self.limits.undecided_bytes
    }
}

impl Entry {
    /// At the end: what was told, or why nothing was.
    pub(super) fn conclude_posture(&mut self, postures: &mut Postures, cx: &mut impl Context) {
        let posture = match std::mem::replace(&mut self.watch, Watch::Over) {
            Watch::Silent => Arc::clone(&postures.silent),
            Watch::Tracking(tracker) => postures.share(tracker.conclude()),
            Watch::Over => return,
        };
        if self.flow.posture.as_ref() == Some(&posture) {
            return;
        }
        self.flow.posture = Some(posture);
        if cx.weighs_posture(&self.flow.facts()) {
            judge(&mut self.flow, cx);
        }
    }
}
