//! Sockets as the host lists them, sorted into what listens here, what is connected to it, and what is called elsewhere.
//!
//! Belongs here: which end a connection is, and whose processes are wanted. What is made of it is `build`'s.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::catalog;
use crate::ledger::Identity;
use crate::model::Endpoint;
use crate::policy::ActivePolicy;

/// Addresses of peers that are shown one by one: as many as a person reads, and more than a service with a handful of
/// application servers has. Of a listener or remote service with more, peers are put together by network.
pub const ADDRESSES_EACH: usize = 20;

/// A TCP socket of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundSocket {
    /// Inode number of its network namespace.
    pub netns: u64,
    /// The end on this host.
    pub local: Endpoint,
    /// The other end; `None`: it listens.
    pub peer: Option<Endpoint>,
    /// Its own inode number, by which its holder is found; 0: no process holds it, such as one of the kernel's.
    pub inode: u32,
}

/// A process that holds sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// Why the name of its executable is only what somebody else than root calls it, one sentence; `None`: only root can.
    pub claim: Option<Arc<str>>,
    /// The name that it goes by, where its executable's does not begin with it: one executable for many programs.
    pub goes_by: Option<Arc<str>>,
}

impl Holder {
    /// Nobody is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self { identity: Arc::new(Identity::UNKNOWN), claim: None, goes_by: None }
    }
}

/// Which end of a connection is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was accepted by this listener, by its place; the other end is this connection, if it is on this host too.
    Accepted { listener: usize, client: Option<usize> },
    /// It called this listener, by its place, whose end of it is not there any more: the client has not closed its own yet.
    Left { listener: usize },
    /// It is a service elsewhere that is called.
    Called,
    /// Neither the catalog nor the policy knows it, or its other end counts.
    Other,
}

/// Sockets, sorted.
#[derive(Debug)]
pub struct Sorted {
    pub(super) listeners: Vec<FoundSocket>,
    pub(super) connections: Vec<FoundSocket>,
    /// Of each connection.
    pub(super) ends: Vec<End>,
    /// Up to how many addresses of peers stand one by one.
    pub(super) each: usize,
}

impl Sorted {
    /// Sorts what was listed. Takes time in proportion to it.
    ///
    /// A connection was accepted here if its end is that of a listener of its network namespace, or of one for every address.
    /// What a listener that is gone has accepted cannot be known from what was called.
    #[must_use]
    pub fn new(sockets: impl IntoIterator<Item = FoundSocket>, policy: Option<&ActivePolicy>) -> Self {
        let (mut listeners, mut connections) = (Vec::new(), Vec::new());
        for socket in sockets {
            if socket.peer.is_some() { connections.push(socket) } else { listeners.push(socket) }
        }
        let by_end = Listeners::of(&listeners);
        let accepted: Vec<Option<usize>> =
            connections.iter().map(|socket| by_end.serving(socket.netns, socket.local)).collect();
        // The same connection seen from its other end: on loopback only within one network namespace.
        let mut clients: HashMap<(Endpoint, Endpoint, u64), usize> = HashMap::new();
        let at = |socket: &FoundSocket| if socket.local.ip.is_loopback() { socket.netns } else { 0 };
        for (index, socket) in connections.iter().enumerate() {
            if let Some(peer) = socket.peer.filter(|_| accepted[index].is_none()) {
                clients.insert((socket.local, peer, at(socket)), index);
            }
        }
        let mut ends: Vec<End> = Vec::with_capacity(connections.len());
        for (socket, listener) in connections.iter().zip(&accepted) {
            ends.push(match (listener, socket.peer) {
                (Some(listener), Some(peer)) => {
                    let client = clients.get(&(peer, socket.local, at(socket))).copied();
                    End::Accepted { listener: *listener, client }
                }
                (None, Some(peer)) => match by_end.called_here(socket.netns, socket.local, peer) {
                    Some(listener) => End::Left { listener },
                    None if is_known(peer.port, policy) => End::Called,
                    None => End::Other,
                },
                _ => End::Other,
            });
        }
        // What is called on this host is the listener's peer, not a service elsewhere.
        for index in 0..ends.len() {
            if let End::Accepted { client: Some(client), .. } = ends[index] {
                ends[client] = End::Other;
            }
        }
        Self { listeners, connections, ends, each: ADDRESSES_EACH }
    }

    /// The same with up to this many addresses of peers one by one, where they are not for a table.
    #[must_use]
    pub const fn addresses_each(mut self, each: usize) -> Self {
        self.each = each;
        self
    }

    /// The inode numbers of the sockets whose holders are shown: of listeners, of their clients on this host and of those who
    /// call elsewhere. One may come twice.
    pub fn holders_wanted(&self) -> impl Iterator<Item = u32> + '_ {
        let of_connections = self.connections.iter().zip(&self.ends).filter_map(|(socket, end)| match end {
            End::Accepted { client: Some(client), .. } => Some(self.connections[*client].inode),
            End::Called | End::Left { .. } => Some(socket.inode),
            End::Accepted { client: None, .. } | End::Other => None,
        });
        self.listeners.iter().map(|socket| socket.inode).chain(of_connections)
    }
}

fn is_known(port: u16, policy: Option<&ActivePolicy>) -> bool {
    catalog::by_port(port).is_some() || policy.is_some_and(|policy| policy.port(port).is_some())
}

/// Listeners by their end.
struct Listeners(HashMap<(u64, u16), Vec<(IpAddr, usize)>>);

impl Listeners {
    fn of(listeners: &[FoundSocket]) -> Self {
        let mut by_port: HashMap<(u64, u16), Vec<(IpAddr, usize)>> = HashMap::new();
        for (index, socket) in listeners.iter().enumerate() {
            let there = by_port.entry((socket.netns, socket.local.port)).or_default();
            // Those that share an end (SO_REUSEPORT) share their connections too: the first stands for all.
            if there.iter().all(|(ip, _)| *ip != socket.local.ip) {
                there.push((socket.local.ip, index));
            }
        }
        Self(by_port)
    }

    /// The listener of this network namespace that is called by this connection, where its address can be nobody else's.
    fn called_here(&self, netns: u64, local: Endpoint, peer: Endpoint) -> Option<usize> {
        let own = peer.ip.is_loopback() || peer.ip == local.ip;
        let bound = || {
            self.0.get(&(netns, peer.port)).is_some_and(|there| there.iter().any(|(ip, _)| *ip == peer.ip))
        };
        if own || bound() { self.serving(netns, peer) } else { None }
    }

    /// The listener that a connection with this end came to: one for its very address before one for every address, and that
    /// of its own family before one of both.
    fn serving(&self, netns: u64, local: Endpoint) -> Option<usize> {
        let there = self.0.get(&(netns, local.port))?;
        let rank = |ip: &IpAddr| match ip {
            ip if *ip == local.ip => Some(0),
            ip if ip.is_unspecified() => Some(1 + u8::from(ip.is_ipv4() != local.ip.is_ipv4())),
            _ => None,
        };
        let ranked = there.iter().filter_map(|(ip, index)| Some((rank(ip)?, *index)));
        ranked.min().map(|(_, index)| index)
    }
}
