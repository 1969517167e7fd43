//! Addresses of peers: truncated, or pseudonyms.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::key::Key;

/// Where pseudonyms of addresses are: the discard-only block (RFC 6666), from which no true peer comes, so that whoever
/// reads a field as an address can go on doing so, and sees that it is none. They have nothing in common by prefix: to
/// roll them up means all of them.
pub const PSEUDONYMS: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64);

/// Whether a peer is a pseudonym, or what pseudonyms were rolled up to.
#[must_use]
pub fn is_pseudonym(peer: impl Into<IpNet>) -> bool {
    matches!(peer.into(), IpNet::V6(peer) if PSEUDONYMS.contains(&peer))
}

/// How many leading bits of an address are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncate {
    ipv4: u8,
    ipv6: u8,
}

impl Truncate {
    /// So many bits of IPv4 (at most 32) and IPv6 (at most 128); `None`: there are no such lengths.
    #[must_use]
    pub const fn new(ipv4: u8, ipv6: u8) -> Option<Self> {
        if ipv4 <= 32 && ipv6 <= 128 { Some(Self { ipv4, ipv6 }) } else { None }
    }

    /// Bits of IPv4.
    #[must_use]
    pub const fn ipv4(self) -> u8 {
        self.ipv4
    }

    /// Bits of IPv6.
    #[must_use]
    pub const fn ipv6(self) -> u8 {
        self.ipv6
    }

    /// The network that is kept of an address: all of loopback's.
    #[must_use]
    pub fn network(self, ip: IpAddr) -> IpNet {
        match ip {
            ip if is_nobodys(ip) => ip.into(),
            IpAddr::V4(ip) => Ipv4Net::new_assert(ip, self.ipv4).trunc().into(),
            IpAddr::V6(ip) => Ipv6Net::new_assert(ip, self.ipv6).trunc().into(),
        }
    }
}

/// Whether an address says nothing of a peer: loopback is this host for every host, and the unspecified address is none.
pub(super) const fn is_nobodys(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified(),
    }
}

/// The pseudonym of an address, or of the network that it is truncated to.
pub(super) fn pseudonym(key: &Key, ip: IpAddr, truncate: Option<Truncate>) -> IpAddr {
    let digest = match truncate {
        None => key.digest("peer", octets(ip).as_slice()),
        Some(truncate) => {
            let network = truncate.network(ip);
            let mut value = octets(network.addr()).as_slice().to_vec();
            value.push(network.prefix_len());
            key.digest("network", &value)
        }
    };
    let block = u128::from(PSEUDONYMS.addr());
    IpAddr::V6(Ipv6Addr::from(block | u128::from(digest)))
}

/// The bytes of an address.
enum Octets {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Octets {
    const fn as_slice(&self) -> &[u8] {
        match self {
            Self::V4(octets) => octets,
            Self::V6(octets) => octets,
        }
    }
}

const fn octets(ip: IpAddr) -> Octets {
    match ip {
        IpAddr::V4(ip) => Octets::V4(Ipv4Addr::octets(&ip)),
        IpAddr::V6(ip) => Octets::V6(Ipv6Addr::octets(&ip)),
    }
}
