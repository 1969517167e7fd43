//! One listener or remote service and its peers.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::exposure::Exposure;
use crate::ledger::{Identity, PostureKey};
use crate::model::Direction;

/// What listens and talks on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Begin of the look.
    pub from: Option<Timestamp>,
    /// Its end; of a scan that only looked once, a moment later.
    pub to: Option<Timestamp>,
    /// True if the sensor's programs were loaded meanwhile: then short-lived peers and postures are in it.
    pub watched: bool,
    /// Listeners, by port, address and holder.
    pub listeners: Vec<Listening>,
    /// Services elsewhere that this host has connections to, and that are known by the catalog or the policy.
    pub remote: Vec<Listening>,
    /// What could not be looked at. Absence proves nothing of it.
    pub unread: Vec<Unread>,
}

/// A listener of this host, or a service elsewhere that it calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Addresses that it is bound to, ascending; of a remote service the addresses that were called. Listeners that differ in
    /// nothing else (such as 0.0.0.0 and ::) are one.
    pub addresses: Vec<IpAddr>,
    /// The TCP port, host byte order.
    pub port: u16,
    /// How far it can be reached by the widest of its addresses; `None` of a remote service.
    pub exposure: Option<Exposure>,
    /// Inode number of the network namespace.
    pub netns: u64,
    /// True if that is the one that the scan was started in.
    pub own_netns: bool,
    /// Who holds it; of a remote service, who calls it.
    pub holder: Identity,
    /// Why the name of the holder's executable is only a claim, one sentence; `None`: only root can have named it so, or it is
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Arc<str>>,
    /// The name that the holder goes by, where its executable's does not begin with it: `redis-server`, which is a link to
    /// `redis-check-rdb`. A process may choose it, so nothing is decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_by: Option<Arc<str>>,
    /// What it is.
    pub service: Service,
    /// The declaration in the policy; `None`: there is none, or no policy was read.
    pub declared: Option<Arc<str>>,
    /// Who is or was connected, the most connections first.
    pub peers: Vec<PeerGroup>,
    /// How connections were encrypted, with their number; only of a scan that watched.
    #[serde(with = "super::postures")]
    pub postures: Vec<(PostureKey, u64)>,
}

/// What a service is by the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The catalog's identifier; `None`: the catalog does not know it.
    pub id: Option<Arc<str>>,
    /// The name for people.
    pub name: Option<Arc<str>>,
    /// How it was recognized; empty if it was not.
    pub by: Vec<Recognised>,
    /// Why it usually carries personal data, one short sentence.
    pub why: Option<Arc<str>>,
}

/// How a service was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recognised {
    /// Its executable's name is the catalog's. Alone it says which program it is, not which protocol it speaks on this port: a
    /// server may have a port for its administration besides.
    Executable,
    /// Its port is the catalog's.
    Port,
    /// Its first bytes are of the protocol; only of a scan that watched.
    Bytes,
}

/// Peers of one address, or of a network where there are too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerGroup {
    /// The address, or the network.
    pub net: IpNet,
    /// Which end this host is.
    pub direction: Direction,
    /// Connections.
    pub connections: u64,
    /// Who is at the other end, where that is on this host too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Identity>,
    /// The address that it called, where it is on this host too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<IpAddr>,
}

/// What could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// What, as a noun: `network namespaces`, `processes`.
    pub what: Arc<str>,
    /// How many.
    pub count: u64,
    /// Why, and what to do, one sentence.
    pub why: Arc<str>,
}

impl Unread {
    /// What, in the singular if it is one.
    #[must_use]
    pub fn noun(&self) -> &str {
        match (&*self.what, self.count) {
            ("processes", 1) => "process",
            (what, 1) => what.strip_suffix('s').unwrap_or(what),
            (what, _) => what,
        }
    }
}
