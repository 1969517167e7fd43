//! Where the two ends of a connection are: in one network namespace, or in two that a veth pair joins.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use gdprport_tests::netns::{Netns, VethPair};

use super::{listen, next_of};

/// The network behind the right end of the pair, all of whose addresses are its own.
const BEHIND: &str = "10.79.0.0/24";

/// The namespaces of a load.
#[derive(Debug)]
pub(crate) struct Ends<'a> {
    pub(crate) client: &'a Netns,
    pub(crate) server: &'a Netns,
    /// The /24 in which the server listens.
    network: [u8; 3],
}

impl<'a> Ends<'a> {
    pub(crate) fn on_loopback(netns: &'a Netns) -> Self {
        Self { client: netns, server: netns, network: [127, 0, 0] }
    }

    /// The client at the left end, the server at the right one.
    pub(crate) fn on_veth(pair: &'a VethPair) -> Self {
        Self { client: &pair.left, server: &pair.right, network: [10, 79, 0] }
    }

    /// A listener at the server's end, which stays there whichever thread uses it.
    pub(crate) fn listen(&self, port: u16) -> io::Result<OwnedFd> {
        self.server.inside(|| listen(Ipv4Addr::UNSPECIFIED, port))
    }

    /// The next address of the server.
    pub(crate) fn next(&self, port: u16) -> SocketAddrV4 {
        next_of(self.network, port)
    }
}

/// Gives the right end of a pair as many addresses as loopback has, which the left end reaches.
pub(crate) fn give_addresses(pair: &VethPair) {
    pair.right.ip(&["route", "add", "local", BEHIND, "dev", "lo"]);
    pair.left.ip(&["route", "add", BEHIND, "via", VethPair::RIGHT]);
}
