//! Connects that were under way when the host was looked at: no flows yet, and no failures.
//!
//! Belongs here: holding them until a record or their socket's end tells what became of them. The kernel side tells of
//! one only once it is answered, and then without its owner.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::posture::{UNSEEN, Watch};
use super::table::{Entry, Table, judge, last_change};
use super::{Change, ChangeKind, Context, Flow, Found, LastCounts};
use crate::model::Posture;

/// The most that are held: a connect ends within two minutes unless the host is set otherwise, and what is beyond is
/// counted. Each costs about 400 bytes.
const CAP: usize = 4_096;

/// Connects that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    waiting: HashMap<u64, Flow, RandomState>,
}

impl Attempts {
    /// Gives back the one of this socket. Costs nothing while none is there, as is nearly always.
    pub(super) fn take(&mut self, cookie: u64) -> Option<Flow> {
        if self.waiting.is_empty() { None } else { self.waiting.remove(&cookie) }
    }

    /// Forgets those that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&Flow) -> bool) {
        self.waiting.retain(|_, flow| keep(flow));
    }
}

impl Table {
    /// Notes a connect that was found under way; does nothing if it is known, or a flow by now.
    pub fn attempt(&mut self, found: Found) {
        if self.flows.contains_key(&found.cookie) || self.is_attempt(found.cookie) {
            return;
        }
        if self.attempts.waiting.len() < CAP {
            self.attempts.waiting.insert(found.cookie, found.into_flow());
        } else {
            self.counters.evicted += 1;
        }
    }

    /// Cookies of the connects that are under way.
    pub fn attempts(&self) -> impl Iterator<Item = u64> {
        self.attempts.waiting.keys().copied()
    }

    /// True if the socket's connect is under way.
    #[must_use]
    pub fn is_attempt(&self, cookie: u64) -> bool {
        self.attempts.waiting.contains_key(&cookie)
    }

    /// Reports what became of a connect whose socket is gone, with what it took along, and nothing if it is no longer
    /// under way.
    pub fn attempt_ended(
        &mut self,
        cookie: u64,
        last: &LastCounts,
        ended_ns: u64,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        let Some(mut flow) = self.attempts.take(cookie) else { return };
        let Some(outcome) = last.failure() else {
            // It was answered, and the record that would have told was lost.
            let ending = last.ending(flow.direction);
            flow.posture = Some(Arc::new(Posture::unknown(UNSEEN)));
            self.insert(flow, Watch::Over, ended_ns, cx, out);
            self.pair(cookie);
            self.farewell(cookie, ending, ended_ns, cx, out);
            return;
        };
        judge(&mut flow, cx);
        flow.ended_ns = Some(ended_ns);
        flow.outcome = outcome;
        out.push(last_change(ChangeKind::Failed, Entry::unreported(flow)));
    }
}
