//! What is learned of flows from the sockets of the host: adopting them, their progress, connects under way.

use super::change::{Change, ChangeKind};
use super::context::Context;
use super::entry::{Entry, judge};
use super::found::{FoundFlow, Progress};
use super::last_counts::LastCounts;
use super::postures::{PREDATES, unseen};
use super::table::Table;
use super::translating::Ended;
use super::types::Flow;
use super::undecided::Inspection;
use crate::model::Posture;
use crate::shared::Shared;

impl Table {
    /// Stores how far a flow has come, re-evaluates it and reports it.
    pub fn report_progress(
        &mut self,
        cookie: u64,
        progress: Progress,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        self.set_progress(cookie, progress);
        self.report_opening(cookie, out);
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        self.translating.ask_again(&entry.flow);
        judge(&mut entry.flow, cx);
        out.push(entry.change(ChangeKind::Updated));
    }

    /// Adopts a connection that was found on the host; does nothing if it is known.
    pub fn adopt(&mut self, found: FoundFlow, now_ns: u64, cx: &mut impl Context, out: &mut Vec<Change>) {
        if self.flows.contains_key(&found.cookie) {
            return;
        }
        self.connecting.take(found.cookie);
        let (cookie, progress) = (found.cookie, found.progress);
        let posture = if found.predates_daemon { Shared::new(Posture::unknown(PREDATES)) } else { unseen() };
        let flow = Flow { posture: Some(posture), ..found.into_flow() };
        self.insert(flow, Inspection::Over, now_ns, cx, out);
        self.set_progress(cookie, progress);
        self.pair(cookie);
        self.owner_settled(cookie, out);
        self.wait_to_settle(cookie, now_ns);
    }

    /// Holds a connect that was found under way; does nothing if it is known, or a flow by now.
    pub fn add_connecting(&mut self, found: FoundFlow) {
        if self.flows.contains_key(&found.cookie) || self.is_connecting(found.cookie) {
            return;
        }
        if !self.connecting.insert(found.into_flow()) {
            self.counters.evicted += 1;
        }
    }

    /// Cookies of the connects that are under way.
    pub fn connecting(&self) -> impl Iterator<Item = u64> {
        self.connecting.cookies()
    }

    /// True if the socket's connect is under way.
    #[must_use]
    pub fn is_connecting(&self, cookie: u64) -> bool {
        self.connecting.contains(cookie)
    }

    /// Reports what became of a connect whose socket is gone, with the socket's last counts, and nothing if it is no
    /// longer under way.
    pub fn connect_ended(
        &mut self,
        cookie: u64,
        last: &LastCounts,
        ended_ns: u64,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        let Some(mut flow) = self.connecting.take(cookie) else { return };
        let Some(outcome) = last.failure() else {
            // It was answered, and the record of that was lost.
            let ending = last.ending(flow.direction);
            flow.posture = Some(unseen());
            self.insert(flow, Inspection::Over, ended_ns, cx, out);
            self.pair(cookie);
            self.closed_by_notice(cookie, ending, ended_ns, cx, out);
            return;
        };
        self.translating.begin(&mut flow);
        judge(&mut flow, cx);
        flow.ended_ns = Some(ended_ns);
        flow.outcome = outcome;
        self.translating.end(Ended::new(Entry::unreported(flow), ChangeKind::Failed, None), out);
    }
}
