//! Addresses gathered to few networks.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks that a proposal lists before addresses of one subnet are put together.
const FEW: usize = 8;

/// The most addresses that a gathered network has: a /24, the customary size of a subnet.
const SUBNET: u8 = 24;

/// The networks for these addresses: IPv6 by /64 (a link, RFC 4291 §2.5.1), IPv4 one by one as long as they are few, else
/// those of a /24 put together to the smallest network that has them. Ascending, without overlaps.
pub(super) fn networks(addresses: &[IpNet]) -> Vec<IpNet> {
    let mut v4: Vec<Ipv4Net> = Vec::new();
    let mut nets: Vec<IpNet> = Vec::new();
    for address in addresses {
        match address {
            IpNet::V4(net) => v4.push(*net),
            IpNet::V6(net) => nets.push(link(*net).into()),
        }
    }
    let mut v4 = Ipv4Net::aggregate(&v4);
    v4.sort();
    if v4.len() > FEW {
        v4 = by_subnet(&v4);
    }
    nets.extend(v4.into_iter().map(IpNet::V4));
    nets.sort();
    nets.dedup();
    nets
}

fn link(net: Ipv6Net) -> Ipv6Net {
    let length = net.prefix_len().min(64);
    Ipv6Net::new(net.addr(), length).map_or(net, |link| link.trunc())
}

fn by_subnet(nets: &[Ipv4Net]) -> Vec<Ipv4Net> {
    let mut gathered: Vec<Ipv4Net> = Vec::new();
    for net in nets {
        let joined = gathered.last().and_then(|last| {
            let length = (SUBNET..=last.prefix_len().min(net.prefix_len())).rev();
            let mut wider = length.filter_map(|length| Ipv4Net::new(last.addr(), length).ok());
            wider.find(|wider| wider.contains(net)).map(|wider| wider.trunc())
        });
        match joined {
            Some(joined) => {
                gathered.pop();
                gathered.push(joined);
            }
            None => gathered.push(*net),
        }
    }
    gathered
}

/// IPv4 addresses of a network; of IPv6 its links (/64), at least one. Saturates.
pub(super) fn size(net: &IpNet) -> u64 {
    match net {
        IpNet::V4(net) => 1_u64 << (32 - u32::from(net.prefix_len())),
        IpNet::V6(net) => 1_u64.checked_shl(64 - u32::from(net.prefix_len().min(64))).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(texts: &[&str]) -> Vec<String> {
        let nets: Vec<IpNet> = texts
            .iter()
            .map(|text| {
                text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)).expect("a net")
            })
            .collect();
        networks(&nets).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn few_addresses_stay_as_they_are() {
        assert_eq!(gathered(&["10.0.2.9", "10.0.2.8", "10.7.0.1"]), ["10.0.2.8/31", "10.7.0.1/32"]);
        assert_eq!(gathered(&["fd00:2::7", "fd00:2::9"]), ["fd00:2::/64"]);
    }

    #[test]
    fn many_addresses_become_subnets_and_never_wider() {
        let many: Vec<String> = (0..20).map(|i| format!("10.0.2.{}", 3 * i + 1)).collect();
        let mut texts: Vec<&str> = many.iter().map(String::as_str).collect();
        texts.push("10.0.3.1");
        assert_eq!(gathered(&texts), ["10.0.2.0/26", "10.0.3.1/32"]);
    }

    #[test]
    fn links_are_what_ipv6_networks_count_by() {
        for (text, expected) in [
            ("10.0.0.0/8", 1 << 24),
            ("10.0.0.1/32", 1),
            ("fd00::/48", 1 << 16),
            ("fd00::1/128", 1),
            ("::/0", u64::MAX),
        ] {
            assert_eq!(size(&text.parse().expect("a net")), expected, "{text}");
        }
    }
}
