//! The cookie of a network namespace where only kernel programs can read it (before Linux 5.14).

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with};

use super::loaded::Probes;

/// An address that no host has (TEST-NET-1, RFC 5737).
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

impl Probes {
    /// The cookie of the network namespace that the calling thread is in; `None` while no port is watched or the
    /// bind hook is missing.
    ///
    /// The hook stores it with every socket that is about to be bound to a watched port. This binds one to an
    /// address that no host has: nothing is opened, because the kernel refuses it after the hook has run.
    #[must_use]
    pub(crate) fn netns_cookie(&self) -> Option<u64> {
        let port = *self.watched.first()?;
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP)).ok()?;
        let _refused = bind(&socket, &SocketAddrV4::new(NOWHERE, port));
        let stored = self.owners.get(&socket, 0).ok()?;
        (stored.caller.netns_cookie != 0).then_some(stored.caller.netns_cookie)
    }
}
