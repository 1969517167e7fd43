//! Where a server listens.

use crate::child::Place;
use crate::netns::Netns;
use crate::ports::{Port, is_listening};

/// Where a server listens: in which network namespace, on which port and addresses.
#[derive(Debug)]
pub struct Site<'a> {
    netns: Option<&'a Netns>,
    pub(super) port: Port,
    pub(super) addresses: Vec<&'a str>,
}

impl<'a> Site<'a> {
    /// Here, on `127.0.0.1` and `::1`, on a port that is free.
    #[must_use]
    pub fn here() -> Self {
        Self { netns: None, port: Port::free(), addresses: vec!["127.0.0.1", "::1"] }
    }

    /// In a network namespace that the test has made, on this port of these addresses.
    #[must_use]
    pub fn inside(netns: &'a Netns, port: u16, addresses: &[&'a str]) -> Self {
        Self { netns: Some(netns), port: Port::of_own_netns(port), addresses: addresses.to_vec() }
    }

    /// A place in that network namespace.
    pub(super) fn place(&self) -> Place<'a> {
        self.netns.map_or(Place::default(), |netns| Place::default().netns(netns))
    }

    /// Whether something listens on `port` in the namespace.
    pub(super) fn is_listening(netns: Option<&Netns>, port: u16) -> bool {
        netns.map_or_else(|| is_listening(port), |netns| netns.inside(|| is_listening(port)))
    }

    /// The namespace.
    pub(super) fn netns(&self) -> Option<&'a Netns> {
        self.netns
    }
}
