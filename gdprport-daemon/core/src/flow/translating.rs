//! Flows that connection tracking is asked about: the questions, and the ends that wait for an answer.
//!
//! Belongs here: which flows are asked about, and which ends wait. Does not belong here: what an answer changes
//! (`answered`), how it is asked (`host`) and what an answer says (`conntrack`).

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::change::{Change, ChangeKind};
use super::context::Context;
use super::entry::{Entry, judge};
use super::types::Flow;
use crate::conntrack::Question;
use crate::model::Nat;

/// The most ends that wait at once: what ends within the settling time at 80,000 connections a second. Each costs about a
/// kilobyte. What is beyond is reported without waiting.
const CAP: usize = 4_096;

/// What is being asked, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Translating {
    /// Whether anybody answers.
    on: bool,
    questions: Vec<Question>,
    /// Flows that ended before the answer came, by cookie.
    ended: HashMap<u64, Ended, RandomState>,
    /// Cookies and generations of flows that wait for an answer alone and have no time limit yet.
    new: Vec<(u64, u64)>,
    /// The others, by when they are reported anyway: the delay is constant, so the queue is in order of time.
    due: VecDeque<(u64, u64, u64)>,
}

/// A flow that ended and is not reported as ended yet.
#[derive(Debug)]
pub(super) struct Ended {
    entry: Entry,
    kind: ChangeKind,
    /// As it was before its end, if its opening is not reported either.
    opening: Option<Box<Flow>>,
}

impl Ended {
    /// `opening`: as it was before its end, if its opening is not reported yet.
    pub(super) const fn new(entry: Entry, kind: ChangeKind, opening: Option<Box<Flow>>) -> Self {
        Self { entry, kind, opening }
    }

    fn waits(&self) -> bool {
        self.entry.flow.nat == Some(Nat::Pending)
    }

    /// Applies an answer.
    pub(super) fn answered(&mut self, nat: Option<&Nat>, cx: &mut impl Context) {
        for flow in self.opening.as_deref_mut().into_iter().chain([&mut self.entry.flow]) {
            flow.nat = nat.cloned();
            judge(flow, cx);
        }
    }

    /// What was not reported yet.
    pub(super) fn report(mut self, out: &mut Vec<Change>) {
        if let Some(mut opening) = self.opening {
            std::mem::swap(&mut self.entry.flow, &mut opening);
            out.push(self.entry.change(ChangeKind::Opened));
            std::mem::swap(&mut self.entry.flow, &mut opening);
        }
        out.push(self.entry.last_change(self.kind));
    }
}

impl Translating {
    /// Marks a new flow that may be translated, and asks about it. What stays on loopback is not asked about: only rules
    /// that are made for that translate it, and both of its ends are sockets of this host.
    pub(super) fn begin(&mut self, flow: &mut Flow) {
        if self.may_be(flow) {
            flow.nat = Some(Nat::Pending);
            self.ask(flow);
        }
    }

    /// Whether the host may translate the addresses of a flow.
    pub(super) fn may_be(&self, flow: &Flow) -> bool {
        self.on && !flow.peer.ip.is_loopback() && !flow.local.ip.is_loopback()
    }

    /// Asks again about a flow of which no answer came.
    pub(super) fn ask_again(&mut self, flow: &Flow) {
        if self.on && flow.nat.as_ref().is_some_and(Nat::is_open) {
            self.ask(flow);
        }
    }

    fn ask(&mut self, flow: &Flow) {
        let Flow { cookie, direction, local, peer, .. } = *flow;
        self.questions.push(Question { cookie, direction, local, peer });
    }

    /// From now on asks, or no longer.
    pub(super) fn turn(&mut self, on: bool) {
        self.on = on;
    }

    /// What is to be asked since the last call.
    pub(super) fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// Removes the end of this socket's flow that waits, if there is one. Costs nothing while there is none.
    pub(super) fn take_ended(&mut self, cookie: u64) -> Option<Ended> {
        if self.ended.is_empty() { None } else { self.ended.remove(&cookie) }
    }

    /// True if an end of this socket's flow waits.
    #[cfg(any(test, fuzzing, feature = "testing"))]
    pub(super) fn is_ending(&self, cookie: u64) -> bool {
        self.ended.contains_key(&cookie)
    }

    /// When the first end is reported that still waits; boottime ns.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.due.front().map(|(due, ..)| *due)
    }

    /// A flow waits for nothing but the answer from now on.
    pub(super) fn wait(&mut self, cookie: u64, generation: u64) {
        self.new.push((cookie, generation));
    }

    /// Reports the end of a flow, unless it waits for an answer.
    pub(super) fn end(&mut self, ended: Ended, out: &mut Vec<Change>) {
        if ended.waits() && self.ended.len() < CAP {
            let cookie = ended.entry.flow.cookie;
            self.wait(cookie, ended.entry.generation);
            if let Some(earlier) = self.ended.insert(cookie, ended) {
                earlier.report(out);
            }
        } else {
            ended.report(out);
        }
    }

    /// Those that wait since the last call do so until `due_ns`.
    pub(super) fn limit(&mut self, due_ns: u64) {
        self.due.extend(self.new.drain(..).map(|(cookie, generation)| (due_ns, cookie, generation)));
    }

    /// Cookie and generation of the next flow that has waited long enough at `now_ns`.
    pub(super) fn next_late(&mut self, now_ns: u64) -> Option<(u64, u64)> {
        let (due_ns, ..) = self.due.front()?;
        if *due_ns > now_ns {
            return None;
        }
        self.due.pop_front().map(|(_, cookie, generation)| (cookie, generation))
    }
}
