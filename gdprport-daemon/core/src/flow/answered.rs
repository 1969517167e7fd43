//! How flows are translated: asking, and applying the answers.

use super::change::{Change, ChangeKind};
use super::context::Context;
use super::entry::judge;
use super::table::Table;
use crate::conntrack::Question;
use crate::model::Nat;

impl Table {
    /// From now on asks how new flows are translated, or no longer.
    pub fn follow_translations(&mut self, on: bool) {
        self.translating.turn(on);
    }

    /// What is to be asked since the last call.
    pub fn take_questions(&mut self) -> Vec<Question> {
        self.translating.take_questions()
    }

    /// Reports at `now_ns` what has waited for an answer long enough: as long as flows wait to settle, from the first call
    /// after they had nothing else to wait for. The time is the caller's and not that of records, which may be read late.
    pub fn stop_waiting(&mut self, now_ns: u64, out: &mut Vec<Change>) {
        self.translating.limit(now_ns.saturating_add(self.limits.settle_ns));
        while let Some((cookie, generation)) = self.translating.next_late(now_ns) {
            if let Some(ended) = self.translating.take_ended(cookie) {
                ended.report(out);
            } else if self.flows.get(&cookie).is_some_and(|entry| entry.generation == generation) {
                self.report_opening(cookie, out);
            }
        }
    }

    /// Applies an answer: how the flow of this socket is translated; `None` if it is not.
    pub fn translated(
        &mut self,
        cookie: u64,
        nat: Option<Nat>,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        if let Some(mut ended) = self.translating.take_ended(cookie) {
            ended.answered(nat.as_ref(), cx);
            return ended.report(out);
        }
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        // Asked twice, or about the socket that had this cookie before.
        if !entry.flow.nat.as_ref().is_some_and(Nat::is_open) || entry.flow.nat == nat {
            return;
        }
        entry.flow.nat = nat;
        judge(&mut entry.flow, cx);
        if !entry.pending {
            out.push(entry.change(ChangeKind::Updated));
        } else if entry.owner_settled {
            self.report_opening(cookie, out);
        }
    }

    /// True if a flow of this socket has ended and waits to be reported as ended.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(crate) fn is_ending(&self, cookie: u64) -> bool {
        self.translating.is_ending(cookie)
    }
}
