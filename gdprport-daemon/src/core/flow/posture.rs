//! The encryption of flows, as their first bytes come in and when they end.

use std::sync::Arc;

use super::table::{Entry, Table, change, judge};
use super::{Change, ChangeKind, Context};
use crate::core::model::Direction;
use crate::core::posture::Side;

/// Why a flow from before the daemon has no known encryption: its first bytes had passed.
pub(super) const BEFORE: &str = "opened before watching";

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
        let Some(tracker) = &mut entry.tracker else { return };
        let from = match (entry.flow.direction, sent) {
            (Direction::Out, true) | (Direction::In, false) => Side::Client,
            (Direction::Out, false) | (Direction::In, true) => Side::Server,
        };
        let told = tracker.segment(from, u64::from(offset), bytes);
        if !tracker.wants_more() {
            entry.flow.posture.get_or_insert_with(|| Arc::new(tracker.conclude()));
            entry.tracker = None;
        }
        let Some(posture) = told else { return };
        entry.flow.posture = Some(Arc::new(posture));
        judge(&mut entry.flow, cx);
        // Until its owner is settled a flow is not reported; its opening then says this too.
        if !entry.pending {
            out.push(change(ChangeKind::PostureKnown, entry));
        }
    }
}

impl Entry {
    /// At the end: what was told, or why nothing was.
    pub(super) fn conclude_posture(&mut self, cx: &mut impl Context) {
        if let Some(tracker) = self.tracker.take() {
            self.flow.posture = Some(Arc::new(tracker.conclude()));
            judge(&mut self.flow, cx);
        }
    }
}
