//! The first bytes of flows whose encryption is not decided, and the memory that these may take together.

use std::collections::VecDeque;

use crate::posture::Tracker;

/// How far the inspection of a flow's first bytes has come.
#[derive(Debug)]
pub(super) enum Inspection {
    /// None came yet: most flows of a pool that checks its connections end so.
    Silent,
    /// More bytes may decide more.
    Tracking(Box<Tracker>),
    /// All is decided, or nothing ever will be.
    Over,
}

impl Inspection {
    /// The bytes that it holds.
    pub(super) fn footprint(&self) -> usize {
        match self {
            Self::Tracking(tracker) => tracker.footprint(),
            Self::Silent | Self::Over => 0,
        }
    }
}

/// The memory of all undecided flows, and the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    bytes: usize,
    /// Cookies and generations, oldest first; of flows that are decided or gone too.
    order: VecDeque<(u64, u64)>,
}

impl Undecided {
    /// The bytes that all of them hold.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A flow's first bytes begin to be inspected.
    pub(super) fn begin(&mut self, cookie: u64, generation: u64) {
        self.order.push_back((cookie, generation));
    }

    /// Counts that a flow's inspection held `before` bytes and holds `now`.
    pub(super) const fn resize(&mut self, before: usize, now: usize) {
        self.bytes = self.bytes.saturating_sub(before).saturating_add(now);
    }

    /// A flow is not inspected any more.
    pub(super) fn release(&mut self, inspection: &Inspection) {
        self.resize(inspection.footprint(), 0);
    }

    /// The one that began first, by cookie and generation; it may be decided or gone.
    pub(super) fn pop_oldest(&mut self) -> Option<(u64, u64)> {
        self.order.pop_front()
    }

    /// Drops places in the order that are not `alive`, before they outnumber the flows.
    pub(super) fn trim(&mut self, bound: usize, alive: &impl Fn(&u64, &u64) -> bool) {
        if self.order.len() > bound {
            self.order.retain(|(cookie, generation)| alive(cookie, generation));
        }
    }
}
