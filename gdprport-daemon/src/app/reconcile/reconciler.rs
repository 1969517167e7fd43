//! When the host is listed and polled, and where the findings go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::adopt::{Adoption, Progress};
use super::background::{Finding, start_listing, start_poll};
use super::poll::PollRequest;
use crate::app::monitor::{Input, Monitor};
use crate::host::clock::boottime_ns;
use crate::host::destroy::DestroyNotices;
use crate::host::memory::trim_heap;
use crate::host::probes::Probes;

/// Keeps the tables in step with the host where records do not.
pub(crate) struct Reconciler {
    to: mpsc::Sender<Finding>,
    notices: DestroyNotices,
    /// Inode number of the network namespace by cookie, of sockets that predate the daemon.
    homes: Arc<HashMap<u64, u64>>,
    /// A listing that is being applied.
    adoption: Option<Box<Adoption>>,
    /// From the beginning of a listing until it is applied.
    listing: bool,
    polling: bool,
    /// Something may be open that the tables do not know, or the other way round.
    needs_resync: bool,
    records_lost: bool,
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
            adoption: None,
            listing: false,
            polling: false,
            needs_resync: false,
            records_lost: false,
        }
    }

    /// Asks for a listing: ports are watched that were not.
    pub(crate) const fn request_resync(&mut self) {
        self.needs_resync = true;
    }

    /// Asks for a listing because records were lost: what is found then need not predate the daemon.
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
    pub(crate) fn start_listing(&self, monitor: &Monitor<Probes>) {
        let ports = monitor.active_policy.watched().map(|port| port.number).collect();
        start_listing(ports, self.to.clone());
    }

    /// Starts a listing if one is needed and none is under way.
    pub(crate) fn resync(&mut self, monitor: &mut Monitor<Probes>) {
        if self.needs_resync && !self.listing {
            self.begin_listing(monitor);
            self.start_listing(monitor);
        }
    }

    /// Starts polling sockets whose end no record will report, and flows whose update is due, unless it is under way.
    pub(crate) fn poll(&mut self, monitor: &mut Monitor<Probes>, now_ns: u64) {
        if self.polling {
            return;
        }
        let due = monitor.flows.due_updates(now_ns);
        let Monitor { flows, listeners, .. } = monitor;
        let found = flows.iter().filter(|flow| flow.found).map(|flow| flow.cookie);
        let listeners = listeners.iter().filter(|listener| listener.found).map(|listener| listener.cookie);
        let cookies: HashSet<u64> =
            found.chain(flows.connecting()).chain(listeners).chain(due.iter().copied()).collect();
        let cookies = Arc::new(cookies);
        self.notices.retain(&cookies);
        Arc::make_mut(&mut self.homes).retain(|cookie, _| cookies.contains(cookie));
        if !cookies.is_empty() {
            self.polling = true;
            let homes = Arc::clone(&self.homes);
            start_poll(PollRequest { cookies, homes, due }, self.to.clone());
        }
    }

    /// Applies a finding. All records from before it must have been applied already.
    pub(crate) fn apply(&mut self, finding: Finding, monitor: &mut Monitor<Probes>, now: Timestamp) {
        match finding {
            Finding::Listed(listing, began_ns) => {
                let adoption = Adoption::new(*listing, began_ns, monitor);
                Arc::make_mut(&mut self.homes).extend(adoption.homes());
                self.adoption = Some(Box::new(adoption));
            }
            Finding::Polled(result) => {
                self.polling = false;
                monitor.apply(Input::Polled(&result.into_polled(boottime_ns())), now);
            }
            Finding::Destroyed(notices) => monitor.apply(Input::Destroyed(&notices), now),
        }
    }

    /// Applies a portion of a listing, if there is one.
    pub(crate) fn step(&mut self, monitor: &mut Monitor<Probes>, now: Timestamp) -> Progress {
        let Some(mut adoption) = self.adoption.take() else { return Progress::Done };
        let progress = adoption.step(self.records_lost, monitor, now);
        if progress != Progress::Done {
            self.adoption = Some(adoption);
            return progress;
        }
        monitor.flows.end_listing();
        monitor.listeners.end_listing();
        self.listing = false;
        // Nothing else would ever compare flows again that were too young for this listing.
        self.needs_resync |= adoption.finish(&mut self.notices, monitor, now);
        // Starting has needed much that is free again.
        trim_heap();
        progress
    }
}
