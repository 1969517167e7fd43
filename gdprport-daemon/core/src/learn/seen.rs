//! What was seen of the services of a host, wherever from: what a starter policy is written of.
//!
//! Belongs here: the values. How an inventory and the ledger become them is `gather`'s.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::inventory::Service;
use crate::ledger::Identity;
use crate::model::{Direction, PostureState, TlsVersion};

/// What was seen of the services of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it comes from.
    pub source: Source,
    /// The services, ascending by port; the local one of a port first.
    pub services: Vec<SeenService>,
    /// What was not seen, a sentence each.
    pub unseen: Vec<String>,
}

/// Where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A look at the host.
    Look {
        /// For how many seconds the sensor watched; `None`: it was looked at once.
        watched_s: Option<u64>,
    },
    /// The ledger.
    Ledger {
        /// Begin of the period.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
}

/// One service on one port number: served on this host, or elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenService {
    /// The TCP port, host byte order.
    pub port: u16,
    /// Whether it is served elsewhere and called from here.
    pub remote: bool,
    /// Where it is bound; empty for a remote one, or if no listener was seen.
    pub bound: Vec<IpAddr>,
    /// Whether it was seen in the host's own network namespace; otherwise only in others, such as containers'.
    pub in_own_netns: bool,
    /// What it is.
    pub service: Service,
    /// Its name in the policy that was in force.
    pub declared: Option<Arc<str>>,
    /// Who holds its listeners.
    pub holders: Vec<Identity>,
    /// Why the name of a holder's executable is only a claim; `None`: only root can have named it so, or it is not known.
    pub claim: Option<Arc<str>>,
    /// Who talked through it.
    pub edges: Vec<SeenEdge>,
    /// How that was encrypted, in connections: by state and version of TLS.
    pub postures: BTreeMap<(PostureState, Option<TlsVersion>), u64>,
    /// The version of TLS that the policy of then demanded at least, as its violations show; `None`: none was for that.
    pub demanded: Option<TlsVersion>,
}

/// Connections of one process with one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEdge {
    /// Which end this host is.
    pub direction: Direction,
    /// The process at this end.
    pub identity: Arc<Identity>,
    /// The other end; `None`: the process called this service on this host, by an address that is not known.
    pub peer: Option<IpNet>,
    /// Connections that began, or failed; of a look those that were there.
    pub connections: u64,
    /// Whether the policy in force did not allow them.
    pub in_violation: bool,
    /// The first and the last time that one was seen; `None`: now.
    pub time: Option<(Timestamp, Timestamp)>,
}
