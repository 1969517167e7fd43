//! What was on the host before the daemon, and comparing the table with the host after records were lost.
//!
//! The sockets are listed on a thread of their own while records go on; what ends meanwhile is remembered, so that a
//! socket that the list still shows is not taken for a living one, and what is evicted, so that it does not come twice.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use gdprport_common::{Caller, SocketOwner, SocketRole};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::before::{Before, Known};
use super::daemon::Daemon;
use super::listeners::Listener;
use crate::host::clock::boottime_ns;
use crate::host::farewell::{Farewell, Wanted};
use crate::host::memory::give_back;
use crate::host::process::Resolver;
use crate::host::snapshot::{FoundNs, FoundSocket, Holder, Snapshot, snapshot};
use crate::host::sockets::{self, PortSet, TcpCounts};
use gdprport_core::flow::{Found, Progress};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::Direction;

/// A flow that began less than this before the sockets were listed may be missing from the list; ns.
const FRESH_NS: u64 = 1_000_000_000;

/// Processes that were read, by process id and the cookie of the socket's network namespace.
type Holders = HashMap<(u32, u64), Option<OwnerRef>>;

/// Sockets taken in at once: some five milliseconds of work.
const PORTION: usize = 512;

/// How often the next portion waits for the sinks, a millisecond or two each time.
const PATIENCE: u32 = 2_000;

/// How far taking in a listing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adoption {
    /// There is nothing to take in, or no more of it.
    Done,
    /// There is more.
    More,
    /// There is more, but the sinks lag behind.
    Waiting,
}

/// A listing that is being taken in.
pub(super) struct Adopting {
    /// What is left, listeners first.
    sockets: std::vec::IntoIter<FoundSocket>,
    namespaces: Vec<FoundNs>,
    /// Of network namespaces, by inode number.
    cookies: HashMap<u64, u64>,
    /// Cookies of all sockets that were there.
    present: HashSet<u64>,
    /// Cookies of the namespaces that were looked into; `None`: all.
    listed: Option<HashSet<u64>>,
    /// When the listing began; boottime ns.
    began_ns: u64,
    /// Of whose ends to hear, by inode number of the namespace.
    wanted: HashMap<u64, Wanted>,
    holders: Holders,
    patience: u32,
}

/// What was found on the host, on its way to the loop.
#[derive(Debug)]
pub enum Survey {
    /// All sockets on watched ports with their owners, and when the listing began; boottime ns.
    Whole(Box<Snapshot>, u64),
    /// How known flows stand.
    Known(Known),
    /// Sockets from before that ended.
    Farewells(Vec<Farewell>),
}

/// Starts listing everything on these ports; the answer comes as [`Survey::Whole`].
pub fn start_whole(ports: PortSet, to: mpsc::Sender<Survey>) {
    tokio::task::spawn_blocking(move || {
        let began_ns = boottime_ns();
        match snapshot(Path::new("/proc"), &ports) {
            Ok(found) => {
                let _ = to.blocking_send(Survey::Whole(Box::new(found), began_ns));
            }
            Err(error) => {
                tracing::warn!(%error, "sockets from before cannot be found");
                // Nothing was looked at, so that nothing counts as gone.
                let nothing = Snapshot { namespaces_not_allowed: 1, ..Snapshot::default() };
                let _ = to.blocking_send(Survey::Whole(Box::new(nothing), began_ns));
            }
        }
    });
}

/// The kernel's counts as application bytes of an open connection: its SYN, if this end sent it, counts.
pub(super) fn progress(counts: &TcpCounts, direction: Direction) -> Progress {
    let syn = u64::from(direction == Direction::Out);
    Progress {
        bytes_sent: Some(counts.bytes_acked.saturating_sub(syn)),
        bytes_received: Some(counts.bytes_received),
        rtt_us: (counts.rtt_us != 0).then_some(counts.rtt_us),
        retransmits: Some(counts.retransmits),
    }
}

impl Daemon {
    /// The ports to list.
    #[must_use]
    pub fn port_set(&self) -> PortSet {
        self.in_force.policy.watched().map(|port| port.number).collect()
    }

    /// From now on what leaves the table is remembered, until the listing is taken in.
    pub fn begin_survey(&mut self) {
        self.left = Some(HashSet::new());
        self.must_reconcile = false;
    }

    /// True if a whole listing is wanted and none is under way.
    #[must_use]
    pub fn wants_survey(&self) -> bool {
        self.must_reconcile && self.left.is_none()
    }

    /// Takes a listing in. All records from before its end must have been taken in already.
    pub fn survey(&mut self, survey: Survey, before: &mut Before, now: Timestamp) {
        match survey {
            Survey::Whole(found, began_ns) => self.whole(*found, began_ns, before),
            Survey::Known(known) => self.known(&known, now),
            Survey::Farewells(heard) => self.farewells(&heard, now),
        }
    }

    fn whole(&mut self, found: Snapshot, began_ns: u64, before: &mut Before) {
        for error in &found.not_entered {
            tracing::warn!(%error, "sockets from before in this network namespace are not known");
        }
        for error in &found.not_listed {
            tracing::warn!(%error, "sockets from before are not known");
        }
        let partial = !found.not_entered.is_empty()
            || !found.not_listed.is_empty()
            || found.namespaces_not_allowed > 0
            || found.namespaces_over_cap > 0;
        let cookies: HashMap<u64, u64> = found
            .namespaces
            .iter()
            .filter_map(|namespace| {
                let ask = || namespace.ns.run(|| self.probes.netns_cookie()).ok().flatten();
                Some((namespace.ns.inode(), namespace.cookie.or_else(ask)?))
            })
            .collect();
        for (inode, cookie) in &cookies {
            self.resolver.learn_netns(*cookie, *inode);
        }
        let present: HashSet<u64> = found.sockets.iter().map(|socket| socket.cookie).collect();
        let mut sockets = found.sockets;
        // Listeners first: whether a connection was accepted shows by them.
        sockets.sort_by_key(|socket| socket.peer.is_some());
        before.found_in(sockets.iter().map(|socket| (socket.cookie, socket.netns)));
        self.adopting = Some(Box::new(Adopting {
            sockets: sockets.into_iter(),
            namespaces: found.namespaces,
            cookies,
            present,
            listed: partial.then_some(found.listed),
            began_ns,
            wanted: HashMap::new(),
            holders: Holders::new(),
            patience: PATIENCE,
        }));
    }

    /// Takes in a portion of what was found. Waits a while for sinks that lag behind: what was there before has time,
    /// and tens of thousands of events at once would not fit in their queues.
    pub(super) fn adopt_some(&mut self, before: &mut Before) -> Adoption {
        let Some(mut adopting) = self.adopting.take() else { return Adoption::Done };
        if adopting.patience > 0 && !self.publisher.fanout().has_room() {
            adopting.patience -= 1;
            self.adopting = Some(adopting);
            return Adoption::Waiting;
        }
        let now = self.now();
        let Adopting { sockets, cookies, wanted, holders, .. } = &mut *adopting;
        for socket in sockets.by_ref().take(PORTION) {
            if self.left.as_ref().is_some_and(|left| left.contains(&socket.cookie)) {
                continue;
            }
            let netns_cookie = cookies.get(&socket.netns).copied().unwrap_or(0);
            if socket.peer.is_some() {
                self.adopt(&socket, netns_cookie, holders, now);
                let found = self.table.get(socket.cookie).is_some_and(|flow| flow.found);
                if found || self.table.is_attempt(socket.cookie) {
                    wanted.entry(socket.netns).or_default().flows.insert(socket.cookie);
                }
            } else {
                self.adopt_listener(&socket, netns_cookie, holders, now);
                wanted.entry(socket.netns).or_default().listeners.insert(socket.cookie);
            }
        }
        if adopting.sockets.len() > 0 {
            self.adopting = Some(adopting);
            return Adoption::More;
        }
        self.left = None;
        let Adopting { namespaces, mut wanted, present, listed, began_ns, .. } = *adopting;
        for namespace in namespaces {
            let inode = namespace.ns.inode();
            if let (Some(subscription), Some(wanted)) = (namespace.farewells, wanted.remove(&inode)) {
                before.farewells.watch(inode, subscription, wanted);
            }
        }
        // Absence proves an end only where it was looked.
        let looked_at =
            |netns_cookie: u64| listed.as_ref().is_none_or(|listed| listed.contains(&netns_cookie));
        self.forget_absent(&present, looked_at, began_ns, now);
        // Starting has needed much that is free again.
        give_back();
        Adoption::Done
    }

    fn adopt(&mut self, socket: &FoundSocket, netns_cookie: u64, holders: &mut Holders, now: Timestamp) {
        let Some(peer) = socket.peer else { return };
        if self.table.get(socket.cookie).is_some() {
            return;
        }
        let local_watched = self.in_force.policy.port(socket.local.port).is_some();
        let peer_watched = self.in_force.policy.port(peer.port).is_some();
        if !local_watched && !peer_watched {
            // The policy has changed since it was listed.
            return;
        }
        let served = self.listeners.iter().any(|listener| listener.local.port == socket.local.port);
        let attempt = socket.is_attempt();
        if attempt && !peer_watched {
            return;
        }
        let accepted = !attempt && local_watched && (served || !peer_watched);
        let direction = if accepted { Direction::In } else { Direction::Out };
        let owner = self.holder(socket.owner, netns_cookie, holders);
        let found = Found {
            cookie: socket.cookie,
            direction,
            local: socket.local,
            peer,
            process: owner.map(|owner| self.resolver.resolve(&owner, &self.probes)),
            netns_cookie,
            progress: progress(&socket.counts, direction),
            before: !self.records_lost && self.table.counters().evicted == 0,
        };
        if attempt {
            return self.table.attempt(found);
        }
        let now_ns = boottime_ns();
        self.with_table(now, |table, judge, out| table.adopt(found, now_ns, judge, out));
    }

    fn adopt_listener(
        &mut self,
        socket: &FoundSocket,
        netns_cookie: u64,
        holders: &mut Holders,
        now: Timestamp,
    ) {
        if self.listeners.contains(socket.cookie) || self.in_force.policy.port(socket.local.port).is_none() {
            return;
        }
        let owner = self.holder(socket.owner, netns_cookie, holders);
        if let (Some(owner), Some(Holder { tgid, fd })) = (owner, socket.owner) {
            // Sockets accepted from now on inherit the owner from the listener's storage.
            let stored =
                sockets::fetch(tgid, fd, socket.cookie).map_err(|error| error.to_string()).and_then(|fd| {
                    self.probes
                        .seed_socket(&fd, storage(&owner, socket.local.port))
                        .map_err(|error| error.to_string())
                });
            if let Err(error) = stored {
                tracing::debug!(%error, "a listener from before keeps no owner");
            }
        }
        let process = owner.map(|owner| self.resolver.resolve(&owner, &self.probes));
        let verdict = self.in_force.policy.evaluate_listener(socket.local, process.as_deref());
        let listener = Listener {
            cookie: socket.cookie,
            local: socket.local,
            process,
            verdict,
            opened_ns: None,
            netns_cookie,
            found: true,
        };
        self.listener_opened(listener, now);
    }

    /// Who holds a socket. Reading that takes a dozen system calls, and a server holds thousands of sockets: each
    /// process is read once for one listing.
    fn holder(&self, holder: Option<Holder>, netns_cookie: u64, holders: &mut Holders) -> Option<OwnerRef> {
        let resolver: &Resolver = &self.resolver;
        let tgid = holder?.tgid;
        let read = || resolver.holder(tgid, netns_cookie, &self.probes);
        *holders.entry((tgid, netns_cookie)).or_insert_with(read)
    }

    /// Ends what the table holds and the host does not: the record of its end was lost. What was there before
    /// the daemon is asked about by itself.
    fn forget_absent(
        &mut self,
        present: &HashSet<u64>,
        looked_at: impl Fn(u64) -> bool,
        began_ns: u64,
        now: Timestamp,
    ) {
        let old = |opened: Option<u64>| opened.is_none_or(|ns| ns + FRESH_NS < began_ns);
        let (mut gone, mut too_fresh) = (Vec::new(), false);
        for flow in self.table.iter() {
            if flow.found || present.contains(&flow.cookie) || !looked_at(flow.netns_cookie) {
                continue;
            }
            if old(flow.opened_ns) {
                gone.push(flow.cookie);
            } else {
                too_fresh |= flow.opened_ns.is_some_and(|ns| ns < began_ns);
            }
        }
        // Nothing else would ever look at those again; what began after the listing is not missing from it.
        self.must_reconcile |= too_fresh;
        let now_ns = boottime_ns();
        self.with_table(now, |table, judge, out| {
            for cookie in gone {
                table.vanished(cookie, now_ns, judge, out);
            }
        });
        let listeners: Vec<u64> = self
            .listeners
            .iter()
            .filter(|listener| !listener.found && !present.contains(&listener.cookie))
            .filter(|listener| old(listener.opened_ns) && looked_at(listener.netns_cookie))
            .map(|listener| listener.cookie)
            .collect();
        for cookie in listeners {
            self.listener_ended(cookie, now);
        }
    }
}

/// An owner found in `/proc` as the value of the storage of a listener on `local_port`.
fn storage(owner: &OwnerRef, local_port: u16) -> SocketOwner {
    let [a, b] = [&owner.comm[..8], &owner.comm[8..]]
        .map(|half| u64::from_ne_bytes(half.try_into().expect("half of sixteen bytes is eight")));
    let caller = Caller {
        exec_id: owner.exec_id,
        cgroup_id: owner.cgroup_id,
        netns_cookie: owner.netns_cookie,
        start_ns: owner.start_ns,
        tgid: owner.tgid,
        parent_tgid: owner.parent_tgid,
        uid: owner.uid,
        gid: owner.gid,
        comm: [a, b],
    };
    SocketOwner { caller, role: SocketRole::Seeded as u8, started: 1, local_port, ..SocketOwner::default() }
}
