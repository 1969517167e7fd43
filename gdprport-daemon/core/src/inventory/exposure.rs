//! Who can reach a listener, by the address that it is bound to.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Who can reach a listener, by its address alone: what a firewall lets through is not known. From least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exposure {
    /// Its own network namespace only: 127.0.0.0/8, `::1`.
    Loopback,
    /// Private and link-local networks (RFC 1918, RFC 4193, RFC 3927, RFC 4291 §2.5.6, RFC 6598).
    Private,
    /// An address that is routed publicly.
    Public,
    /// Every address of the network namespace: `0.0.0.0` or `::`.
    Every,
}

impl Exposure {
    /// Of the address that a socket is bound to.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_unspecified() {
            return Self::Every;
        }
        let (loopback, private) = match ip.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, ..] = v4.octets();
                let shared = a == 100 && (b & 0xc0) == 64;
                (v4.is_loopback(), v4.is_private() || v4.is_link_local() || shared)
            }
            IpAddr::V6(v6) => (v6.is_loopback(), v6.is_unique_local() || v6.is_unicast_link_local()),
        };
        match (loopback, private) {
            (true, _) => Self::Loopback,
            (false, true) => Self::Private,
            (false, false) => Self::Public,
        }
    }

    /// The identifier used in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
            Self::Every => "every",
        }
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_who_can_reach_it() {
        for (address, exposure) in [
            ("127.0.0.53", Exposure::Loopback),
            ("::1", Exposure::Loopback),
            ("::ffff:127.0.0.1", Exposure::Loopback),
            ("10.1.2.3", Exposure::Private),
            ("172.31.0.1", Exposure::Private),
            ("100.64.0.9", Exposure::Private),
            ("169.254.1.1", Exposure::Private),
            ("fd00::7", Exposure::Private),
            ("fe80::1", Exposure::Private),
            ("172.32.0.1", Exposure::Public),
            ("2001:db8::1", Exposure::Public),
            ("0.0.0.0", Exposure::Every),
            ("::", Exposure::Every),
        ] {
            assert_eq!(Exposure::of(address.parse().expect("an address")), exposure, "{address}");
        }
    }
}
