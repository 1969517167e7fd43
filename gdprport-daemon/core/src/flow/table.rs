//! The table of flows.
//!
//! Invariants:
//! 1. Every flow that was reported as opened is reported as closed or as removed exactly once.
//! 2. A passive flow is reported once its acceptor is known, and at the latest after [`Limits::settle_ns`]
//!    with the listener's owner; so a prefork worker is named, not its master.
//! 3. The table holds at most [`Limits::flows`]; what has to go is the oldest, and counted.
//! 4. A record of an end carries enough to report it even if everything before was lost. Only one without an owner is
//!    not reported: its socket predates the daemon, and the kernel sends a destroy notification of it too.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::change::{Change, ChangeKind, Removal};
use super::connecting::Connecting;
use super::context::Context;
use super::entry::{Ending, Entry, judge};
use super::fast_open::FastOpen;
use super::found::Progress;
use super::pairs::Pairs;
use super::postures::Postures;
use super::translating::Translating;
use super::types::Flow;
use super::undecided::{Inspection, Undecided};
use crate::departed::Departed;
use crate::model::{Nat, Outcome};

/// Bounds of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Flows held at once. Each costs about 500 bytes.
    pub flows: usize,
    /// How long a new flow waits for its acceptor, or its other end on this host, to become known; ns.
    /// Accept follows the handshake within microseconds unless the server is busy.
    pub settle_ns: u64,
    /// How often an open flow is polled and reported; ns.
    pub update_ns: u64,
    /// Bytes that the first bytes of all flows together may take while they are not decided. A handshake holds some
    /// 2 KiB for milliseconds, so that this is for about 15,000 under way at once; only dialogues that decide nothing
    /// and go on (greetings, no-operations) hold more, up to 12 KiB each, and for as long as their peers like.
    pub undecided_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 131_072, settle_ns: 50_000_000, update_ns: 60_000_000_000, undecided_bytes: 32 << 20 }
    }
}

/// What happened to flows since the table was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Flows and connects that had to leave, or found no room, because the table was full.
    pub evicted: u64,
    /// Ends reported, so on watched ports, of flows whose beginning was not in the table.
    pub opening_missed: u64,
    /// Flows whose end was not seen.
    pub end_missed: u64,
    /// Ends of flows whose opening was counted and not described, and that were found open since and described.
    pub described_later: u64,
    /// Flows whose encryption was not followed any further because too many were undecided at once.
    pub given_up: u64,
}

/// All flows that are open, and the queues of what is due when.
#[derive(Debug)]
pub struct Table {
    pub(super) limits: Limits,
    pub(super) flows: HashMap<u64, Entry, RandomState>,
    pub(super) pairs: Pairs,
    pub(super) fast_open: FastOpen,
    pub(super) connecting: Connecting,
    /// Flows that wait to settle. The delay is constant, so the queue is in order of time.
    pub(super) settling: VecDeque<(u64, u64, u64)>,
    /// Flows by when they are next polled, in order for the same reason.
    updates: VecDeque<(u64, u64, u64)>,
    /// Flows by age.
    ages: VecDeque<(u64, u64)>,
    generations: u64,
    pub(super) counters: TableCounters,
    pub(super) postures: Postures,
    pub(super) undecided: Undecided,
    pub(super) departed: Departed,
    pub(super) translating: Translating,
    /// Flows that ended and are to be counted.
    pub(super) summed: Vec<Flow>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            flows: HashMap::default(),
            pairs: Pairs::default(),
            fast_open: FastOpen::default(),
            connecting: Connecting::default(),
            settling: VecDeque::new(),
            updates: VecDeque::new(),
            ages: VecDeque::new(),
            generations: 0,
            counters: TableCounters::default(),
            postures: Postures::default(),
            undecided: Undecided::default(),
            departed: Departed::default(),
            translating: Translating::default(),
            summed: Vec::new(),
        }
    }

    /// Number of flows in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// True if there is no flow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// How many flows it can hold.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.limits.flows
    }

    /// What happened to flows so far.
    #[must_use]
    pub const fn counters(&self) -> TableCounters {
        self.counters
    }

    /// All flows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values().map(|entry| &entry.flow)
    }

    /// The cookies of all flows, the oldest first: to look at many of them in slices.
    #[must_use]
    pub fn cookies_by_age(&self) -> Vec<u64> {
        let alive = |(cookie, generation): &&(u64, u64)| {
            self.flows.get(cookie).is_some_and(|entry| entry.generation == *generation)
        };
        self.ages.iter().filter(alive).map(|(cookie, _)| *cookie).collect()
    }

    /// The flow with this cookie.
    #[must_use]
    pub fn get(&self, cookie: u64) -> Option<&Flow> {
        self.flows.get(&cookie).map(|entry| &entry.flow)
    }

    /// Reports what has waited long enough at `now_ns`, unless how it is translated is being asked.
    pub fn settle(&mut self, now_ns: u64, out: &mut Vec<Change>) {
        while let Some(&(due, cookie, generation)) = self.settling.front() {
            if due > now_ns {
                break;
            }
            self.settling.pop_front();
            let entry = self.flows.get_mut(&cookie).filter(|entry| entry.generation == generation);
            let Some(entry) = entry.filter(|entry| entry.pending) else { continue };
            if entry.flow.nat == Some(Nat::Pending) {
                entry.owner_settled = true;
                self.translating.wait(cookie, generation);
            } else {
                self.report_opening(cookie, out);
            }
        }
    }

    /// When [`Self::settle`] or [`Self::stop_waiting`] next has something to do; boottime ns.
    #[must_use]
    pub fn next_settle(&self) -> Option<u64> {
        let opening = self.settling.front().map(|(due, ..)| *due);
        opening.into_iter().chain(self.translating.next_due()).min()
    }

    /// The cookies of flows that are due to be polled; each is due again after `update_ns`.
    pub fn due_updates(&mut self, now_ns: u64) -> Vec<u64> {
        self.fast_open.next_poll();
        let mut due = Vec::new();
        // Each at most once, even if it is due again at once.
        for _ in 0..self.updates.len() {
            let Some(&(_, cookie, generation)) = self.updates.front().filter(|(at, ..)| *at <= now_ns) else {
                break;
            };
            self.updates.pop_front();
            if self.flows.get(&cookie).is_some_and(|entry| entry.generation == generation) {
                self.updates.push_back((now_ns.saturating_add(self.limits.update_ns), cookie, generation));
                due.push(cookie);
            }
        }
        due
    }

    /// From now on remembers which flows end by a record or are evicted, until [`Self::end_listing`].
    pub fn begin_listing(&mut self) {
        self.departed.begin();
    }

    /// True if a record of this socket's end came, or its flow was removed, since the listing of the host began: the
    /// listing may be wrong to show it, or would bring an evicted flow back. Ends learnt in another way do not count, nor
    /// does a record without an owner: it is of a socket that predates the daemon, whose end the listing's own
    /// subscription reports with its owner.
    #[must_use]
    pub fn departed(&self, cookie: u64) -> bool {
        self.departed.contains(cookie)
    }

    /// The listing was applied.
    pub fn end_listing(&mut self) {
        self.departed.end();
    }

    /// Removes a flow on a port that is not watched; nothing was reported about it.
    pub fn discard(&mut self, cookie: u64) {
        self.remove(cookie);
    }

    /// Stores how far a flow has come, without a report.
    pub fn set_progress(&mut self, cookie: u64, progress: Progress) {
        let Some(entry) = self.flows.get_mut(&cookie) else { return };
        let flow = &mut entry.flow;
        flow.bytes_sent = progress.bytes_sent.or(flow.bytes_sent);
        flow.bytes_received = progress.bytes_received.or(flow.bytes_received);
        flow.rtt_us = progress.rtt_us.or(flow.rtt_us);
        flow.retransmits = progress.retransmits.or(flow.retransmits);
    }

    /// Reports a flow as ended that is gone from the host without a record of its end.
    pub fn closed_unseen(&mut self, cookie: u64, now_ns: u64, cx: &mut impl Context, out: &mut Vec<Change>) {
        let is_known = |entry: &Entry| entry.flow.found && matches!(entry.ending, Ending::Done(_));
        let missed = self.flows.get(&cookie).is_some_and(|entry| !is_known(entry));
        self.counters.end_missed += u64::from(missed);
        self.closed_by_notice(cookie, (Progress::default(), Outcome::Lost), now_ns, cx, out);
    }

    /// Reports a flow as ended whose end no record reports, with its socket's last counts.
    pub fn closed_by_notice(
        &mut self,
        cookie: u64,
        (last, outcome): (Progress, Outcome),
        ended_ns: u64,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        self.report_opening(cookie, out);
        self.set_progress(cookie, last);
        let Some(mut entry) = self.remove(cookie) else { return };
        (entry.flow.ended_ns, entry.flow.outcome) = match entry.ending {
            Ending::Done(at_ns) => (Some(at_ns), Outcome::EndedByPolicy),
            Ending::NotAsked | Ending::Asked => (Some(ended_ns), outcome),
        };
        entry.conclude_posture(&mut self.postures, cx);
        out.push(entry.last_change(ChangeKind::Closed));
    }

    /// Removes a flow that may go on; all that was seen of it is reported.
    pub(super) fn evict(&mut self, cookie: u64, why: Removal, out: &mut Vec<Change>) {
        self.report_opening(cookie, out);
        if let Some(entry) = self.remove(cookie) {
            self.departed.mark(cookie);
            out.push(entry.last_change(ChangeKind::Removed(why)));
        }
    }

    pub(super) fn insert(
        &mut self,
        mut flow: Flow,
        inspection: Inspection,
        now_ns: u64,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        // A cookie that is still here was reused after its end was lost.
        if self.flows.contains_key(&flow.cookie) {
            self.closed_unseen(flow.cookie, now_ns, cx, out);
        }
        if let Some(ended) = self.translating.take_ended(flow.cookie) {
            ended.report(out);
        }
        while self.flows.len() >= self.limits.flows {
            self.evict_oldest(out);
        }
        self.translating.begin(&mut flow);
        judge(&mut flow, cx);
        let cookie = flow.cookie;
        self.generations += 1;
        let generation = self.generations;
        self.pairs.insert(flow.local, flow.peer, flow.netns_cookie, cookie);
        self.updates.push_back((now_ns.saturating_add(self.limits.update_ns), cookie, generation));
        self.ages.push_back((cookie, generation));
        self.flows.insert(cookie, Entry::new(flow, inspection, generation));
        self.trim_queues();
    }

    /// Ended flows leave their places in the queues behind; these are dropped before they outnumber the flows.
    fn trim_queues(&mut self) {
        let bound = 2 * self.flows.len() + 1024;
        let flows = &self.flows;
        let alive = |cookie: &u64, generation: &u64| {
            flows.get(cookie).is_some_and(|entry| entry.generation == *generation)
        };
        if self.ages.len() > bound {
            self.ages.retain(|(cookie, generation)| alive(cookie, generation));
        }
        if self.updates.len() > bound {
            self.updates.retain(|(_, cookie, generation)| alive(cookie, generation));
        }
        if self.settling.len() > bound {
            self.settling.retain(|(_, cookie, generation)| alive(cookie, generation));
        }
        self.undecided.trim(bound, &alive);
    }

    /// Removes the oldest flow.
    fn evict_oldest(&mut self, out: &mut Vec<Change>) {
        while let Some((cookie, generation)) = self.ages.pop_front() {
            if self.flows.get(&cookie).is_some_and(|entry| entry.generation == generation) {
                self.evict(cookie, Removal::TableFull, out);
                self.counters.evicted += 1;
                return;
            }
        }
    }

    pub(super) fn remove(&mut self, cookie: u64) -> Option<Entry> {
        let entry = self.flows.remove(&cookie)?;
        self.undecided.release(&entry.inspection);
        self.pairs.remove(entry.flow.local, entry.flow.peer, entry.flow.netns_cookie, cookie);
        Some(entry)
    }

    /// Makes each end of a connection within this host know the other's process.
    pub(super) fn pair(&mut self, cookie: u64) {
        let Some(entry) = self.flows.get(&cookie) else { return };
        let flow = &entry.flow;
        let Some(other) = self.pairs.other_end(flow.local, flow.peer, flow.netns_cookie) else { return };
        let process = flow.process.clone();
        let Some(entry) = self.flows.get_mut(&other) else { return };
        entry.flow.peer_process = process;
        let process = entry.flow.process.clone();
        if let Some(entry) = self.flows.get_mut(&cookie) {
            entry.flow.peer_process = process;
        }
    }

    /// The flow's owner is as well known as it will be soon. It is reported, unless how it is translated is being asked.
    pub(super) fn owner_settled(&mut self, cookie: u64, out: &mut Vec<Change>) {
        if let Some(entry) = self.flows.get_mut(&cookie) {
            entry.owner_settled = true;
            if entry.flow.nat != Some(Nat::Pending) {
                self.report_opening(cookie, out);
            }
        }
    }

    /// If it is not reported yet, it will be after the settling time.
    pub(super) fn wait_to_settle(&mut self, cookie: u64, now_ns: u64) {
        if let Some(entry) = self.flows.get(&cookie).filter(|entry| entry.pending) {
            let due = now_ns.saturating_add(self.limits.settle_ns);
            self.settling.push_back((due, cookie, entry.generation));
        }
    }

    pub(super) fn report_opening(&mut self, cookie: u64, out: &mut Vec<Change>) {
        if let Some(entry) = self.flows.get_mut(&cookie)
            && entry.pending
        {
            entry.pending = false;
            out.push(entry.change(ChangeKind::Opened));
        }
    }
}
