//! The encryption of flows, as their first bytes come in and when they end.

use std::sync::Arc;

use super::table::{Entry, Table, change, judge};
use super::{Change, ChangeKind, Context};
use crate::core::model::{Direction, Posture};
use crate::core::posture::{Side, Tracker};

/// Why a flow from before the daemon, or whose opening was lost or forgotten, has no known encryption: its first bytes
/// had passed.
pub(super) const UNSEEN: &str = "its beginning was not seen";

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
        if matches!(entry.watch, Watch::Silent) {
            entry.watch = Watch::Tracking(Box::new(cx.tracker(&entry.flow.facts())));
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
        let Some(posture) = told else { return };
        entry.flow.posture = Some(self.postures.share(posture));
        if cx.weighs_posture(&entry.flow.facts()) {
            judge(&mut entry.flow, cx);
        }
        // Until its owner is settled a flow is not reported; its opening then says this too.
        if !entry.pending {
            out.push(change(ChangeKind::PostureKnown, entry));
        }
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
