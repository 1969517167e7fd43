//! When the host is listed and polled, and where the findings go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::adopt::{Adoption, Progress, is_known};
use super::background::{Finding, start_listing, start_poll};
use super::pace::Pace;
use super::question::Question;
use crate::app::monitor::{Input, Monitor};
use crate::host::clock::boottime_ns;
use crate::host::destroy::DestroyNotices;
use crate::host::memory::trim_heap;
use crate::host::probes::Probes;
use crate::host::unseen::Unseen;

/// Listings in a row in which it may stay unclear which end a socket is. What one of them reads while it changes, the next
/// one reads at another moment.
const LOOKS: u32 = 3;

/// Keeps the tables in step with the host where records do not.
pub(crate) struct Reconciler {
    to: mpsc::Sender<Finding>,
    notices: DestroyNotices,
    /// Inode number of the network namespace by cookie, of sockets that predate the daemon.
    homes: Arc<HashMap<u64, u64>>,
    /// What the tables had when the listing under way began.
    known: Arc<HashSet<u64>>,
    /// A listing that is being applied.
    adoption: Option<Box<Adoption>>,
    /// From the beginning of a listing until it is applied.
    listing: bool,
    polling: bool,
    /// When the host may be polled, and when everything is compared, next.
    pace: Pace,
    /// Something may be open that the tables do not know.
    needs_resync: bool,
    /// Listings in a row after which it was unclear which end a socket is.
    unclear_looks: u32,
    records_lost: bool,
    /// The listing under way is for sockets that no record reported although their ports were watched.
    for_missed: bool,
    /// Sockets on watched ports that a listing did not take in, though it was made for them.
    left_out: HashSet<u64>,
}

impl Reconciler {
    /// Findings will be sent to `to`, to come back through [`Self::apply`].
    #[must_use]
    pub(crate) fn new(to: mpsc::Sender<Finding>) -> Self {
        let notices_to = to.clone();
        let notices =
            DestroyNotices::new(move |notices| notices_to.blocking_send(Finding::Destroyed(notices)).is_ok());
        Self {
            to,
            notices,
            homes: Arc::default(),
            known: Arc::default(),
            adoption: None,
            listing: false,
            polling: false,
            pace: Pace::default(),
            needs_resync: false,
            unclear_looks: 0,
            records_lost: false,
            for_missed: false,
            left_out: HashSet::new(),
        }
    }

    /// Asks for a listing: ports are watched that were not.
    pub(crate) const fn request_resync(&mut self) {
        self.needs_resync = true;
    }

    /// Asks for a listing because records were lost: what is found then need not predate the daemon. Ends may be among
    /// them, so that everything is compared after it.
    pub(crate) const fn records_lost(&mut self) {
        self.needs_resync = true;
        self.records_lost = true;
    }

    /// From now on the tables remember what leaves them, until a listing is applied.
    pub(crate) fn begin_listing(&mut self, monitor: &mut Monitor<Probes>) {
        monitor.flows.begin_listing();
        monitor.listeners.begin_listing();
        self.listing = true;
        self.needs_resync = false;
    }

    /// Starts the listing that was begun.
    pub(crate) fn start_listing(&mut self, monitor: &Monitor<Probes>) {
        let ports = monitor.active_policy.watched().map(|port| port.number).collect();
        let flows = monitor.flows.iter().map(|flow| flow.cookie).chain(monitor.flows.connecting());
        let known: HashSet<u64> =
            flows.chain(monitor.listeners.iter().map(|listener| listener.cookie)).collect();
        self.known = Arc::new(known);
        start_listing(ports, Arc::clone(&self.known), self.to.clone());
    }

    /// Starts what was asked for and is not under way: a listing, or a comparison.
    pub(crate) fn resync(&mut self, monitor: &mut Monitor<Probes>) {
        if self.needs_resync && !self.listing {
            self.begin_listing(monitor);
            self.start_listing(monitor);
        }
        let now_ns = boottime_ns();
        if !self.listing && self.pace.is_comparison_due(now_ns, monitor.flows.is_empty()) {
            self.poll(monitor, now_ns);
        }
    }

    /// Starts polling sockets whose end no record will report, and flows whose update is due; or, when it is time for
    /// that, everything. Does nothing while the poll before is under way, or has cost too much.
    pub(crate) fn poll(&mut self, monitor: &mut Monitor<Probes>, now_ns: u64) {
        if self.polling || !self.pace.may_poll(now_ns) {
            return;
        }
        let mut due = monitor.flows.due_updates(now_ns);
        due.sort_unstable();
        let idle = monitor.flows.is_empty();
        // What a listing is about to change would be taken for a difference.
        let question = if !self.listing && self.pace.is_comparison_due(now_ns, idle) {
            Question::of_everything(monitor, due, &self.homes, now_ns)
        } else {
            Question::of_unrecorded(monitor, due, &self.homes)
        };
        let judged = question.sockets.iter().filter(|asked| asked.judged).map(|asked| asked.cookie);
        let cookies: Arc<HashSet<u64>> = Arc::new(judged.collect());
        self.notices.retain(&cookies);
        Arc::make_mut(&mut self.homes).retain(|cookie, _| cookies.contains(cookie));
        if !question.sockets.is_empty() || question.search.is_some() {
            self.polling = true;
            start_poll(question, self.to.clone());
        }
    }

    /// Applies a finding. All records from before it must have been applied already.
    pub(crate) fn apply(&mut self, finding: Finding, monitor: &mut Monitor<Probes>, now: Timestamp) {
        match finding {
            Finding::Listed(listing, cost) => {
                self.pace.listed(boottime_ns(), cost);
                note_unseen(listing.unseen, monitor, now);
                let last_look = self.unclear_looks + 1 >= LOOKS;
                let adoption = Adoption::new(*listing, std::mem::take(&mut self.known), last_look, monitor);
                Arc::make_mut(&mut self.homes).extend(adoption.homes());
                self.adoption = Some(Box::new(adoption));
            }
            Finding::Polled(result) => {
                self.polling = false;
                let now_ns = boottime_ns();
                self.pace.polled(now_ns, result.cost, result.is_comparison());
                let processes = monitor.counters.unseen.processes;
                note_unseen(Unseen { processes, ..result.unseen() }, monitor, now);
                if result.is_comparison() {
                    self.look_for_missed(result.unknown(), now_ns, monitor);
                }
                monitor.apply(Input::Polled(&result.into_polled(now_ns)), now);
            }
            Finding::Destroyed(notices) => monitor.apply(Input::Destroyed(&notices), now),
        }
    }

    /// Asks for a listing if there are sockets that a comparison has found and no table knows, each socket once: some are
    /// on a watched port by chance. Not while the table of flows is full: they were evicted, and would evict others.
    fn look_for_missed(&mut self, unknown: Vec<u64>, now_ns: u64, monitor: &Monitor<Probes>) {
        if monitor.flows.len() >= monitor.flows.capacity() || !self.pace.may_list(now_ns) {
            return;
        }
        let unknown: HashSet<u64> =
            unknown.into_iter().filter(|cookie| !is_known(*cookie, monitor)).collect();
        if unknown.iter().any(|cookie| !self.left_out.contains(cookie)) {
            self.needs_resync = true;
            self.for_missed = true;
        }
        self.left_out = unknown;
    }

    /// Applies a portion of a listing, if there is one.
    pub(crate) fn step(&mut self, monitor: &mut Monitor<Probes>, now: Timestamp) -> Progress {
        let Some(mut adoption) = self.adoption.take() else { return Progress::Done };
        let progress = adoption.step(self.records_lost || self.for_missed, monitor, now);
        if progress != Progress::Done {
            self.adoption = Some(adoption);
            return progress;
        }
        monitor.flows.end_listing();
        monitor.listeners.end_listing();
        self.listing = false;
        // Whatever it was made for may have ended flows as well.
        self.pace.compare_soon();
        let unclear = adoption.finish(&mut self.notices);
        let again = unclear > 0 && self.unclear_looks + 1 < LOOKS;
        if unclear > 0 && !again {
            tracing::warn!(
                connections = unclear,
                "it is not known which end of these existing connections is here; they are not reported"
            );
            let unseen = monitor.counters.unseen;
            note_unseen(Unseen { sockets: unseen.sockets + unclear as u64, ..unseen }, monitor, now);
        }
        self.unclear_looks = if again { self.unclear_looks + 1 } else { 0 };
        self.needs_resync |= again;
        self.for_missed &= again;
        // Starting has needed much that is free again.
        trim_heap();
        progress
    }
}

/// Passes on what could not be looked at, and logs it when it is something else than before.
fn note_unseen(unseen: Unseen, monitor: &mut Monitor<Probes>, now: Timestamp) {
    if unseen != monitor.counters.unseen && !unseen.is_nothing() {
        let Unseen { namespaces, sockets, processes } = unseen;
        tracing::warn!(
            namespaces,
            sockets,
            processes,
            "the host cannot be looked at completely: sockets there may be open that are not known, and none of them is taken for gone"
        );
    }
    monitor.apply(Input::Unseen(unseen), now);
}
