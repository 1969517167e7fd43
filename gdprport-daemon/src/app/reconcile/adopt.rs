//! Applying a listing of the host: sockets that no record reported.
//!
//! The sockets are listed on a thread of their own while records go on. The tables remember what leaves them meanwhile,
//! so that a socket that the list still shows is not taken for an open one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gdprport_common::{Caller, SocketOwner, SocketRole};
use gdprport_core::flow::FoundFlow;
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::Direction;
use jiff::Timestamp;

use crate::app::monitor::{Input, Monitor, SeenListener};
use crate::host::clock::boottime_ns;
use crate::host::destroy::{DestroyNotices, WantedSockets};
use crate::host::listing::{ListedNetns, ListedSocket, Listing, ProcessFd};
use crate::host::probes::Probes;
use crate::host::sockets;

/// Sockets applied at once: some five milliseconds of work.
const PORTION: usize = 512;

/// How often the next portion waits for the sinks, a millisecond or two each time.
const WAITS_MAX: u32 = 2_000;

/// Processes that were read, by process id and the cookie of the socket's network namespace.
type Owners = HashMap<(u32, u64), Option<OwnerRef>>;

/// How far applying a listing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is nothing to apply, or nothing left.
    Done,
    /// There is more.
    More,
    /// There is more, but the sinks lag behind.
    Waiting,
}

/// A listing that is being applied.
pub(super) struct Adoption {
    /// What is left, listeners first.
    sockets: std::vec::IntoIter<ListedSocket>,
    namespaces: Vec<ListedNetns>,
    /// Of network namespaces, by inode number.
    cookies: HashMap<u64, u64>,
    /// Cookies of what the tables had when the listing began. What has left them since has ended.
    known: Arc<HashSet<u64>>,
    /// Whose destroy notices are wanted, by inode number of the namespace.
    wanted: HashMap<u64, WantedSockets>,
    owners: Owners,
    waits_left: u32,
    records_lost: bool,
    /// No other listing follows for sockets of which this one does not show which end they are.
    last_look: bool,
    /// How many these are.
    unclear: usize,
}

impl Adoption {
    /// Begins. All records from before the end of the listing must have been applied.
    pub(super) fn new(
        listing: Listing,
        known: Arc<HashSet<u64>>,
        last_look: bool,
        monitor: &mut Monitor<Probes>,
    ) -> Self {
        let evidence = &mut monitor.evidence;
        let mut cookies = HashMap::new();
        for namespace in &listing.namespaces {
            let ask = || namespace.ns.run(|| evidence.kernel.netns_cookie()).ok().flatten();
            if let Some(cookie) = namespace.cookie.or_else(ask) {
                evidence.resolver.learn_netns(cookie, namespace.ns.inode());
                cookies.insert(namespace.ns.inode(), cookie);
            }
        }
        let mut sockets = listing.sockets;
        // Listeners first: whether a connection was accepted shows by them.
        sockets.sort_by_key(|socket| socket.peer.is_some());
        Self {
            sockets: sockets.into_iter(),
            namespaces: listing.namespaces,
            cookies,
            known,
            wanted: HashMap::new(),
            owners: Owners::new(),
            waits_left: WAITS_MAX,
            records_lost: false,
            last_look,
            unclear: 0,
        }
    }

    /// The sockets that are left, each with the inode number of its network namespace.
    pub(super) fn homes(&self) -> impl Iterator<Item = (u64, u64)> {
        self.sockets.as_slice().iter().map(|socket| (socket.cookie, socket.netns))
    }

    /// Applies a portion. Waits a while for sinks that lag behind: existing sockets have time, and tens of thousands of
    /// events at once would not fit in the queues. If records were lost, what is found need not predate the daemon.
    pub(super) fn step(
        &mut self,
        records_lost: bool,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) -> Progress {
        if self.waits_left > 0 && !monitor.publisher.fanout().has_room() {
            self.waits_left -= 1;
            return Progress::Waiting;
        }
        self.records_lost = records_lost;
        for _ in 0..PORTION {
            let Some(socket) = self.sockets.next() else { break };
            if monitor.flows.departed(socket.cookie) || monitor.listeners.departed(socket.cookie) {
                continue;
            }
            if self.known.contains(&socket.cookie) && !is_known(socket.cookie, monitor) {
                continue;
            }
            let netns_cookie = self.cookies.get(&socket.netns).copied().unwrap_or(0);
            if socket.peer.is_some() {
                self.adopt(&socket, netns_cookie, monitor, now);
                let found = monitor.flows.get(socket.cookie).is_some_and(|flow| flow.found);
                if found || monitor.flows.is_connecting(socket.cookie) {
                    self.wanted.entry(socket.netns).or_default().flows.insert(socket.cookie);
                }
            } else {
                self.adopt_listener(&socket, netns_cookie, monitor, now);
                self.wanted.entry(socket.netns).or_default().listeners.insert(socket.cookie);
            }
        }
        if self.sockets.len() > 0 { Progress::More } else { Progress::Done }
    }

    /// Ends: subscribes to the destroy notices of what was found. Returns of how many connections it is not clear which end
    /// is here: they are not reported.
    pub(super) fn finish(self, notices: &mut DestroyNotices) -> usize {
        let Self { namespaces, mut wanted, unclear, .. } = self;
        for namespace in namespaces {
            let inode = namespace.ns.inode();
            if let (Some(subscription), Some(wanted)) = (namespace.destroy_notices, wanted.remove(&inode)) {
                notices.watch(inode, subscription, wanted);
            }
        }
        unclear
    }

    fn adopt(
        &mut self,
        socket: &ListedSocket,
        netns_cookie: u64,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) {
        let Some(peer) = socket.peer else { return };
        if monitor.flows.get(socket.cookie).is_some() {
            return;
        }
        let local_watched = monitor.active_policy.port(socket.local.port).is_some();
        let peer_watched = monitor.active_policy.port(peer.port).is_some();
        if !local_watched && !peer_watched {
            // The policy has changed since it was listed.
            return;
        }
        let connecting = socket.is_connecting();
        let direction = if connecting {
            Direction::Out
        } else {
            let has_listener =
                || monitor.listeners.iter().any(|listener| listener.serves(socket.local, netns_cookie));
            // One that ended meanwhile has no counts.
            let Some(counts) = socket.counts else { return };
            let Some(direction) = counts.sent.and_then(|sent| sent.which_end(has_listener, self.last_look))
            else {
                self.unclear += 1;
                return;
            };
            direction
        };
        let watched = match direction {
            Direction::In => local_watched,
            Direction::Out => peer_watched,
        };
        if !watched {
            // The other port has a watched number by chance: a client's own.
            return;
        }
        let owner = self.owner(socket.owner, netns_cookie, monitor);
        let evidence = &mut monitor.evidence;
        let found = FoundFlow {
            cookie: socket.cookie,
            direction,
            local: socket.local,
            peer,
            process: owner.map(|owner| evidence.resolver.resolve(&owner, &evidence.kernel)),
            netns_cookie,
            progress: socket.counts.map(|counts| counts.progress(direction)).unwrap_or_default(),
            predates_daemon: !self.records_lost && monitor.flows.counters().evicted == 0,
        };
        let input =
            if connecting { Input::FoundConnect(found) } else { Input::FoundFlow(found, boottime_ns()) };
        monitor.apply(input, now);
    }

    fn adopt_listener(
        &mut self,
        socket: &ListedSocket,
        netns_cookie: u64,
        monitor: &mut Monitor<Probes>,
        now: Timestamp,
    ) {
        if monitor.listeners.contains(socket.cookie)
            || monitor.active_policy.port(socket.local.port).is_none()
        {
            return;
        }
        let owner = self.owner(socket.owner, netns_cookie, monitor);
        let evidence = &mut monitor.evidence;
        if let (Some(owner), Some(ProcessFd { tgid, fd })) = (owner, socket.owner) {
            // Sockets accepted from now on inherit the owner from the listener's storage.
            let stored =
                sockets::fetch(tgid, fd, socket.cookie).map_err(|error| error.to_string()).and_then(|fd| {
                    evidence
                        .kernel
                        .seed_socket(&fd, storage(&owner, socket.local.port))
                        .map_err(|error| error.to_string())
                });
            if let Err(error) = stored {
                tracing::debug!(%error, "an existing listener keeps no owner");
            }
        }
        let process = owner.map(|owner| evidence.resolver.resolve(&owner, &evidence.kernel));
        let listener = SeenListener {
            cookie: socket.cookie,
            local: socket.local,
            process,
            netns_cookie,
            would_deny: false,
        };
        monitor.apply(Input::FoundListener(listener), now);
    }

    /// Who holds a socket. Reading that takes a dozen system calls, and a server holds thousands of sockets: each
    /// process is read once for one listing.
    fn owner(
        &mut self,
        holder: Option<ProcessFd>,
        netns_cookie: u64,
        monitor: &Monitor<Probes>,
    ) -> Option<OwnerRef> {
        let tgid = holder?.tgid;
        let evidence = &monitor.evidence;
        let read = || evidence.resolver.owner_of_process(tgid, netns_cookie, &evidence.kernel);
        *self.owners.entry((tgid, netns_cookie)).or_insert_with(read)
    }
}

/// Whether a socket is in one of the tables.
pub(super) fn is_known(cookie: u64, monitor: &Monitor<Probes>) -> bool {
    monitor.flows.get(cookie).is_some()
        || monitor.flows.is_connecting(cookie)
        || monitor.listeners.contains(cookie)
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
        euid: owner.euid,
        egid: owner.egid,
        comm: [a, b],
    };
    SocketOwner { caller, role: SocketRole::Seeded as u8, started: 1, local_port, ..SocketOwner::default() }
}
