//! What is learned of flows by looking at the host's sockets: adopting them, their progress, their absence.

use std::sync::Arc;

use super::posture::{BEFORE, UNSEEN, Watch};
use super::table::{Table, change, judge, last_change};
use super::{Change, ChangeKind, Context, Flow, Found, Progress};
use crate::model::{Outcome, Posture};

impl Table {
    /// Notes how far a flow has come, judges it anew and reports it.
    pub fn progress(
        &mut self,
        cookie: u64,
        progress: Progress,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        self.note(cookie, progress);
        self.report_opening(cookie, out);
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        judge(&mut entry.flow, cx);
        out.push(change(ChangeKind::Updated, entry));
    }

    /// Notes how far a flow has come, without a report.
    pub fn note(&mut self, cookie: u64, progress: Progress) {
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        let flow = &mut entry.flow;
        flow.bytes_sent = progress.bytes_sent.or(flow.bytes_sent);
        flow.bytes_received = progress.bytes_received.or(flow.bytes_received);
        flow.rtt_us = progress.rtt_us.or(flow.rtt_us);
        flow.retransmits = progress.retransmits.or(flow.retransmits);
    }

    /// Takes in a connection that was found on the host; does nothing if it is known.
    pub fn adopt(&mut self, found: Found, now_ns: u64, cx: &mut impl Context, out: &mut Vec<Change>) {
        if self.flows.contains_key(&found.cookie) {
            return;
        }
        self.attempts.take(found.cookie);
        let (cookie, progress) = (found.cookie, found.progress);
        let posture = Some(Arc::new(Posture::unknown(if found.before { BEFORE } else { UNSEEN })));
        self.insert(Flow { posture, ..found.into_flow() }, Watch::Over, now_ns, cx, out);
        self.note(cookie, progress);
        self.pair(cookie);
        self.report_opening(cookie, out);
    }

    /// Reports a flow as ended that is gone from the host without a record of its end.
    pub fn vanished(&mut self, cookie: u64, now_ns: u64, cx: &mut impl Context, out: &mut Vec<Change>) {
        self.counters.end_missed += u64::from(self.flows.contains_key(&cookie));
        self.farewell(cookie, (Progress::default(), Outcome::Lost), now_ns, cx, out);
    }

    /// Reports a flow as ended of whose end no record tells, with what its socket took along.
    pub fn farewell(
        &mut self,
        cookie: u64,
        (last, outcome): (Progress, Outcome),
        ended_ns: u64,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        self.report_opening(cookie, out);
        self.note(cookie, last);
        let Some(mut entry) = self.remove(cookie) else { return };
        entry.conclude_posture(&mut self.postures, cx);
        entry.flow.ended_ns = Some(ended_ns);
        entry.flow.outcome = outcome;
        out.push(last_change(ChangeKind::Closed, entry));
    }
}
