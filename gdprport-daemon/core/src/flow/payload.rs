//! The encryption of flows, as their first bytes come in.

use super::change::{Change, ChangeKind};
use super::context::Context;
use super::entry::judge;
use super::table::Table;
use super::undecided::Inspection;
use crate::model::{Direction, Posture};
use crate::posture::Side;

/// Why a flow has no known encryption whose first bytes had to make room.
const GIVEN_UP: &str = "too many undecided at once";

impl Table {
    /// Applies the beginning of a payload segment. Nothing of it is kept once the encryption is decided.
    pub(super) fn payload(
        &mut self,
        (cookie, sent, offset): (u64, bool, u32),
        bytes: &[u8],
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        let Some(entry) = self.flows.get_mut(&cookie) else {
            if sent && offset == 0 {
                self.fast_open.keep(cookie, bytes);
            }
            return;
        };
        let before = entry.inspection.footprint();
        if matches!(entry.inspection, Inspection::Silent) {
            entry.inspection = Inspection::Tracking(Box::new(cx.tracker(&entry.flow.facts())));
            self.undecided.begin(cookie, entry.generation);
        }
        let Inspection::Tracking(tracker) = &mut entry.inspection else { return };
        let from = match (entry.flow.direction, sent) {
            (Direction::Out, true) | (Direction::In, false) => Side::Client,
            (Direction::Out, false) | (Direction::In, true) => Side::Server,
        };
        // Without bytes it reports that those before may not be what TCP took.
        let decided = if bytes.is_empty() {
            tracker.distrust()
        } else {
            tracker.segment(from, u64::from(offset), bytes)
        };
        if !tracker.wants_more() {
            entry.flow.posture.get_or_insert_with(|| self.postures.share(tracker.conclude()));
            entry.inspection = Inspection::Over;
        }
        self.undecided.resize(before, entry.inspection.footprint());
        if let Some(posture) = decided {
            entry.flow.posture = Some(self.postures.share(posture));
            if cx.depends_on_posture(&entry.flow.facts()) {
                judge(&mut entry.flow, cx);
            }
            // Until its owner is settled a flow is not reported; its opening then shows this too.
            if !entry.pending {
                out.push(entry.change(ChangeKind::PostureKnown));
            }
        }
        self.keep_within_budget();
    }

    /// Gives up following the flows that are undecided longest, until the others fit. What was decided of them stays, and
    /// what was not is unknown for good.
    fn keep_within_budget(&mut self) {
        while self.undecided.bytes() > self.limits.undecided_bytes {
            let Some((cookie, generation)) = self.undecided.pop_oldest() else { return };
            let oldest = self.flows.get_mut(&cookie).filter(|entry| entry.generation == generation);
            let Some(entry) = oldest.filter(|entry| matches!(entry.inspection, Inspection::Tracking(_)))
            else {
                continue;
            };
            self.undecided.release(&entry.inspection);
            entry.inspection = Inspection::Over;
            entry.flow.posture.get_or_insert_with(|| self.postures.share(Posture::unknown(GIVEN_UP)));
            self.counters.given_up += 1;
        }
    }

    /// Whether the bytes of undecided flows are counted right and within their bound.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(crate) fn undecided_fit(&self) -> bool {
        let bytes: usize = self.flows.values().map(|entry| entry.inspection.footprint()).sum();
        bytes == self.undecided.bytes() && bytes <= self.limits.undecided_bytes
    }
}
