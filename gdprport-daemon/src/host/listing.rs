//! Listing the host's sockets on watched ports in every network namespace, with the processes that hold them; and
//! polling them later.
//!
//! Sockets opened before the kernel side was attached fire no hook, or not all. They are listed once at start and
//! polled periodically; their owners are found once, through `/proc`.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use netlink_packet_sock_diag::constants::TCP_SYN_SENT;
use thiserror::Error;

use crate::host::destroy::Subscription;
use crate::host::netns::{self, OpenNs};
use crate::host::sockets::{self, PortSet, TcpCounts, TcpSocket};
use crate::host::unseen::Unseen;
use gdprport_core::model::Endpoint;

mod everything;
mod holders;

pub(crate) use everything::Everything;
pub(crate) use holders::ProcessFd;
use holders::find_owners;

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
    /// workers, the opener rather than a child that inherited it. `None` if none was found, or the socket is known.
    pub owner: Option<ProcessFd>,
    /// What the kernel counted so far; `None` if the socket is known already, or the kernel does not say.
    pub counts: Option<TcpCounts>,
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
    /// What was left out.
    pub unseen: Unseen,
}

/// Why there is no listing at all.
#[derive(Debug, Error)]
#[error("cannot list processes in {proc}: {source}; gdprport needs the proc file system")]
pub(crate) struct ListingError {
    proc: String,
    source: io::Error,
}

impl Listing {
    /// Finds the sockets on watched ports in every network namespace, and of those that are not known what the kernel
    /// counted and who holds them.
    ///
    /// Takes time in proportion to all sockets of the host and, if there is one that is not known, to all descriptors;
    /// run it off the event loop.
    ///
    /// # Errors
    /// If `proc` cannot be listed. What else is missing is counted in the listing.
    pub(crate) fn take(proc: &Path, ports: &PortSet, known: &HashSet<u64>) -> Result<Self, ListingError> {
        let failed = |source| ListingError { proc: proc.display().to_string(), source };
        let mut out = Self::default();
        let mut inodes = Vec::new();
        let is_new = |cookie| !known.contains(&cookie);
        // Subscribed first, so that no end is missed.
        let scan = || {
            (Subscription::open(), sockets::look(|head| head.is_on(ports), is_new), netns::current_cookie())
        };
        let left_out = netns::visit(proc, scan, |ns, (destroy_notices, listed, cookie)| {
            let look = match listed {
                Ok(look) => look,
                Err(error) => {
                    tracing::debug!(%error, netns = ns.inode(), "sockets are not known");
                    out.unseen.namespaces += 1;
                    return;
                }
            };
            out.unseen.sockets += look.missing;
            let found = look.sockets;
            if found.is_empty() {
                return;
            }
            let connected = found.iter().any(|socket| socket.peer.is_some());
            inodes.extend(found.iter().map(|socket| if is_new(socket.cookie) { socket.inode } else { 0 }));
            out.sockets.extend(found.into_iter().map(|socket| found_socket(socket, ns.inode())));
            let destroy_notices = destroy_notices
                .inspect_err(|error| tracing::debug!(%error, "ends are only found by polling"))
                .ok()
                .filter(|_| connected);
            out.namespaces.push(ListedNetns { ns, cookie, destroy_notices });
        });
        out.unseen.add(&left_out.map_err(failed)?);
        let (owners, not_allowed) = find_owners(proc, &inodes).map_err(failed)?;
        out.unseen.processes = not_allowed;
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

#[cfg(test)]
mod tests;
