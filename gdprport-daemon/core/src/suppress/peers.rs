//! Networks of peers, and how many different peers there were at least.

use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::fast::RandomState;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The network of a peer whose group has no room of its own: /24, or /48, which is what one site is given (RFC 6177).
pub(super) fn network(peer: IpAddr) -> IpNet {
    match peer {
        IpAddr::V4(ip) => Ipv4Net::new_assert(ip, 24).trunc().into(),
        IpAddr::V6(ip) => Ipv6Net::new_assert(ip, 48).trunc().into(),
    }
}

/// All peers of the family of this one.
pub(super) const fn everybody(peer: IpAddr) -> IpNet {
    match peer {
        IpAddr::V4(_) => IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpAddr::V6(_) => IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    }
}

/// Bits of the sketch: of 1,000 peers it knows some 790 apart.
const BITS: u64 = 2_048;

/// Different peers, as far as 256 bytes can tell them apart.
#[derive(Debug)]
pub(super) struct Peers {
    bits: Box<[u64; BITS as usize / 64]>,
    hash: RandomState,
}

impl Default for Peers {
    fn default() -> Self {
        Self { bits: Box::new([0; BITS as usize / 64]), hash: RandomState::default() }
    }
}

impl Peers {
    /// Adds a peer.
    pub(super) fn add(&mut self, peer: IpAddr) {
        let bit = self.hash.hash_one(peer) % BITS;
        if let Some(word) = self.bits.get_mut((bit / 64) as usize) {
            *word |= 1 << (bit % 64);
        }
    }

    /// How many there were at least: each set bit is of one or more.
    pub(super) fn at_least(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
    }
}
