//! What is asked of the host about known sockets: which, where they are, and what their absence would mean.
//!
//! Belongs here: making the question from the tables. Does not belong here: looking (`poll`).

use std::collections::HashMap;

use crate::app::monitor::Monitor;
use crate::host::probes::Probes;
use crate::host::sockets::PortSet;

/// A flow or a listener that began less than this before the question may not be there yet; ns.
const FRESH_NS: u64 = 1_000_000_000;

/// A known socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub cookie: u64,
    /// Inode number of its network namespace; 0 if not known.
    pub netns: u64,
    /// Cookie of its network namespace; 0 if not known.
    pub netns_cookie: u64,
    /// The process at this end; 0 if not known.
    pub pid: u32,
    /// Whether its end is to be concluded from its absence.
    pub judged: bool,
    /// Whether its counts are wanted.
    pub counted: bool,
}

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// In order of the cookie, each once.
    pub sockets: Vec<Asked>,
    /// Cookies of flows to be reported.
    pub due: Vec<u64>,
    /// Ports on which sockets are looked for that are not among these; `None` if there is no such search.
    pub search: Option<PortSet>,
}

impl Question {
    /// Asks about the sockets whose end no record will report, and about flows whose update is due. `homes`: inode numbers
    /// of network namespaces by cookie of the socket, where they are known.
    pub(super) fn of_unrecorded(monitor: &Monitor<Probes>, due: Vec<u64>, homes: &HashMap<u64, u64>) -> Self {
        let is_due = |cookie| due.binary_search(&cookie).is_ok();
        let sockets = known(monitor, homes)
            .filter(|(asked, found, _)| *found || is_due(asked.cookie))
            .map(|(asked, found, _)| Asked { judged: found, counted: true, ..asked })
            .collect();
        Self { sockets, due, search: None }.sorted()
    }

    /// Asks about everything in the tables at this boottime in ns, and for what is on the watched ports besides.
    pub(super) fn of_everything(
        monitor: &Monitor<Probes>,
        due: Vec<u64>,
        homes: &HashMap<u64, u64>,
        now_ns: u64,
    ) -> Self {
        let is_due = |cookie| due.binary_search(&cookie).is_ok();
        let is_old = |opened: Option<u64>| opened.is_none_or(|ns| ns.saturating_add(FRESH_NS) < now_ns);
        let sockets = known(monitor, homes)
            .map(|(asked, found, opened)| Asked {
                judged: found || is_old(opened),
                counted: found || is_due(asked.cookie),
                ..asked
            })
            .collect();
        let search = Some(monitor.active_policy.watched().map(|port| port.number).collect());
        Self { sockets, due, search }.sorted()
    }

    fn sorted(mut self) -> Self {
        self.sockets.sort_unstable_by_key(|asked| asked.cookie);
        self.sockets.dedup_by_key(|asked| asked.cookie);
        self
    }

    /// The place of a socket among those that are asked about.
    pub(super) fn place(&self, cookie: u64) -> Option<usize> {
        self.sockets.binary_search_by_key(&cookie, |asked| asked.cookie).ok()
    }
}

/// Everything in the tables: what is asked, whether it was found on the host, so that no record will report its end, and
/// when it began; boottime ns.
fn known(
    monitor: &Monitor<Probes>,
    homes: &HashMap<u64, u64>,
) -> impl Iterator<Item = (Asked, bool, Option<u64>)> {
    let asked = |cookie, netns_cookie, pid: Option<u32>| Asked {
        cookie,
        netns: homes.get(&cookie).copied().unwrap_or(0),
        netns_cookie,
        pid: pid.unwrap_or(0),
        ..Asked::default()
    };
    let flows = monitor.flows.iter().map(move |flow| {
        let pid = flow.process.as_ref().map(|process| process.pid);
        (asked(flow.cookie, flow.netns_cookie, pid), flow.found, flow.opened_ns)
    });
    let connecting = monitor.flows.connecting().map(move |cookie| (asked(cookie, 0, None), true, None));
    let listeners = monitor.listeners.iter().map(move |listener| {
        let pid = listener.process.as_ref().map(|process| process.pid);
        (asked(listener.cookie, listener.netns_cookie, pid), listener.found, listener.opened_ns)
    });
    flows.chain(connecting).chain(listeners)
}
