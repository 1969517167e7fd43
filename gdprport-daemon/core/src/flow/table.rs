//! The table of flows.
//!
//! Invariants:
//! 1. Every flow that was reported as opened is reported as closed or as forgotten exactly once.
//! 2. A passive flow is reported once its acceptor is known, and at the latest after [`Limits::settle_ns`]
//!    with the listener's owner; so a prefork worker is named, not its master.
//! 3. The table holds at most [`Limits::flows`]; what has to go is the oldest, and counted.
//! 4. A record of an end carries enough to report it even if everything before was lost. Only one without an owner is
//!    not reported: it is of a socket from before the daemon, of whose end the kernel gives notice in another way too.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::attempts::Attempts;
use super::early::Early;
use super::pairs::Pairs;
use super::posture::{Postures, Undecided, Watch};
use super::{Change, ChangeKind, Context, Flow, Forgotten, Standing};
use crate::model::Process;
use crate::verdict::ReasonSet;

/// Bounds of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Flows held at once. Each costs about 500 bytes.
    pub flows: usize,
    /// How long a new flow waits for its acceptor, or its other end on this host, to become known; ns.
    /// Accept follows the handshake within microseconds unless the server is busy.
    pub settle_ns: u64,
    /// How often an open flow is looked at and reported; ns.
    pub update_ns: u64,
    /// Bytes that the first bytes of all flows together may take while they are not decided. A handshake holds some
    /// 1.5 KiB for milliseconds, so that this is for about 20,000 under way at once; only dialogues that decide nothing
    /// and go on (greetings, no-operations) hold more, up to 6 KiB each, and for as long as their peers like.
    pub undecided_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 131_072, settle_ns: 50_000_000, update_ns: 60_000_000_000, undecided_bytes: 32 << 20 }
    }
}

/// What became of flows, since the table was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Flows that had to leave because the table was full.
    pub evicted: u64,
    /// Ends reported of flows whose beginning was not in the table.
    pub opening_missed: u64,
    /// Flows whose end was not seen.
    pub end_missed: u64,
    /// Flows whose encryption was not followed any further because too many were undecided at once.
    pub given_up: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) flow: Flow,
    /// What is made of its first bytes.
    pub(super) watch: Watch,
    /// Not reported yet: waits to settle.
    pub(super) pending: bool,
    /// The verdict as it was last reported.
    pub(super) reported: Option<Standing>,
    /// The reasons that were reported since the flow violates the policy.
    pub(super) told: ReasonSet,
    /// Tells this use of a cookie in the queues from an earlier one.
    pub(super) generation: u64,
}

impl Entry {
    /// A flow that is not in the table, to be reported once.
    pub(super) const fn unreported(flow: Flow) -> Self {
        let told = ReasonSet::EMPTY;
        Self { flow, watch: Watch::Over, pending: false, reported: None, told, generation: 0 }
    }
}

/// All flows that are open, and the queues of what is due when.
#[derive(Debug)]
pub struct Table {
    pub(super) limits: Limits,
    pub(super) flows: HashMap<u64, Entry, RandomState>,
    pub(super) pairs: Pairs,
    pub(super) early: Early,
    pub(super) attempts: Attempts,
    /// Flows that wait to settle. The delay is constant, so the queue is in order of time.
    pub(super) settling: VecDeque<(u64, u64, u64)>,
    /// Flows by when they are next looked at, in order for the same reason.
    updates: VecDeque<(u64, u64, u64)>,
    /// Flows by age.
    ages: VecDeque<(u64, u64)>,
    generations: u64,
    pub(super) counters: TableCounters,
    /// What flows say of their encryption, shared.
    pub(super) postures: Postures,
    /// Those of which it is not decided.
    pub(super) undecided: Undecided,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            flows: HashMap::default(),
            pairs: Pairs::default(),
            early: Early::default(),
            attempts: Attempts::default(),
            settling: VecDeque::new(),
            updates: VecDeque::new(),
            ages: VecDeque::new(),
            generations: 0,
            counters: TableCounters::default(),
            postures: Postures::default(),
            undecided: Undecided::default(),
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

    /// What became of flows so far.
    #[must_use]
    pub const fn counters(&self) -> TableCounters {
        self.counters
    }

    /// All flows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values().map(|entry| &entry.flow)
    }

    /// The flow with this cookie.
    #[must_use]
    pub fn get(&self, cookie: u64) -> Option<&Flow> {
        self.flows.get(&cookie).map(|entry| &entry.flow)
    }

    /// Reports what has waited long enough at `now_ns`.
    pub fn settle(&mut self, now_ns: u64, out: &mut Vec<Change>) {
        while let Some(&(due, cookie, generation)) = self.settling.front() {
            if due > now_ns {
                break;
            }
            self.settling.pop_front();
            if self.flows.get(&cookie).is_some_and(|entry| entry.generation == generation) {
                self.report_opening(cookie, out);
            }
        }
    }

    /// When [`Self::settle`] next has something to do; boottime ns.
    #[must_use]
    pub fn next_settle(&self) -> Option<u64> {
        self.settling.front().map(|(due, ..)| *due)
    }

    /// Takes the cookies of flows that are due to be looked at; each comes again after `update_ns`.
    pub fn due_updates(&mut self, now_ns: u64) -> Vec<u64> {
        self.early.look();
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

    /// Judges every flow anew, as after a change of the policy; reports those whose verdict changed.
    pub fn rejudge(&mut self, cx: &mut impl Context, out: &mut Vec<Change>) {
        for entry in self.flows.values_mut() {
            if judge(&mut entry.flow, cx) && !entry.pending {
                out.push(change(ChangeKind::Updated, entry));
            }
        }
    }

    /// Gives processes the names that they had to go without, and judges their flows anew; reports these.
    pub fn name_again(&mut self, cx: &mut impl Context, out: &mut Vec<Change>) {
        // Flows share their processes, and shall go on doing so.
        let mut named: HashMap<*const Process, Option<Arc<Process>>> = HashMap::new();
        let mut again = |process: &mut Option<Arc<Process>>, cx: &mut _| {
            let Some(old) = process.as_ref().filter(|process| process.names_pending) else { return false };
            let new = named.entry(Arc::as_ptr(old)).or_insert_with(|| Context::named(cx, old));
            new.as_ref().map(|new| *process = Some(Arc::clone(new))).is_some()
        };
        for entry in self.flows.values_mut() {
            again(&mut entry.flow.peer_process, cx);
            if again(&mut entry.flow.process, cx) {
                judge(&mut entry.flow, cx);
                if !entry.pending {
                    out.push(change(ChangeKind::Updated, entry));
                }
            }
        }
    }

    /// Forgets flows that `keep` does not want, as before a change of the watched ports; says how many. One that was
    /// not reported yet is.
    pub fn retain(&mut self, keep: impl Fn(&Flow) -> bool, out: &mut Vec<Change>) -> usize {
        let gone: Vec<u64> =
            self.flows.values().filter(|entry| !keep(&entry.flow)).map(|entry| entry.flow.cookie).collect();
        for cookie in &gone {
            self.forget(*cookie, Forgotten::Unwatched, out);
        }
        self.attempts.retain(keep);
        gone.len()
    }

    /// Forgets a flow of a port that is not watched, of which nothing was reported.
    pub fn disown(&mut self, cookie: u64) {
        self.remove(cookie);
    }

    /// Lets a flow go that may go on; nothing that was seen stays unsaid.
    fn forget(&mut self, cookie: u64, why: Forgotten, out: &mut Vec<Change>) {
        self.report_opening(cookie, out);
        out.extend(self.remove(cookie).map(|entry| last_change(ChangeKind::Forgotten(why), entry)));
    }

    pub(super) fn insert(
        &mut self,
        mut flow: Flow,
        watch: Watch,
        now_ns: u64,
        cx: &mut impl Context,
        out: &mut Vec<Change>,
    ) {
        // A cookie that is still here was reused after its end was lost.
        if self.flows.contains_key(&flow.cookie) {
            self.vanished(flow.cookie, now_ns, cx, out);
        }
        while self.flows.len() >= self.limits.flows {
            self.evict_oldest(out);
        }
        judge(&mut flow, cx);
        let cookie = flow.cookie;
        self.generations += 1;
        let generation = self.generations;
        self.pairs.insert(flow.local, flow.peer, flow.netns_cookie, cookie);
        self.updates.push_back((now_ns.saturating_add(self.limits.update_ns), cookie, generation));
        self.ages.push_back((cookie, generation));
        let told = ReasonSet::EMPTY;
        self.flows.insert(cookie, Entry { flow, watch, pending: true, reported: None, told, generation });
        self.trim_queues();
    }

    /// Ended flows leave their places in the queues behind; these are swept before they outnumber the flows.
    fn trim_queues(&mut self) {
        let bound = 2 * self.flows.len() + 1024;
        let flows = &self.flows;
        let lives = |cookie: &u64, generation: &u64| {
            flows.get(cookie).is_some_and(|entry| entry.generation == *generation)
        };
        if self.ages.len() > bound {
            self.ages.retain(|(cookie, generation)| lives(cookie, generation));
        }
        if self.updates.len() > bound {
            self.updates.retain(|(_, cookie, generation)| lives(cookie, generation));
        }
        if self.settling.len() > bound {
            self.settling.retain(|(_, cookie, generation)| lives(cookie, generation));
        }
        self.undecided.trim(bound, &lives);
    }

    /// Lets the oldest flow go.
    fn evict_oldest(&mut self, out: &mut Vec<Change>) {
        while let Some((cookie, generation)) = self.ages.pop_front() {
            if self.flows.get(&cookie).is_some_and(|entry| entry.generation == generation) {
                self.forget(cookie, Forgotten::TableFull, out);
                self.counters.evicted += 1;
                return;
            }
        }
    }

    pub(super) fn remove(&mut self, cookie: u64) -> Option<Entry> {
        let entry = self.flows.remove(&cookie)?;
        self.undecided.leaves(&entry.watch);
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

    pub(super) fn report_opening(&mut self, cookie: u64, out: &mut Vec<Change>) {
        if let Some(entry) = self.flows.get_mut(&cookie)
            && entry.pending
        {
            entry.pending = false;
            out.push(change(ChangeKind::Opened, entry));
        }
    }
}

/// Judges a flow; true if the verdict is another one than before.
pub(super) fn judge(flow: &mut Flow, cx: &mut impl Context) -> bool {
    let verdict = cx.judge(flow);
    let another = !Arc::ptr_eq(&flow.verdict, &verdict) && flow.verdict != verdict;
    if another {
        flow.verdict = verdict;
    }
    another
}

/// What is reported of a flow that goes on.
pub(super) fn change(kind: ChangeKind, entry: &mut Entry) -> Change {
    let was = entry.reported.replace(Standing::from(&*entry.flow.verdict));
    let reasons = ReasonSet::from(&*entry.flow.verdict);
    let new_reasons = reasons.without(entry.told);
    entry.told = if reasons.is_empty() { reasons } else { entry.told.with(reasons) };
    Change { kind, flow: entry.flow.clone(), new_reasons, was }
}

/// What is reported of a flow that left the table.
pub(super) fn last_change(kind: ChangeKind, entry: Entry) -> Change {
    let new_reasons = ReasonSet::from(&*entry.flow.verdict).without(entry.told);
    Change { kind, flow: entry.flow, new_reasons, was: entry.reported }
}
