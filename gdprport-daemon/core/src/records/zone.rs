//! Where an address is, as far as that shows by itself.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::model::Zone;
use crate::privacy::is_pseudonym;

/// 127.0.0.0/8 (RFC 1122) and ::1 (RFC 4291 §2.5.3).
const HOST: [IpNet; 2] = [v4([127, 0, 0, 0], 8), v6([0, 0, 0, 0, 0, 0, 0, 1], 128)];

/// RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291 §2.5.6.
const PRIVATE: [IpNet; 7] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
    v4([169, 254, 0, 0], 16),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
];

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), bits))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::new(a, b, c, d, e, f, g, h), bits))
}

impl Zone {
    /// The zone of an address of full length, or of a network.
    #[must_use]
    pub fn of(net: &IpNet) -> Self {
        let within = |nets: &[IpNet]| nets.iter().any(|zone| zone.contains(net));
        if is_pseudonym(*net) {
            Self::Unknown
        } else if within(&HOST) {
            Self::Host
        } else if within(&PRIVATE) {
            Self::Private
        } else if HOST.iter().chain(&PRIVATE).any(|zone| net.contains(zone)) {
            // Addresses were rolled up so far that it has some of each.
            Self::Unknown
        } else {
            Self::Public
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1/32", Zone::Host)]
    #[case("::1/128", Zone::Host)]
    #[case("10.0.2.7/32", Zone::Private)]
    #[case("172.31.0.0/16", Zone::Private)]
    #[case("100.127.255.255/32", Zone::Private)]
    #[case("169.254.1.1/32", Zone::Private)]
    #[case("fd00:2::7/128", Zone::Private)]
    #[case("fe80::1/128", Zone::Private)]
    #[case("172.32.0.1/32", Zone::Public)]
    #[case("100.128.0.1/32", Zone::Public)]
    #[case("198.51.100.7/32", Zone::Public)]
    #[case("2001:db8::1/128", Zone::Public)]
    #[case("0.0.0.0/0", Zone::Unknown)]
    #[case("172.16.0.0/11", Zone::Unknown)]
    #[case("::/0", Zone::Unknown)]
    #[case("100::1:2:3:4/128", Zone::Unknown)]
    #[case("100::/64", Zone::Unknown)]
    fn an_address_is_where_its_network_is(#[case] net: &str, #[case] zone: Zone) {
        assert_eq!(Zone::of(&net.parse().expect("a network")), zone);
    }
}
