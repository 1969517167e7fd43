//! Listing the host's sockets on watched ports in every network namespace, with the processes that hold them; and
//! polling them later.
//!
//! Sockets opened before the kernel side was attached fire no hook, or not all. They are listed once at start and
//! polled periodically; their owners are found once, through `/proc`.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use netlink_packet_sock_diag::constants::TCP_SYN_SENT;
use rustix::fs::{Mode, OFlags, RawDir, openat, readlinkat_raw};
use thiserror::Error;

use crate::host::destroy::Subscription;
use crate::host::netns::{self, EnterError, OpenNs};
use crate::host::pid::{self, ProcDir};
use crate::host::sockets::{self, DumpError, PortSet, TcpCounts, TcpSocket};
use gdprport_core::model::Endpoint;

/// Maximum of threads that search for owners: start-up must not use all CPUs of a large host.
const SEARCHERS_CAP: usize = 4;

/// A descriptor of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessFd {
    pub tgid: u32,
    /// Descriptor in that process.
    pub fd: i32,
}

/// A listed socket on a watched port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListedSocket {
    pub cookie: u64,
    /// Inode number of its network namespace.
    pub netns: u64,
    pub local: Endpoint,
    /// The other end; `None` for a listener.
    pub peer: Option<Endpoint>,
    /// TCP state (include/net/tcp_states.h).
    pub state: u8,
    /// User that created the socket.
    pub uid: u32,
    /// The process holding it that started first (lowest process id among equals): a master rather than its
    /// workers, the opener rather than a child that inherited it. `None` if none was found.
    pub owner: Option<ProcessFd>,
    /// What the kernel counted so far.
    pub counts: TcpCounts,
}

impl ListedSocket {
    /// True if it is no connection yet: the peer has not replied to its connect.
    #[must_use]
    pub(crate) const fn is_connecting(&self) -> bool {
        self.state == TCP_SYN_SENT
    }
}

/// A network namespace with sockets on watched ports.
#[derive(Debug)]
pub(crate) struct ListedNetns {
    /// The namespace, held open so that [`poll`] can enter it. Drop it when none of its sockets is tracked any
    /// more.
    pub ns: OpenNs,
    /// Its cookie; `None` before Linux 5.14.
    pub cookie: Option<u64>,
    /// Receives the ends of all its sockets after they were listed; `None` where there is no connection, or the
    /// kernel has no such broadcast.
    pub destroy_notices: Option<Subscription>,
}

/// The sockets of the host.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub sockets: Vec<ListedSocket>,
    /// The namespaces they are in.
    pub namespaces: Vec<ListedNetns>,
    /// Why each namespace that could not be entered was not: their sockets are missing.
    pub not_entered: Vec<EnterError>,
    /// Cookies of the namespaces whose sockets were listed, including those with none on watched ports.
    pub listed: HashSet<u64>,
    /// Why the kernel did not list the sockets of other namespaces.
    pub not_listed: Vec<DumpError>,
    /// Processes whose namespace may not be read.
    pub namespaces_not_allowed: u64,
    /// Namespaces beyond the cap of 4096 that were left out.
    pub namespaces_over_cap: u64,
    /// Processes whose descriptors may not be read.
    pub processes_not_allowed: u64,
}

/// Why there is no listing at all.
#[derive(Debug, Error)]
#[error("cannot list processes in {proc}: {source}; gdprport needs the proc file system")]
pub(crate) struct ListingError {
    proc: String,
    source: io::Error,
}

impl Listing {
    /// Finds the sockets on watched ports in every network namespace, and their owners.
    ///
    /// Takes time in proportion to all sockets and all descriptors of the host; run it off the event loop.
    ///
    /// # Errors
    /// If `proc` cannot be listed. What else is missing is named in the listing.
    pub(crate) fn take(proc: &Path, ports: &PortSet) -> Result<Self, ListingError> {
        let failed = |source| ListingError { proc: proc.display().to_string(), source };
        let namespaces = netns::enumerate(proc).map_err(failed)?;
        let mut out = Self {
            namespaces_not_allowed: namespaces.not_allowed,
            namespaces_over_cap: namespaces.over_cap,
            ..Self::default()
        };
        let mut inodes = Vec::new();
        for namespace in namespaces.found {
            let scanned = namespace.open().and_then(|ns| {
                // Subscribed first, so that no end is missed.
                let scan = || (Subscription::open(), sockets::list(ports), netns::current_cookie());
                let listed = ns.run(scan)?;
                Ok((ns, listed))
            });
            if let Ok((_, (_, Ok(_), Some(cookie)))) = &scanned {
                out.listed.insert(*cookie);
            }
            match scanned {
                Ok((ns, (destroy_notices, Ok(found), cookie))) if !found.is_empty() => {
                    let connected = found.iter().any(|socket| socket.peer.is_some());
                    inodes.extend(found.iter().map(|socket| socket.inode));
                    out.sockets.extend(found.into_iter().map(|socket| found_socket(socket, ns.inode())));
                    let destroy_notices = destroy_notices
                        .inspect_err(|error| tracing::debug!(%error, "ends are only found by polling"))
                        .ok()
                        .filter(|_| connected);
                    out.namespaces.push(ListedNetns { ns, cookie, destroy_notices });
                }
                Ok((_, (_, Ok(_), _))) => {}
                Ok((_, (_, Err(error), _))) => out.not_listed.push(error),
                Err(error) => out.not_entered.push(error),
            }
        }
        let (owners, not_allowed) = find_owners(proc, &inodes).map_err(failed)?;
        out.processes_not_allowed = not_allowed;
        for (socket, inode) in out.sockets.iter_mut().zip(&inodes) {
            socket.owner = owners.get(inode).copied();
        }
        Ok(out)
    }
}

const fn found_socket(socket: TcpSocket, netns: u64) -> ListedSocket {
    ListedSocket {
        cookie: socket.cookie,
        netns,
        local: socket.local,
        peer: socket.peer,
        state: socket.state,
        uid: socket.uid,
        owner: None,
        counts: socket.counts,
    }
}

/// The current state of sockets of one namespace. Those not in the result are gone.
///
/// # Errors
/// [`PollError`]; then nothing is known about any of them.
pub(crate) fn poll(ns: &OpenNs, wanted: impl Fn(u64) -> bool + Send) -> Result<Vec<TcpSocket>, PollError> {
    Ok(ns.run(|| sockets::list_cookies(wanted))??)
}

/// Why sockets could not be polled.
#[derive(Debug, Error)]
#[error(transparent)]
pub(crate) enum PollError {
    /// The namespace was not entered.
    Enter(#[from] EnterError),
    /// The kernel did not list its sockets.
    Dump(#[from] DumpError),
}

/// Finds the processes that hold the sockets with these inode numbers.
///
/// Processes are searched from the oldest on, by a few threads that take one after the other, until all sockets are
/// found; nearly all of the time is spent in the kernel, for one link per descriptor. A thread searches its process
/// completely: every process older than a holder that was found has then been searched, so the oldest such holder
/// is the oldest of all.
fn find_owners(proc: &Path, inodes: &[u32]) -> io::Result<(HashMap<u32, ProcessFd>, u64)> {
    let wanted: HashMap<u32, AtomicBool> =
        inodes.iter().filter(|inode| **inode != 0).map(|inode| (*inode, AtomicBool::new(false))).collect();
    if wanted.is_empty() {
        return Ok((HashMap::new(), 0));
    }
    let proc_fd = pid::open_proc(proc)?;
    let mut processes: Vec<_> = pid::list(proc)?
        .filter_map(|tgid| {
            let dir = ProcDir::open(&proc_fd, tgid)?;
            Some((dir.stat()?.start_ticks, tgid))
        })
        .collect();
    processes.sort_unstable();
    let search = OwnerSearch {
        proc: &proc_fd,
        missing: AtomicUsize::new(wanted.len()),
        wanted: &wanted,
        processes: &processes,
        next: AtomicUsize::new(0),
        not_allowed: AtomicU64::new(0),
    };
    let mut finds = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(SEARCHERS_CAP);
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| search.run())).collect();
        let mut finds = search.run();
        for other in others {
            finds.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        finds
    });
    finds.sort_unstable_by_key(|find| Reverse(find.age));
    let holder = |find: FoundFd| (find.inode, ProcessFd { tgid: processes[find.age].1, fd: find.fd });
    Ok((finds.into_iter().map(holder).collect(), search.not_allowed.into_inner()))
}

/// What the searching threads share.
struct OwnerSearch<'a> {
    proc: &'a OwnedFd,
    /// Inode numbers, each with whether it was found.
    wanted: &'a HashMap<u32, AtomicBool>,
    missing: AtomicUsize,
    /// Start time and process id, the oldest first.
    processes: &'a [(u64, u32)],
    next: AtomicUsize,
    not_allowed: AtomicU64,
}

/// A wanted socket in a process, which is named by its index in the order of age.
struct FoundFd {
    inode: u32,
    age: usize,
    fd: i32,
}

impl OwnerSearch<'_> {
    fn run(&self) -> Vec<FoundFd> {
        let mut finds = Vec::new();
        let mut buffer = Vec::with_capacity(32 * 1024);
        while self.missing.load(Ordering::Relaxed) > 0 {
            let age = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((_, tgid)) = self.processes.get(age) else { break };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            match openat(self.proc, format!("{tgid}/fd"), flags, Mode::empty()) {
                Ok(fds) => self.search(&fds, &mut buffer, age, &mut finds),
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
                    self.not_allowed.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => {}
            }
        }
        finds
    }

    /// Adds the wanted sockets of one `/proc/PID/fd`.
    fn search(&self, fds: &OwnedFd, buffer: &mut Vec<u8>, age: usize, finds: &mut Vec<FoundFd>) {
        let mut entries = RawDir::new(fds, buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = entries.next() {
            let mut target = [0; 32];
            let Ok(len) = readlinkat_raw(fds, entry.file_name(), &mut target[..]) else { continue };
            let Some(inode) = socket_inode(&target[..len]) else { continue };
            let Some(found) = self.wanted.get(&inode) else { continue };
            let Some(fd) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if !found.swap(true, Ordering::Relaxed) {
                self.missing.fetch_sub(1, Ordering::Relaxed);
            }
            finds.push(FoundFd { inode, age, fd });
        }
    }
}

/// The inode number in `socket:[N]`.
fn socket_inode(target: &[u8]) -> Option<u32> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
