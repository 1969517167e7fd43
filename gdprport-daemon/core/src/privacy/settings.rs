//! What `[privacy]` asks for, with all that it takes to do it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::account::{self, Accounts, is_person};
use super::address::{PSEUDONYMS, Truncate, is_nobodys, pseudonym};
use super::applied::{Applied, AppliedPeers, AppliedUsers};
use super::key::Key;

/// How values of peers and persons are shown. The same value is shown the same way by everybody who has the same key and
/// settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    peers: Option<Peers>,
    users: Option<Key>,
    pub(super) accounts: Accounts,
}

/// How addresses of peers are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Peers {
    Truncated(Truncate),
    /// Of the address, or of its network.
    Pseudonyms(Key, Option<Truncate>),
}

impl Privacy {
    /// `peers`, `users`: the key of their pseudonyms, where they are to have any. `None`: everything is to be shown as it
    /// is.
    #[must_use]
    pub fn new(
        peers: Option<Key>,
        users: Option<Key>,
        truncate: Option<Truncate>,
        accounts: Accounts,
    ) -> Option<Self> {
        let peers = match (peers, truncate) {
            (Some(key), truncate) => Some(Peers::Pseudonyms(key, truncate)),
            (None, Some(truncate)) => Some(Peers::Truncated(truncate)),
            (None, None) => None,
        };
        (peers.is_some() || users.is_some()).then_some(Self { peers, users, accounts })
    }

    /// As events say it.
    #[must_use]
    pub fn applied(&self) -> Applied {
        let (peers, truncate, key) = match &self.peers {
            None => (None, None, None),
            Some(Peers::Truncated(truncate)) => (Some(AppliedPeers::Truncated), Some(*truncate), None),
            Some(Peers::Pseudonyms(key, truncate)) => (Some(AppliedPeers::Hmac), *truncate, Some(key)),
        };
        Applied {
            peers,
            users: self.users.as_ref().map(|_| AppliedUsers::Hmac),
            key: key.or(self.users.as_ref()).map(|key| key.id().to_string().into()),
            ipv4_bits: truncate.map(Truncate::ipv4),
            ipv6_bits: truncate.map(Truncate::ipv6),
        }
    }

    /// Whether addresses of peers are shown as something else.
    #[must_use]
    pub const fn hides_peers(&self) -> bool {
        self.peers.is_some()
    }

    /// Whether users are shown as something else.
    #[must_use]
    pub const fn hides_users(&self) -> bool {
        self.users.is_some()
    }

    /// What is shown of a peer's address. Loopback stays.
    #[must_use]
    pub fn address(&self, ip: IpAddr) -> IpAddr {
        let ip = ip.to_canonical();
        match &self.peers {
            _ if is_nobodys(ip) => ip,
            None => ip,
            Some(Peers::Truncated(truncate)) => truncate.network(ip).addr(),
            Some(Peers::Pseudonyms(key, truncate)) => pseudonym(key, ip, *truncate),
        }
    }

    /// What is shown of a network of peers: of pseudonyms, which have nothing in common by prefix, the network of all.
    #[must_use]
    pub fn network(&self, network: IpNet) -> IpNet {
        match &self.peers {
            None => network,
            _ if network.prefix_len() == 0 || is_nobodys(network.addr()) => network,
            Some(Peers::Truncated(truncate)) => {
                let kept = truncate.network(network.addr());
                if kept.prefix_len() < network.prefix_len() { kept } else { network }
            }
            Some(Peers::Pseudonyms(..)) if network.prefix_len() == network.max_prefix_len() => {
                self.address(network.addr()).into()
            }
            Some(Peers::Pseudonyms(..)) => PSEUDONYMS.into(),
        }
    }

    /// The network that is kept of an address, where less than all is.
    pub(super) fn truncated(&self, ip: IpAddr) -> Option<IpNet> {
        match self.peers.as_ref()? {
            Peers::Truncated(truncate) | Peers::Pseudonyms(_, Some(truncate)) => Some(truncate.network(ip)),
            Peers::Pseudonyms(_, None) => None,
        }
    }

    /// How much is left of addresses that are shown, where less than all is and they are no pseudonyms.
    #[must_use]
    pub const fn left(&self) -> Option<Truncate> {
        match &self.peers {
            Some(Peers::Truncated(truncate)) => Some(*truncate),
            Some(Peers::Pseudonyms(..)) | None => None,
        }
    }

    /// What is shown of the name of a person.
    #[must_use]
    pub fn user_name(&self, name: &str) -> String {
        self.users.as_ref().map_or_else(|| name.to_owned(), |key| account::name(key, name))
    }

    /// What is shown of the id of a user or group. Those of the system stay.
    #[must_use]
    pub fn id(&self, id: u32) -> u32 {
        match &self.users {
            Some(key) if is_person(id) => account::id(key, id),
            _ => id,
        }
    }

    /// What is shown of a session's number.
    pub(super) fn session(&self, number: &str) -> String {
        let Some(key) = &self.users else { return number.to_owned() };
        format!("s{:016x}", key.digest("session", number.as_bytes()))
    }
}
