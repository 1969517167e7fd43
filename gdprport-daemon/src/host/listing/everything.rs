//! Every TCP socket of the host, in every network namespace that may be entered: for a look at the whole host.

use std::collections::HashMap;
use std::path::Path;

use netlink_packet_sock_diag::constants::{TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT};

use super::ListingError;
use super::holders::{ProcessFd, find_owners};
use crate::host::netns;
use crate::host::sockets;
use gdprport_core::inventory::FoundSocket;

/// Sockets kept at once: five times a busy host's, at some 100 bytes each. The kernel lists the listeners of each address family
/// before its connections, so that it is connections that are left out, and counted.
const SOCKETS_CAP: usize = 262_144;

/// The sockets of the host.
#[derive(Debug, Default)]
pub(crate) struct Everything {
    /// Listeners and connections, of which those are left out that are not open yet or any more.
    pub(crate) sockets: Vec<FoundSocket>,
    /// Network namespaces that may not be entered, or were not.
    pub(crate) namespaces: u64,
    /// Processes whose network namespace may not be read, and which is not this one.
    pub(crate) hidden: u64,
    /// Sockets that the kernel counts and did not list.
    pub(crate) missing: u64,
    /// Sockets beyond the cap.
    pub(crate) over: u64,
}

impl Everything {
    /// Lists all.
    ///
    /// # Errors
    /// If `proc` cannot be listed. What else is missing is counted.
    pub(crate) fn list(proc: &Path) -> Result<Self, ListingError> {
        let mut out = Self::default();
        let list = || {
            let is_open = |head: &sockets::Head| ![TCP_SYN_SENT, TCP_SYN_RECV].contains(&head.state);
            sockets::look_at_most(SOCKETS_CAP, is_open, |_| false)
        };
        let left_out = netns::visit(proc, list, |ns, listed| match listed {
            Ok(look) => {
                out.missing += look.missing;
                out.over += look.over;
                out.take(look.sockets, ns.inode());
            }
            Err(error) => {
                tracing::debug!(%error, netns = ns.inode(), "sockets are not known");
                out.namespaces += 1;
            }
        });
        let left_out =
            left_out.map_err(|source| ListingError { proc: proc.display().to_string(), source })?;
        for error in &left_out.errors {
            tracing::debug!(%error, "sockets are not known");
        }
        out.namespaces += left_out.errors.len() as u64 + left_out.over_cap;
        out.hidden = left_out.not_allowed;
        Ok(out)
    }

    /// Who holds the sockets of these inode numbers, in one pass over the descriptors of all processes, which ends with the last
    /// of them; and how many processes may not be read.
    ///
    /// # Errors
    /// If `proc` cannot be listed.
    pub(crate) fn holders(
        proc: &Path,
        inodes: &[u32],
    ) -> Result<(HashMap<u32, ProcessFd>, u64), ListingError> {
        find_owners(proc, inodes).map_err(|source| ListingError { proc: proc.display().to_string(), source })
    }

    /// Takes the sockets of a namespace, its listeners first.
    fn take(&mut self, mut sockets: Vec<sockets::TcpSocket>, netns: u64) {
        sockets.sort_by_key(|socket| socket.state != TCP_LISTEN);
        let room = SOCKETS_CAP.saturating_sub(self.sockets.len());
        self.over += sockets.len().saturating_sub(room) as u64;
        let found = sockets.into_iter().take(room).map(|socket| FoundSocket {
            netns,
            local: socket.local,
            peer: socket.peer,
            inode: socket.inode,
        });
        self.sockets.extend(found);
    }
}
